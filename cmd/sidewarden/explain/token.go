package explain

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// MaxToken bounds a token file in bytes: more than any token that is read.
const MaxToken = 64 << 10

// Token explains a token alone: what every control of the head that judges credentials
// says of it, wherever it is sent. What needs a request, such as a proof of who sends
// it, is judged as missing, and is no objection to the token.
func Token(ctx context.Context, text string, o Options) *Explanation {
	r := sent(ctx, text, o)
	p := *o.Output.Policy
	p.Unmatched = &policy.Operation{ID: policy.UnmatchedID, Rules: slices.DeleteFunc(slices.Clone(p.Unmatched.Rules), func(rule *policy.Rule) bool {
		return !strings.HasPrefix(string(rule.Control), "tok.") || rule.Phase != policy.HeadPhase
	})}
	v := newView(o, r)
	e := &Explanation{
		Policy: p.Digest, Time: o.At, Request: "none: a token alone", Operation: "none: what is said of the token wherever it is sent",
		Identity: v.identity(), Controls: v.controls(p.Evaluate(ctx, r, policy.HeadPhase)), Answers: []Answer{},
		Notes: v.unavailable(o.Output.Parts),
	}
	for i := range e.Controls {
		c := &e.Controls[i]
		if passes := c.Effect == policy.Permit.String() || c.Effect == policy.NotApplicable.String(); passes || c.Cause != "" {
			continue
		}
		if c.ID == policy.TokBind {
			if proofs := v.besides(c.Reason); proofs != "" {
				e.Notes = append(e.Notes, "A request brings with this token "+proofs+". A token alone does not, so tok.bind is no objection to it.")
				continue
			}
		}
		e.First, e.Objects = c.ID, true
		break
	}
	e.Notes = append(e.Notes, v.masked()...)
	return e
}

// sent returns the request that carries the token and nothing else. A token that is
// bound to a key comes with the scheme DPoP where that is taken: with any other, it
// would be the scheme that is objected to.
func sent(ctx context.Context, text string, o Options) *policy.Request {
	with := func(scheme string) *policy.Request {
		r := &policy.Request{
			ID: "explained", Time: o.At, Method: http.MethodGet, Path: "/",
			Header: http.Header{http.CanonicalHeaderKey(o.Config.Credential.Header): {strings.TrimPrefix(scheme+" "+text, " ")}},
		}
		r.Auth = o.Output.Policy.Authenticator.Authenticate(ctx, r)
		return r
	}
	r := with(o.Config.Credential.Scheme)
	if t := r.Auth.Token; t != nil && t.Confirmation.Key != "" && o.Config.Token.DPoP != nil {
		return with("DPoP")
	}
	return r
}
