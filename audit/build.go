package audit

import (
	"math"
	"net/netip"
	"slices"
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
	words     *words
	operation *operation // nil for an unmatched request
	r         *policy.Request
	o         policy.Outcome
	known     *regular // nil for a caller that is not remembered
	own       caller   // used then
	room      *room
	sieve     sieve
	cut       bool
}

// room is one record with what it alone points to, so that it is one piece of
// memory.
type room struct {
	rec  Record
	size int64
}

// minimal has what does not depend on the request's contents.
func (b *builder) minimal() *Record {
	rec := b.outcome()
	rec.RecordID, rec.TraceID = b.ids.New(b.r.Time), b.ids.trace()
	rec.Op = Op{ID: policy.UnmatchedID}
	rec.Account = Account{Token: []string{}, Requested: []string{}}
	rec.Auth = Auth{Outcome: AuthError, Reason: policy.InternalError}
	rec.Findings, rec.Observations = []Finding{}, []Observation{}
	rec.Redaction.Applied, rec.Redaction.Errors = []string{}, []string{"record"}
	return rec
}

// outcome begins a record with the facts of the outcome.
func (b *builder) outcome() *Record {
	r, o := b.r, &b.o
	b.room = &room{}
	rec := &b.room.rec
	rec.V, rec.Time, rec.DurationMS = Version, r.Time.UTC().Round(0), millis(o.Elapsed)
	rec.DecisionID = cut(printable(r.ID), maxText)
	rec.Product, rec.Env = b.options.Product, b.options.Environment
	rec.Instance, rec.SidecarVersion = b.options.Instance, b.options.Version
	rec.Policy.Digest = b.digest(o.Policy)
	rec.HTTP.Method, rec.HTTP.Version, rec.HTTP.RespBytes = method(r.Method), version(r.Proto), o.Sent
	rec.Client.Status = o.Status
	rec.Disposition = o.Disposition.String()
	rec.Be.Status, rec.Be.Class, rec.Be.LatencyMS = o.BackendStatus, class(o.Class), millis(o.Backend)
	rec.OverheadUS = o.Overhead.Microseconds()
	rec.Redaction.Kid = b.options.Pseudonyms.KeyID()
	return rec
}

// build makes the whole record.
func (b *builder) build(d policy.Decision) *Record {
	rec := b.outcome()
	if op := b.r.Match.Operation; op != nil {
		b.operation = b.words.operationOf(op)
	}
	b.meet()
	rec.Op = b.op()
	b.http(&rec.HTTP)
	rec.Client.TLS, rec.Be.TLS = b.peerHop(), b.backendHop()
	b.texts(rec)
	rec.Be.Instance = b.sieve.name("be.instance", b.o.Instance, false)
	b.trace(rec)
	b.identify(rec)
	b.judge(rec, d)
	rec.Observations = b.observations(rec, d)
	rec.Redaction.Applied = append(append([]string{}, b.applied...), b.sieve.applied...)
	rec.Redaction.Errors = []string{}
	rec.Truncated = b.cut
	return rec
}

// observations returns what the answer says about what did not pass: nothing, when
// everything did.
func (b *builder) observations(rec *Record, d policy.Decision) []Observation {
	if len(rec.Findings) == 0 {
		return []Observation{}
	}
	seen := policy.Classify(d, b.o)
	list := make([]Observation, len(seen))
	for i, o := range seen {
		list[i] = Observation(o)
	}
	return list
}

func (b *builder) trace(rec *Record) {
	rec.TraceID, rec.ParentSpanID = b.traceparent()
	if b.options.RequestIDHeader != "" {
		if ids := b.r.Header[b.options.RequestIDHeader]; len(ids) > 0 && ids[0] != "" {
			rec.RequestID = b.sieve.name("request_id", ids[0], b.tells(ids[0]))
		}
	}
}

// traceparent returns the ids of the request, or a trace id of our own. Two headers
// are as good as none (W3C Trace Context, section 3.2).
func (b *builder) traceparent() (trace, parent string) {
	if values := b.r.Header["Traceparent"]; len(values) == 1 {
		if trace, parent, ok := ParseTraceparent(values[0]); ok {
			return trace, parent
		}
	}
	return b.ids.trace(), ""
}

// texts makes what is another text in nearly every record, in one piece of memory.
func (b *builder) texts(rec *Record) {
	var some [2 * maxText]byte
	text := b.ids.append(some[:0], b.r.Time)
	text = appendNetwork(text, b.r.Peer.Addr)
	source := len(text)
	if b.r.Source != b.r.Peer.Addr {
		text = appendNetwork(text, b.r.Source)
	}
	path := len(text)
	inside := false
	if b.operation != nil {
		text = b.operation.fill(text, b.parameter)
		inside = b.operation.safe && len(text)-path <= maxLong
	}
	if !inside {
		rec.HTTP.Path, text = b.path(string(text[path:])), text[:path]
	}
	all := string(text)
	rec.RecordID, rec.Client.IP, rec.Client.Source = all[:idDigits], all[idDigits:source], all[source:path]
	if inside {
		rec.HTTP.Path = all[path:]
	}
}

// digest returns the name of a policy, which is mostly that of the last request.
func (b *builder) digest(name string) string {
	if last := b.words.digest.Load(); last != nil && *last == name {
		return *last
	}
	safe := cut(printable(name), maxText)
	if safe == name {
		kept := safe
		b.words.digest.Store(&kept)
	}
	return safe
}

// tells reports whether a text holds an identifier or the credential of the
// request, which must not come back through a field that the client fills freely.
func (b *builder) tells(value string) bool {
	if len(value) > maxLong {
		return false // it is replaced unread
	}
	t := textOf(value)
	for _, v := range b.r.Header[b.options.CredentialHeader] {
		_, credential, _ := strings.Cut(v, " ")
		if t.holds(v) || t.holds(strings.TrimSpace(credential)) {
			return true
		}
	}
	if b.holdsUntold(&t) || slices.ContainsFunc(b.r.Header["Dpop"], t.holds) {
		return true
	}
	if tok := b.r.Auth.Token; tok != nil && (t.holds(tok.ID) || t.holdsName(&tok.Claimed)) {
		return true
	}
	if id := b.r.Auth.Claimed; id != nil && t.holdsName(id) {
		return true
	}
	if id := b.r.Auth.Identity; id != nil && !b.byToken() && t.holdsName(id) {
		return true
	}
	if t.holdsValue(b.r.Match.Params, "") {
		return true
	}
	for i := range b.words.selectors {
		s := &b.words.selectors[i]
		if s.In == "query" && t.holdsValue(b.r.Query, s.Name) || s.In == "header" && slices.ContainsFunc(b.r.Header[s.Name], t.holds) {
			return true
		}
	}
	for _, values := range b.r.Body.Selected {
		if slices.ContainsFunc(values, t.holds) {
			return true
		}
	}
	return false
}

// holdsUntold looks for what stands in the headers of the gateway. An identity that
// was read from them is looked for as such; what nobody could read, or came in
// another spelling, is no less somebody's name.
func (b *builder) holdsUntold(t *text) bool {
	if len(b.words.untold) == 0 {
		return false
	}
	for name, values := range b.r.Header {
		if _, untold := b.words.untold[spelling(name)]; untold && slices.ContainsFunc(values, t.holdsElement) {
			return true
		}
	}
	return false
}

func (b *builder) op() Op {
	if b.operation == nil {
		return Op{ID: policy.UnmatchedID}
	}
	return Op{ID: b.sieve.word("op.id", b.operation.id), Template: b.sieve.word("op.template", b.operation.template)}
}

// judge sorts the findings into the lists of the record. A request that passes
// usually has the lists of the first one that did.
func (b *builder) judge(rec *Record, d policy.Decision) {
	var s *shape
	if b.operation != nil {
		if s = b.operation.passed.Load(); s.is(d) {
			rec.Findings = []Finding{}
			rec.Permits, rec.NotApplicable, rec.Enforced = s.permits, s.inapplicable, s.enforced
			rec.Auth = b.auth(s.proof)
			return
		}
	}
	proof := b.proof(d)
	rec.Auth = b.auth(proof)
	b.sort(rec, d)
	if b.operation != nil && s == nil && len(rec.Findings) == 0 {
		b.operation.passed.CompareAndSwap(nil, shapeOf(rec, d, proof))
	}
}

func (b *builder) sort(rec *Record, d policy.Decision) {
	b.lists(rec, d)
	for i := range d.Findings {
		f := &d.Findings[i]
		if echoes(d, i) {
			continue
		}
		c := f.Rule.Control
		rec.HTTP.PartiallyInspected = rec.HTTP.PartiallyInspected || f.Verdict.Reason == policy.NotInspected
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
				Mode:   f.Mode().String(), Exception: b.sieve.text("findings.exception", f.Exception, maxText),
				Cause: f.Verdict.Cause, FailedOpen: d.FailedOpen(*f),
			})
		}
	}
}

// echoes reports whether a finding says nothing beside an earlier one of its control: of
// one that judges the head and the body, the body had nothing to add.
func echoes(d policy.Decision, i int) bool {
	f := &d.Findings[i]
	return f.Verdict.Effect == policy.NotApplicable && slices.ContainsFunc(d.Findings[:i], func(earlier policy.Finding) bool {
		return earlier.Rule.Control == f.Rule.Control
	})
}

// lists makes the lists of the record as long as they will be, those of controls
// out of one piece.
func (b *builder) lists(rec *Record, d policy.Decision) {
	permits, inapplicable, enforced := 0, 0, 0
	for i := range d.Findings {
		f := &d.Findings[i]
		if echoes(d, i) {
			continue
		}
		if f.Rule.Mode == policy.Enforce {
			enforced++
		}
		switch f.Verdict.Effect {
		case policy.Permit:
			permits++
		case policy.NotApplicable:
			inapplicable++
		case policy.Deny, policy.Indeterminate:
		}
	}
	rec.Findings = make([]Finding, 0, len(d.Findings)-permits-inapplicable)
	all := make([]policy.Control, permits+inapplicable+enforced)
	cut := func(n int) []policy.Control {
		if n == 0 {
			return nil
		}
		list := all[:0:n]
		all = all[n:]
		return list
	}
	rec.Permits, rec.NotApplicable, rec.Enforced = cut(permits), cut(inapplicable), cut(enforced)
}

func class(c policy.ResponseClass) policy.ResponseClass {
	if c == "" {
		return policy.ClassNone
	}
	return c
}

// appendNetwork cuts an address so that it names a network and not a household.
func appendNetwork(dst []byte, a netip.Addr) []byte {
	a = a.Unmap().WithZone("")
	bits := 48
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil || !a.IsValid() {
		return dst
	}
	return p.Addr().AppendTo(dst)
}

// millis has microseconds as its last digits.
func millis(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Microsecond)) / 1000
}
