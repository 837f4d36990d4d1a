package explain

import (
	"context"
	"crypto/x509"
	"net/netip"
	"slices"
	"time"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
	"github.com/sidewarden/sidewarden/proxy"
)

// Options are what a request is explained by.
type Options struct {
	Config *config.Config
	Output *compile.Output
	// Proxy has what serve makes its handler with; policy, observer, transport,
	// clock, ids, log and body timeout are replaced.
	Proxy  proxy.Options
	Bounds proxy.Bounds
	// Peer is the connected address that the request comes from; the zero value is the
	// loopback address.
	Peer netip.Addr
	// Certificates are the client certificate of the connection and those that came with
	// it, leaf first; nil for a connection without TLS.
	Certificates []*x509.Certificate
	// At is the time of the request.
	At time.Time
	// ShowValues shows what the request and its token bring.
	ShowValues bool
}

// Explanation is everything that is told of one decision.
type Explanation struct {
	// Policy is the digest of the policy that decided.
	Policy string    `json:"policy"`
	Time   time.Time `json:"time"`
	// Request and Operation say what was asked for.
	Request   string `json:"request"`
	Operation string `json:"operation"`
	// Source is the address of the client, and who says so; empty where nobody said from
	// where the request comes.
	Source string `json:"source,omitempty"`
	// Identity is who asks; empty when nobody proved to be anybody.
	Identity []Input `json:"identity"`
	// Controls are in order of the catalogue.
	Controls []Control `json:"controls"`
	// First is the first control that objects to a token alone; empty if none does.
	First policy.Control `json:"first_objection,omitempty"`
	// Answers are what is done with the request; none for a token alone.
	Answers []Answer `json:"answers"`
	// Notes are what the reader has to know.
	Notes []string `json:"notes"`
	// Objects reports that the policy says no, in whatever mode.
	Objects bool `json:"objects"`
}

// Control is the verdict of one control.
type Control struct {
	ID     policy.Control `json:"control"`
	Mode   string         `json:"mode"`
	Effect string         `json:"effect"`
	Reason policy.Reason  `json:"reason,omitempty"`
	Detail string         `json:"detail,omitempty"`
	// Cause is the control whose failure left this one undecided.
	Cause     policy.Control `json:"cause,omitempty"`
	Exception string         `json:"exception,omitempty"`
	// Set is where the mode is set: a place and field of the configuration.
	Set string `json:"set,omitempty"`
	// Inputs are what the control looked at.
	Inputs []Input `json:"inputs,omitempty"`
}

// Input is one thing that a control looked at.
type Input struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Answer is what is done with the request in some mode.
type Answer struct {
	Mode string `json:"mode"`
	// Disposition is allowed, would-block, excepted, blocked or failed.
	Disposition string `json:"disposition"`
	// Decides is the control that blocks or would block.
	Decides policy.Control `json:"decides,omitempty"`
	// Status, Header and Body are those of an answer of ours; 0 and empty when the
	// request is forwarded.
	Status int               `json:"status,omitempty"`
	Header map[string]string `json:"header,omitempty"`
	Body   string            `json:"body,omitempty"`
	// Stripped are the header fields that are taken away before it is forwarded.
	Stripped []string `json:"stripped_fields,omitempty"`
}

// Request explains one request.
func Request(ctx context.Context, m Message, o Options) (*Explanation, error) {
	p := *o.Output.Policy
	p.Authenticator, p.Spender = &proveOnce{authenticator: p.Authenticator}, &takeOnce{spender: p.Spender}
	var trials []trial
	for _, variant := range []*policy.Policy{&p, compile.InMode(&p, policy.Shadow), compile.InMode(&p, policy.Enforce)} {
		t, err := try(ctx, m, variant, o)
		if err != nil {
			return nil, err
		}
		trials = append(trials, t)
	}
	configured, shadow, enforced := trials[0], trials[1], trials[2]
	e := &Explanation{Policy: p.Digest, Time: o.At, Identity: []Input{}, Controls: []Control{}}
	switch {
	case shadow.request != nil && shadow.request.Method != "":
		v := newView(o, shadow.request)
		e.Request, e.Operation, e.Identity = v.request(), v.operation(), v.identity()
		if o.Peer.IsValid() {
			e.Source = v.source()
		}
		e.Controls = v.controls(shadow.decision)
		e.Notes = v.notes(o.Output.Parts)
	default:
		e.Request, e.Operation = "a message that is not read", policy.UnmatchedID
		if len(shadow.decision.Findings) > 0 {
			e.Controls = newView(o, shadow.request).controls(shadow.decision)
			e.Notes = []string{"The server can not read the message and refuses it in every mode, so that no other control looked at it."}
		} else {
			e.Notes = []string{"The message was refused before any control looked at it: a transport bound, in every mode."}
		}
	}
	shown := mask{o.ShowValues}
	e.Answers = []Answer{configured.answer("as configured", shown), shadow.answer("in shadow", shown), enforced.answer("in enforce", shown)}
	// What the policy says does not depend on the mode.
	e.Objects = !enforced.forwarded
	return e, nil
}

// answer tells what a trial came to.
func (t *trial) answer(mode string, shown mask) Answer {
	a := Answer{Mode: mode}
	blocking, blocks := t.decision.Blocking()
	switch {
	case t.forwarded:
		d := t.decision.Disposition()
		if d == policy.Blocked { // it was not: the body was judged beside the answer
			d = policy.WouldBlock
		}
		a.Disposition, a.Stripped = d.String(), shown.fieldNames(t.stripped)
		if f, objects := wouldBlock(t.decision); objects && d == policy.WouldBlock {
			a.Decides = f.Rule.Control
		}
		return a
	case blocks:
		a.Disposition, a.Decides = policy.Blocked.String(), blocking.Rule.Control
	default:
		a.Disposition = policy.Failed.String()
	}
	a.Status, a.Body = t.status, string(t.body)
	for _, name := range []string{"WWW-Authenticate", "Allow", "Retry-After", "Content-Type"} {
		if value := t.header.Get(name); value != "" {
			if a.Header == nil {
				a.Header = map[string]string{}
			}
			a.Header[name] = value
		}
	}
	return a
}

// wouldBlock returns the finding that blocks where every rule enforces.
func wouldBlock(d policy.Decision) (policy.Finding, bool) {
	all := policy.Decision{Findings: slices.Clone(d.Findings)}
	for i, f := range all.Findings {
		rule := *f.Rule
		rule.Mode = policy.Enforce
		all.Findings[i].Rule = &rule
	}
	return all.Blocking()
}
