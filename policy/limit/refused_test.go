package limit_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/limit"
	"github.com/sidewarden/sidewarden/policy/policytest"
	"github.com/sidewarden/sidewarden/ratelimit"
)

// refusing is a decision of one finding on a token.
func refusing(c policy.Control, v policy.Verdict, changes ...func(*policy.Finding)) policy.Decision {
	f := policy.Finding{Rule: &policy.Rule{Control: c, Mode: policy.Enforce}, Verdict: v}
	for _, change := range changes {
		change(&f)
	}
	return policy.Decision{Findings: []policy.Finding{f}}
}

// TestThreatARefusedTokenIsNotUsed sends a token in a request with a finding, then by its
// owner, from elsewhere, and then as at first.
func TestThreatARefusedTokenIsNotUsed(t *testing.T) {
	shadow := func(f *policy.Finding) { f.Rule.Mode = policy.Shadow }
	excepted := func(f *policy.Finding) { f.Exception = "e-1" }
	open := func(f *policy.Finding) { f.Rule.OnError = policy.Permit }
	unasked := policy.Undecided(policy.IntrospectionUnavailable, nil)
	for _, c := range []struct {
		name  string
		first policy.Decision
		used  bool
	}{
		{"a nonce is asked for", refusing(policy.TokBind, policy.Denied(policy.DPoPNonce, "")), false},
		{"a bound token as a bearer token", refusing(policy.TokBind, policy.Denied(policy.DPoPScheme, "")), false},
		{"the same in shadow", refusing(policy.TokBind, policy.Denied(policy.DPoPScheme, ""), shadow), false},
		{"nobody could tell whether it was revoked", refusing(policy.TokRevoked, unasked), false},
		{"the same in shadow, which could not tell", refusing(policy.TokRevoked, unasked, shadow), false},
		{"another audience", refusing(policy.TokAud, policy.Denied(policy.TokenAudience, "")), false},
		{"a denial that fails open is one", refusing(policy.TokAud, policy.Denied(policy.TokenAudience, ""), open), false},
		{"nothing objects", policy.Decision{}, true},
		{"all is well", refusing(policy.TokBind, policy.Permitted()), true},
		{"nothing is to be said", refusing(policy.TokBind, policy.Inapplicable()), true},
		{"an exception serves it", refusing(policy.TokBind, policy.Denied(policy.DPoPScheme, ""), excepted), true},
		{"insecure_fail_open serves it", refusing(policy.TokRevoked, unasked, open), true},
		{"the same in shadow, which serves it", refusing(policy.TokRevoked, unasked, open, shadow), true},
		{"a denied scope is no matter of the token", refusing(policy.AzScope, policy.Denied(policy.ScopeMissing, "")), true},
	} {
		for _, use := range []limit.TokenUse{single(9, enforced), senders(9)} {
			for _, elsewhere := range []bool{false, true} {
				u := use
				if u.Store = ratelimit.NewOnce(9); elsewhere {
					u.Store = &remote{Store: u.Store}
				}
				s := stage(t, limit.Options{Replay: []limit.TokenUse{u}})
				name := fmt.Sprintf("%s, %s, elsewhere %t", c.name, u.Space, elsewhere)
				again, spend := policy.Denied(policy.TokenReplayed, ""), func(d policy.Decision, from string) policy.Verdict {
					return s.Spend(t.Context(), request(peer(from)), d)[0]
				}
				if u.SameSender {
					again = policy.Denied(policy.TokenOtherSender, "")
				}
				assert.Equal(t, policy.Permitted(), spend(c.first, "198.51.100.1"), name)
				if c.used {
					assert.Equal(t, again, spend(policy.Decision{}, "192.0.2.1"), name)
					continue
				}
				assert.Equal(t, policy.Permitted(), spend(policy.Decision{}, "192.0.2.1"), name)
				assert.Equal(t, again, spend(c.first, "198.51.100.1"), "%s: a peek says whose it is", name)
				assert.Equal(t, again, spend(policy.Decision{}, "198.51.100.1"), name)
			}
		}
	}
}

// A token that is refused is counted like any other request.
func TestARefusedTokenIsLimitedAllTheSame(t *testing.T) {
	s := stage(t, limit.Options{
		Limits: []limit.Limit{{Name: "l", Key: []limit.Key{limit.Peer}, Limiter: limiter(t, 1, 1), Group: enforced}},
		Replay: []limit.TokenUse{single(9, enforced)},
	})
	nonce := refusing(policy.TokBind, policy.Denied(policy.DPoPNonce, ""))
	ok := policy.Permitted()
	assert.Equal(t, []policy.Verdict{ok, ok}, s.Spend(t.Context(), request(), nonce))
	assert.Equal(t, []policy.Verdict{exceeded("l", time.Second), ok}, s.Spend(t.Context(), request(), nonce))
	assert.Equal(t, []policy.Verdict{ok, ok}, s.Spend(t.Context(), request(after(time.Second)), policy.Decision{}))
}

func TestAnOpaqueTokenWithoutIDIsKnownByItself(t *testing.T) {
	handle := func(first byte) func(*policy.Request) {
		return func(r *policy.Request) {
			r.Auth.Token.ID, r.Auth.Token.Introspected, r.Auth.Token.Handle, r.Auth.Token.Fingerprint = "", true, true, [32]byte{first}
		}
	}
	named := func(r *policy.Request) { r.Auth.Token.ID = "jti-1" }
	signed := func(r *policy.Request) { r.Auth.Token.Handle = false }
	ok, replayed, missing := policy.Permitted(), policy.Denied(policy.TokenReplayed, ""), policy.Denied(policy.TokenIDMissing, "")
	for _, c := range []struct {
		name          string
		first, second *policy.Request
		wants         [2]policy.Verdict
	}{
		{"a second use", request(handle(1)), request(handle(1)), [2]policy.Verdict{ok, replayed}},
		{"another token", request(handle(1)), request(handle(2)), [2]policy.Verdict{ok, ok}},
		{"the same token of another issuer", request(handle(1)), request(handle(1), client("https://b.example", "app")), [2]policy.Verdict{ok, ok}},
		{"an id goes before what the token is", request(handle(1), named), request(handle(2), named), [2]policy.Verdict{ok, replayed}},
		{"a token is no id of its digest", request(handle('x')), request(token("x" + strings.Repeat("\x00", 31))), [2]policy.Verdict{ok, ok}},
		{"a signature can be written in two ways", request(handle(1), signed), request(handle(1), signed), [2]policy.Verdict{missing, missing}},
	} {
		s := stage(t, limit.Options{Replay: []limit.TokenUse{single(9, enforced)}})
		for i, r := range []*policy.Request{c.first, c.second} {
			r.Spent = s.Spend(t.Context(), r, policy.Decision{})
			assert.Equal(t, []policy.Verdict{c.wants[i]}, r.Spent, c.name)
			policytest.Run(t, limit.Replay{}, r)
		}
	}
}
