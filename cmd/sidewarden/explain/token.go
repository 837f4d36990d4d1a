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
// it, is judged as missing.
func Token(ctx context.Context, text string, o Options) *Explanation {
	credential := o.Config.Credential
	value := text
	if credential.Scheme != "" {
		value = credential.Scheme + " " + text
	}
	r := &policy.Request{
		ID: "explained", Time: o.At, Method: http.MethodGet, Path: "/",
		Header: http.Header{http.CanonicalHeaderKey(credential.Header): {value}},
	}
	r.Auth = o.Output.Policy.Authenticator.Authenticate(ctx, r)
	p := *o.Output.Policy
	p.Unmatched = &policy.Operation{ID: policy.UnmatchedID, Rules: slices.DeleteFunc(slices.Clone(p.Unmatched.Rules), func(rule *policy.Rule) bool {
		return !strings.HasPrefix(string(rule.Control), "tok.") || rule.Phase != policy.HeadPhase
	})}
	v := newView(o, r)
	e := &Explanation{
		Policy: p.Digest, Time: o.At, Request: "none: a token alone", Operation: "none: what is said of the token wherever it is sent",
		Identity: v.identity(), Controls: v.controls(p.Evaluate(ctx, r, policy.HeadPhase)), Answers: []Answer{},
		Notes: append(v.unavailable(o.Output.Parts), v.masked()...),
	}
	for i := range e.Controls {
		c := &e.Controls[i]
		if passes := c.Effect == policy.Permit.String() || c.Effect == policy.NotApplicable.String(); !passes && c.Cause == "" {
			e.First, e.Objects = c.ID, true
			break
		}
	}
	return e
}
