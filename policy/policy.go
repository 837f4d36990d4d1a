package policy

import (
	"context"
	"fmt"
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
	// Hints tell ClassOf what an answer of this backend means.
	Hints Hints

	// Operations are all operations of the contract, in the contract's order.
	Operations []*Operation
	// Unmatched is the plan of requests that match no operation.
	Unmatched *Operation

	exceptions []Exception
}

// UnmatchedID is the id of the pseudo-operation of requests that match no
// operation of the contract.
const UnmatchedID = "unmatched"

// Operation is one method and path template of the contract with its plan.
type Operation struct {
	ID, Method, Template string
	// Rules are in catalogue order; a control that is off has none.
	Rules []*Rule
	// In inspects request bodies, Out response bodies; nil inspects nothing.
	In, Out Inspector
	// HoldIn reports that a Body rule enforces, so that the body must be inspected
	// before it is forwarded.
	HoldIn bool
	// MaxIn is how many bytes of a request body are inspected; a longer body is
	// judged by in.size without being held.
	MaxIn int64
	// AnswersJSON reports that every declared success answer is JSON.
	AnswersJSON bool
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
	rules := p.Plan(r).Rules
	n := 0
	for _, rule := range rules {
		if rule.Phase == ph {
			n++
		}
	}
	if n == 0 {
		return Decision{}
	}
	findings := make([]Finding, 0, n)
	for _, rule := range rules {
		if rule.Phase != ph {
			continue
		}
		f := Finding{Rule: rule, Verdict: judge(ctx, rule.Check, r)}
		if !f.Verdict.Passes() {
			f.Exception = p.exception(rule.Control, r)
		}
		findings = append(findings, f)
	}
	return Decision{Findings: findings}
}

func judge(ctx context.Context, c Check, r *Request) (v Verdict) {
	defer func() {
		if p := recover(); p != nil {
			v = Undecided(InternalError, fmt.Errorf("check panicked: %T", p))
		}
	}()
	return c.Check(ctx, r)
}

func (p *Policy) exception(c Control, r *Request) string {
	for i := range p.exceptions {
		if p.exceptions[i].matches(c, p.Plan(r).ID, r) {
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
