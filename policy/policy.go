package policy

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Policy is the compiled, immutable set of rules of one product. Compile makes
// it; after that nobody changes it, so it is safe for concurrent use.
type Policy struct {
	// Digest names this policy: "sha256:" and 64 hexadecimal digits of the
	// effective configuration and contract.
	Digest string

	Matcher       Matcher
	Authenticator Authenticator
	Spender       Spender
	// Sourcer tells where a request came from; nil takes the peer for the client.
	Sourcer Sourcer
	// Introducer tells the backend who the caller is; nil tells nothing.
	Introducer Introducer
	// Hints tell ClassOf what an answer of this backend means.
	Hints Hints
	// Scheme is the authentication scheme of tokens (RFC 9110 section 11.1) that answers
	// name; empty means Bearer.
	Scheme string
	// DPoP lists the algorithms of proofs (RFC 9449) that answers name; empty where no
	// token may come with the scheme DPoP.
	DPoP []string

	// Operations are all operations of the contract, in the contract's order.
	Operations []*Operation
	// Unmatched is the plan of requests that match no operation.
	Unmatched *Operation
	// Health are the plans of health checks, which have the id HealthID and no rule.
	Health []*Operation

	exceptions []Exception
}

// UnmatchedID is the id of the pseudo-operation of requests that match no
// operation of the contract.
const UnmatchedID = "unmatched"

// HealthID is the id of the pseudo-operation of health checks of the backend, which
// are forwarded without being judged.
const HealthID = "health-check"

// Operation is one method and path template of the contract with its plan.
type Operation struct {
	ID, Method, Template string
	// Aliases are the further templates under which it is served, where the servers
	// of the contract have several paths.
	Aliases []string
	// Head reports that a HEAD request is judged as this operation, whose method is
	// GET (RFC 9110, section 9.3.2).
	Head bool
	// Deprecated reports that the contract says that it should no longer be used.
	Deprecated bool
	// Rules are in catalogue order; a control that is off has none.
	Rules []*Rule
	// In inspects request bodies, Out response bodies; nil inspects nothing.
	In, Out Inspector
	// HoldIn reports that a Body rule enforces, so that the body must be inspected
	// before it is forwarded.
	HoldIn bool
	// Paced reports that a rule enforces, so that a body that is not held has to keep the
	// pace of those that are.
	Paced bool
	// MaxIn is how many bytes of a request body are inspected; a longer body is
	// judged by in.size without being held.
	MaxIn int64
	// Upgrade lists the protocols that a request of the operation may turn its connection
	// into (RFC 9110 section 7.8).
	Upgrade []string
	// Strip names header fields that are taken away before a request is forwarded; nil
	// takes none away. It is set where in.hdr enforces.
	Strip Stripper
	// HoldOut reports that a Response rule enforces, so that the answer must be
	// inspected before it is forwarded.
	HoldOut bool
	// MaxOut is how many bytes of an answer are inspected; a longer one is judged by
	// out.size without being held. Zero where no Response rule judges.
	MaxOut int64
	// AnswersJSON reports that every declared success answer is JSON.
	AnswersJSON bool
}

// Places returns the operation once for each template under which it is served, the
// first being o itself. They share the plan.
func (o *Operation) Places() []*Operation {
	all := []*Operation{o}
	for _, template := range o.Aliases {
		place := *o
		place.Template, place.Aliases = template, nil
		all = append(all, &place)
	}
	return all
}

// Rule is a check bound to a mode and an error behaviour.
type Rule struct {
	Control Control
	Phase   Phase
	Mode    Mode
	// OnError is Permit for a control under insecure_fail_open and Indeterminate,
	// the zero value, for every other one.
	OnError Effect
	Check   Check
	// Reports are reasons for which a denial never stops a request, whatever the mode:
	// it is a finding like any other, and that is all. Nil reports none.
	Reports []Reason
	// Spared reports the requests to which the control does not apply, whatever the
	// check would say; nil spares none.
	Spared func(*Request) bool
}

// Exception lets findings of one control through until a time. Empty selectors
// match everything; issuer and client match only a proven identity.
type Exception struct {
	ID                        string
	Control                   Control
	Operation, Issuer, Client string
	Until                     time.Time
}

// WithExceptions returns a copy of the policy under which the exceptions e, and
// no others, apply.
func (p *Policy) WithExceptions(e []Exception) *Policy {
	next := *p
	next.exceptions = append([]Exception(nil), e...)
	return &next
}

// Plan returns the operation whose rules apply to the request.
func (p *Policy) Plan(r *Request) *Operation {
	if r.Match.Operation != nil {
		return r.Match.Operation
	}
	return p.Unmatched
}

// Evaluate runs every rule of a phase. It does not stop at a denial: each control
// has its own verdict, and what blocks is decided later, by Blocking alone.
func (p *Policy) Evaluate(ctx context.Context, r *Request, ph Phase) Decision {
	return p.Extend(ctx, r, Decision{}, ph)
}

// Extend evaluates a later phase and returns the decision with its findings added.
// It says what Evaluate and With say together; the findings of all phases share
// one list that is as long as the plan has rules. The decision d itself never
// changes, also when it is extended a second time. Decisions of one request are
// extended by one goroutine at a time.
func (p *Policy) Extend(ctx context.Context, r *Request, d Decision, ph Phase) Decision {
	plan := p.Plan(r)
	n := count(plan.Rules, ph)
	if n == 0 {
		return d
	}
	known := len(d.Findings)
	all := d.extensible(known+n, len(plan.Rules))
	added := all[known:]
	place(added, plan.Rules, ph)
	for next := 0; next < len(added); {
		next = judge(ctx, r, added, next)
	}
	if len(p.exceptions) > 0 {
		for i := range added {
			if f := &added[i]; !f.Verdict.Passes() {
				f.Exception = p.exception(f.Rule.Control, plan.ID, r)
			}
		}
	}
	return Decision{Findings: slices.Clip(all), list: all}
}

// count returns how many rules are of a phase.
func count(rules []*Rule, ph Phase) int {
	n := 0
	for _, rule := range rules {
		if rule.Phase == ph {
			n++
		}
	}
	return n
}

// place gives the findings their rules, which are as many as are of the phase.
func place(findings []Finding, rules []*Rule, ph Phase) {
	for _, rule := range rules {
		if len(findings) == 0 {
			return
		}
		if rule.Phase == ph {
			findings[0].Rule = rule
			findings = findings[1:]
		}
	}
}

// judge fills in the verdicts from one finding on and returns the first that is
// left. That is one behind a check that panicked, whose verdict says so: it recovers
// once per call and not per check, because recovering costs as much as a check.
func judge(ctx context.Context, r *Request, findings []Finding, from int) (next int) {
	defer func() {
		if p := recover(); p != nil {
			findings[next].Verdict = Undecided(InternalError, fmt.Errorf("check panicked: %T", p))
			next++
		}
	}()
	for i := from; i < len(findings); i++ {
		next = i
		f := &findings[i]
		rule := f.Rule
		if rule.Spared != nil && rule.Spared(r) {
			f.Verdict.Effect = NotApplicable
			continue
		}
		// Most verdicts are nothing but their effect. The other fields are zero already
		// and need no write, of which the collector would have to learn.
		if v := rule.Check.Check(ctx, r); v.plain() {
			f.Verdict.Effect = v.Effect
		} else {
			f.Verdict = v
		}
	}
	return len(findings)
}

func (p *Policy) exception(c Control, operation string, r *Request) string {
	for i := range p.exceptions {
		if p.exceptions[i].matches(c, operation, r) {
			return p.exceptions[i].ID
		}
	}
	return ""
}

func (e *Exception) matches(c Control, operation string, r *Request) bool {
	if e.Control != c || !r.Time.Before(e.Until) {
		return false
	}
	if e.Operation != "" && e.Operation != operation {
		return false
	}
	if e.Issuer == "" && e.Client == "" {
		return true
	}
	id := r.Auth.Identity
	return id != nil && (e.Issuer == "" || e.Issuer == id.Issuer) && (e.Client == "" || e.Client == id.Client)
}
