package audit

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// writer appends the JSON of one record, byte for byte what encoding/json writes
// without HTML escapes, at a fifth of its cost. A test holds it to that for every
// field of a record. Names come with their quotes and their colon.
type writer struct {
	b   []byte
	err error
}

// append appends the record as one line of any length. An error means that a time
// or a number is one that JSON does not have.
func (r *Record) append(dst []byte) ([]byte, error) {
	w := writer{b: append(dst, '{')}
	w.int(`"v":`, int64(r.V))
	w.str(`"record_id":`, r.RecordID)
	w.time(`"time":`, r.Time)
	w.float(`"duration_ms":`, r.DurationMS)
	w.str(`"trace_id":`, r.TraceID)
	w.some(`"parent_span_id":`, r.ParentSpanID)
	w.some(`"request_id":`, r.RequestID)
	w.str(`"decision_id":`, r.DecisionID)
	w.str(`"product":`, r.Product)
	w.str(`"env":`, r.Env)
	w.str(`"instance":`, r.Instance)
	w.str(`"sidecar_version":`, r.SidecarVersion)
	w.message(r)
	w.identity(r)
	w.judgement(r)
	w.str(`"disposition":`, r.Disposition)
	w.answer(r)
	w.int(`"overhead_us":`, r.OverheadUS)
	w.open(`"redaction":{`)
	w.str(`"kid":`, r.Redaction.Kid)
	array(&w, `"applied":`, r.Redaction.Applied)
	array(&w, `"errors":`, r.Redaction.Errors)
	w.end('}')
	w.flag(`"truncated":`, r.Truncated)
	w.end('}')
	w.end('\n')
	return w.b, w.err
}

func (w *writer) message(r *Record) {
	w.open(`"policy":{`)
	w.str(`"digest":`, r.Policy.Digest)
	w.end('}')
	w.open(`"op":{`)
	w.str(`"id":`, r.Op.ID)
	w.some(`"template":`, r.Op.Template)
	w.end('}')
	h := &r.HTTP
	w.open(`"http":{`)
	w.str(`"method":`, h.Method)
	w.str(`"version":`, h.Version)
	w.str(`"path":`, h.Path)
	if len(h.QueryKeys) > 0 {
		array(w, `"query_keys":`, h.QueryKeys)
	}
	w.optional(`"req_bytes":`, h.ReqBytes)
	w.int(`"resp_bytes":`, h.RespBytes)
	w.some(`"ctype":`, h.Ctype)
	w.int(`"inspected_bytes":`, h.InspectedBytes)
	if h.StrippedFields != 0 {
		w.int(`"stripped_fields":`, int64(h.StrippedFields))
	}
	w.flag(`"partially_inspected":`, h.PartiallyInspected)
	w.end('}')
	w.open(`"client":{`)
	w.str(`"ip":`, r.Client.IP)
	w.some(`"source":`, r.Client.Source)
	w.int(`"status":`, int64(r.Client.Status))
	w.hop(r.Client.TLS)
	w.end('}')
}

func (w *writer) identity(r *Record) {
	w.str(`"client_id":`, r.ClientID)
	w.str(`"principal_id":`, r.PrincipalID)
	w.some(`"actor_id":`, r.ActorID)
	w.open(`"account":{`)
	array(w, `"token":`, r.Account.Token)
	array(w, `"requested":`, r.Account.Requested)
	w.str(`"carrier":`, r.Account.Carrier)
	w.end('}')
	if t := r.Tok; t != nil {
		w.open(`"tok":{`)
		w.some(`"iss":`, t.Iss)
		w.some(`"alg":`, t.Alg)
		w.some(`"kid":`, t.Kid)
		w.some(`"typ":`, t.Typ)
		w.optional(`"age_s":`, t.AgeS)
		w.optional(`"ttl_s":`, t.TTLS)
		w.int(`"scopes_n":`, int64(t.ScopesN))
		if len(t.Scopes) > 0 {
			array(w, `"scopes":`, t.Scopes)
		}
		if len(t.Missing) > 0 {
			array(w, `"missing":`, t.Missing)
		}
		w.some(`"bound":`, t.Bound)
		w.str(`"fp":`, t.FP)
		w.end('}')
	}
	if c := r.Claimed; c != nil {
		w.open(`"claimed":{`)
		w.some(`"client_id":`, c.ClientID)
		w.some(`"principal_id":`, c.PrincipalID)
		w.some(`"actor_id":`, c.ActorID)
		if len(c.Accounts) > 0 {
			array(w, `"accounts":`, c.Accounts)
		}
		w.some(`"iss":`, c.Iss)
		w.end('}')
	}
	w.open(`"auth":{`)
	w.str(`"outcome":`, r.Auth.Outcome)
	w.str(`"reason":`, string(r.Auth.Reason))
	w.end('}')
}

func (w *writer) judgement(r *Record) {
	if r.Findings == nil {
		w.open(`"findings":null`)
	} else {
		w.open(`"findings":[`)
		for i := range r.Findings {
			w.finding(&r.Findings[i])
		}
		w.end(']')
	}
	controls(w, `"permits":`, r.Permits)
	controls(w, `"not_applicable":`, r.NotApplicable)
	controls(w, `"enforced":`, r.Enforced)
}

func controls(w *writer, name string, list []policy.Control) {
	if len(list) > 0 {
		array(w, name, list)
	}
}

func (w *writer) finding(f *Finding) {
	w.open(`{`)
	w.str(`"control":`, string(f.Control))
	w.str(`"effect":`, f.Effect)
	w.str(`"reason":`, string(f.Reason))
	w.some(`"detail":`, f.Detail)
	w.str(`"mode":`, f.Mode)
	w.some(`"exception":`, f.Exception)
	w.some(`"cause":`, string(f.Cause))
	w.flag(`"failed_open":`, f.FailedOpen)
	w.end('}')
}

func (w *writer) answer(r *Record) {
	w.open(`"be":{`)
	w.int(`"status":`, int64(r.Be.Status))
	w.str(`"class":`, string(r.Be.Class))
	w.some(`"instance":`, r.Be.Instance)
	w.float(`"latency_ms":`, r.Be.LatencyMS)
	w.hop(r.Be.TLS)
	w.end('}')
	if r.Observations == nil {
		w.open(`"observations":null`)
		return
	}
	w.open(`"observations":[`)
	for i := range r.Observations {
		o := &r.Observations[i]
		w.open(`{`)
		w.str(`"control":`, string(o.Control))
		w.str(`"position":`, string(o.Position))
		w.str(`"signal":`, string(o.Signal))
		w.str(`"reason":`, string(o.Reason))
		w.open(`"isolated":`)
		w.b = strconv.AppendBool(w.b, o.Isolated)
		w.end('}')
	}
	w.end(']')
}

// open begins a member or an element, after a comma if it is not the first one.
func (w *writer) open(name string) {
	if last := w.b[len(w.b)-1]; last != '{' && last != '[' {
		w.b = append(w.b, ',')
	}
	w.b = append(w.b, name...)
}

func (w *writer) end(c byte) { w.b = append(w.b, c) }

func (w *writer) int(name string, i int64) {
	w.open(name)
	w.b = strconv.AppendInt(w.b, i, 10)
}

func (w *writer) optional(name string, i *int64) {
	if i != nil {
		w.int(name, *i)
	}
}

func (w *writer) flag(name string, set bool) {
	if set {
		w.open(name)
		w.b = append(w.b, "true"...)
	}
}

func (w *writer) str(name, s string) {
	w.open(name)
	w.quote(s)
}

func (w *writer) some(name, s string) {
	if s != "" {
		w.str(name, s)
	}
}

// quote leaves to encoding/json what is not plain.
func (w *writer) quote(s string) {
	for i := range len(s) {
		if signsOf[s[i]]&escaped != 0 {
			w.other(s)
			return
		}
	}
	w.b = append(append(append(w.b, '"'), s...), '"')
}

// float writes short numbers itself; encoding/json writes long ones with an
// exponent, and refuses those that JSON does not have.
func (w *writer) float(name string, f float64) {
	w.open(name)
	if size := math.Abs(f); f != 0 && (size < 1e-6 || !(size < 1e21)) {
		w.other(f)
		return
	}
	w.b = strconv.AppendFloat(w.b, f, 'f', -1, 64)
}

func (w *writer) time(name string, t time.Time) {
	w.open(name)
	b, err := t.AppendText(append(w.b, '"'))
	if err != nil {
		w.err = err
		return
	}
	w.b = append(b, '"')
}

func (w *writer) other(v any) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		w.err = err
		return
	}
	w.b = append(w.b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

func array[T ~string](w *writer, name string, values []T) {
	w.open(name)
	if values == nil {
		w.b = append(w.b, "null"...)
		return
	}
	w.end('[')
	for _, v := range values {
		w.str("", string(v))
	}
	w.end(']')
}
