package audit

import (
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

const (
	maxAccounts = 64
	maxKeys     = 32
)

// builder makes one record.
type builder struct {
	*Recorder
	words *words
	r     *policy.Request
	o     policy.Outcome
	sieve sieve
	cut   bool
}

// minimal has what does not depend on the request's contents.
func (b *builder) minimal() *Record {
	r, o := b.r, b.o
	return &Record{
		V: Version, RecordID: ulid(r.Time), Time: r.Time.UTC().Round(0), DurationMS: millis(o.Elapsed),
		TraceID: mintTrace(), DecisionID: cut(printable(r.ID), maxText),
		Product: b.options.Product, Env: b.options.Environment,
		Instance: b.options.Instance, SidecarVersion: b.options.Version,
		Policy:       PolicyRef{Digest: cut(printable(o.Policy), maxText)},
		Op:           Op{ID: policy.UnmatchedID},
		HTTP:         HTTP{Method: method(r.Method), Version: version(r.Proto), RespBytes: o.Sent},
		Client:       Client{Status: o.Status},
		Account:      Account{Token: []string{}, Requested: []string{}},
		Auth:         Auth{Outcome: AuthError, Reason: policy.InternalError},
		Findings:     []Finding{},
		Disposition:  o.Disposition.String(),
		Be:           Backend{Status: o.BackendStatus, Class: class(o), LatencyMS: millis(o.Backend)},
		Observations: []Observation{},
		OverheadUS:   o.Overhead.Microseconds(),
		Redaction:    Redaction{Kid: b.options.Pseudonyms.KeyID(), Applied: []string{}, Errors: []string{"record"}},
	}
}

// build makes the whole record.
func (b *builder) build(d policy.Decision) *Record {
	rec := b.minimal()
	rec.Redaction.Errors = []string{}
	rec.Op = b.op()
	rec.HTTP = b.http(d)
	rec.Client.IP = network(b.r.Peer.Addr)
	rec.Be.Instance = b.sieve.name("be.instance", b.o.Instance, nil)
	b.trace(rec)
	b.identify(rec)
	rec.Auth = b.auth(d)
	b.judge(rec, d)
	for _, o := range policy.Classify(d, b.o) {
		rec.Observations = append(rec.Observations, Observation(o))
	}
	rec.Redaction.Applied = append(append(rec.Redaction.Applied, b.applied...), b.sieve.applied...)
	rec.Truncated = b.cut
	return rec
}

func (b *builder) trace(rec *Record) {
	// Two traceparent headers are as good as none (W3C Trace Context, section 3.2).
	if values := b.r.Header.Values("Traceparent"); len(values) == 1 {
		if trace, parent, ok := ParseTraceparent(values[0]); ok {
			rec.TraceID, rec.ParentSpanID = trace, parent
		}
	}
	if b.options.RequestIDHeader != "" {
		if id := b.r.Header.Get(b.options.RequestIDHeader); id != "" {
			rec.RequestID = b.sieve.name("request_id", id, b.known())
		}
	}
}

// known lists the identifiers and the credential of the request, which must not
// come back through a field that the client fills freely.
func (b *builder) known() []string {
	var known []string
	for _, v := range b.r.Header.Values(b.options.CredentialHeader) {
		known = append(known, v)
		if _, credential, ok := strings.Cut(v, " "); ok {
			known = append(known, strings.TrimSpace(credential))
		}
	}
	if t := b.r.Auth.Token; t != nil {
		known = append(append(known, t.ID, t.Claimed.Client, t.Claimed.Principal, t.Claimed.Actor), t.Claimed.Accounts...)
	}
	if id := b.r.Auth.Identity; id != nil {
		known = append(append(known, id.Client, id.Principal, id.Actor), id.Accounts...)
	}
	for _, p := range b.r.Match.Params {
		known = append(known, p.Value)
	}
	for _, s := range b.words.selectors {
		switch s.In {
		case "query":
			addPairs(b.r.Query, s.Name, func(v string) { known = append(known, v) })
		case "header":
			known = append(known, b.r.Header.Values(s.Name)...)
		}
	}
	for _, values := range b.r.Body.Selected {
		known = append(known, values...)
	}
	return known
}

func (b *builder) op() Op {
	op := b.r.Match.Operation
	if op == nil {
		return Op{ID: policy.UnmatchedID}
	}
	return Op{ID: b.sieve.text("op.id", op.ID, maxText), Template: b.sieve.text("op.template", op.Template, maxLong)}
}

// judge sorts the findings into the lists of the record.
func (b *builder) judge(rec *Record, d policy.Decision) {
	for _, f := range d.Findings {
		c := f.Rule.Control
		if f.Rule.Mode == policy.Enforce {
			rec.Enforced = append(rec.Enforced, c)
		}
		switch f.Verdict.Effect {
		case policy.Permit:
			rec.Permits = append(rec.Permits, c)
		case policy.NotApplicable:
			rec.NotApplicable = append(rec.NotApplicable, c)
		case policy.Deny, policy.Indeterminate:
			rec.Findings = append(rec.Findings, Finding{
				Control: c, Effect: f.Verdict.Effect.String(), Reason: f.Verdict.Reason,
				Detail: b.sieve.text("findings.detail", f.Verdict.Detail, 2*maxText),
				Mode:   f.Rule.Mode.String(), Exception: b.sieve.text("findings.exception", f.Exception, maxText),
				Cause: f.Verdict.Cause, FailedOpen: d.FailedOpen(f),
			})
		}
	}
}

func class(o policy.Outcome) policy.ResponseClass {
	if o.Class == "" {
		return policy.ClassNone
	}
	return o.Class
}

// network cuts an address so that it names a network and not a household.
func network(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	bits := 48
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil || !a.IsValid() {
		return ""
	}
	return p.Addr().String()
}

// millis has microseconds as its last digits.
func millis(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Microsecond)) / 1000
}
