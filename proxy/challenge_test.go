package proxy_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
)

// Bodies of all 401 answers are equal; the challenges follow RFC 6750 section 3 and
// RFC 9449 sections 7.1 and 9.
func TestChallenges(t *testing.T) {
	t.Parallel()
	algs := []string{"ES256", "EdDSA"}
	const ask = `DPoP algs="ES256 EdDSA"`
	const bad = `DPoP error="invalid_dpop_proof", algs="ES256 EdDSA"`
	const invalid = `DPoP error="invalid_token", algs="ES256 EdDSA"`
	proof := policy.Sender{DPoP: true}
	for _, c := range []struct {
		rule    string
		algs    []string
		sender  policy.Sender
		control policy.Control
		reason  policy.Reason
		want    []string
		nonce   string
	}{
		{"no credential", nil, policy.Sender{}, policy.TokPresent, policy.CredentialMissing, []string{"Bearer"}, ""},
		{"no credential, proofs are taken", algs, policy.Sender{}, policy.TokPresent, policy.CredentialMissing, []string{"Bearer", ask}, ""},
		{"another scheme", nil, policy.Sender{}, policy.TokPresent, policy.CredentialScheme, []string{`Bearer error="invalid_token"`}, ""},
		{"another scheme, proofs are taken", algs, policy.Sender{}, policy.TokPresent, policy.CredentialScheme, []string{`Bearer error="invalid_token"`, ask}, ""},
		{"a bad bearer token", algs, policy.Sender{}, policy.TokTime, policy.TokenExpired, []string{`Bearer error="invalid_token"`}, ""},
		{"a bad token with a proof", algs, proof, policy.TokTime, policy.TokenExpired, []string{invalid}, ""},
		{"a forged token with a proof", algs, proof, policy.TokSig, policy.TokenSignature, []string{invalid}, ""},
		{"a bad proof", algs, proof, policy.TokBind, policy.DPoPSignature, []string{bad}, ""},
		{"no proof", algs, proof, policy.TokBind, policy.DPoPMissing, []string{bad}, ""},
		{"a proof that was used", algs, proof, policy.TokBind, policy.DPoPReplayed, []string{bad}, ""},
		{"the proof of another", algs, proof, policy.TokBind, policy.DPoPMismatch, []string{bad}, ""},
		{"a bound token as bearer", algs, policy.Sender{}, policy.TokBind, policy.DPoPScheme, []string{invalid}, ""},
		{"a bound token as bearer, no proofs are taken", nil, policy.Sender{}, policy.TokBind, policy.DPoPScheme, []string{`Bearer error="invalid_token"`}, ""},
		{"an unbound token with a proof", algs, proof, policy.TokBind, policy.TokenUnbound, []string{invalid}, ""},
		{"an unbound token where it must be bound", algs, policy.Sender{}, policy.TokBind, policy.TokenUnbound, []string{`Bearer error="invalid_token"`}, ""},
		{
			"no nonce", algs,
			policy.Sender{DPoP: true, Nonce: "nonce-1"},
			policy.TokBind, policy.DPoPNonce,
			[]string{`DPoP error="use_dpop_nonce", algs="ES256 EdDSA"`},
			"nonce-1",
		},
		{"the scheme is configured, and proofs are not", nil, proof, policy.TokTime, policy.TokenExpired, []string{`DPoP error="invalid_token"`}, ""},
	} {
		rec := record(t)
		p := policyOf(stages{authenticate: func(*policy.Request) policy.Authentication {
			return policy.Authentication{Proof: policy.Permitted(), SentBy: &c.sender}
		}}, rule(c.control, policy.Denied(c.reason, "")))
		p.DPoP = c.algs
		resp := raw(t, start(t, p, rec.Addr).addr, get)
		assert.Equal(t, http.StatusUnauthorized, resp.StatusCode, c.rule)
		assert.Equal(t, c.want, resp.Header.Values("WWW-Authenticate"), c.rule)
		assert.Equal(t, c.nonce, resp.Header.Get("DPoP-Nonce"), c.rule)
		assert.JSONEq(t, `{"type":"about:blank","title":"Unauthorized","status":401}`, resp.body, c.rule)
		assert.Empty(t, rec.Requests(), c.rule)
	}
}

// Of what is missing besides a token, the answer names the scheme that came.
func TestScopeChallengeHasTheScheme(t *testing.T) {
	t.Parallel()
	rec := record(t)
	p := policyOf(stages{authenticate: func(*policy.Request) policy.Authentication {
		return policy.Authentication{Proof: policy.Permitted(), SentBy: &policy.Sender{DPoP: true}}
	}}, rule(policy.AzScope, policy.Denied(policy.ScopeMissing, "")))
	resp := raw(t, start(t, p, rec.Addr).addr, get)
	assert.Equal(t, http.StatusForbidden, resp.StatusCode)
	assert.Equal(t, `DPoP error="insufficient_scope"`, resp.Header.Get("WWW-Authenticate"))
}

// Nobody gets a nonce for another fault than that it is missing, nor from a shadow.
func TestNonceOnlyWhereItIsAskedFor(t *testing.T) {
	t.Parallel()
	auth := stages{authenticate: func(*policy.Request) policy.Authentication {
		return policy.Authentication{Proof: policy.Permitted(), SentBy: &policy.Sender{DPoP: true, Nonce: "nonce-1"}}
	}}
	rec := record(t)
	first := policyOf(auth, rule(policy.TokTime, policy.Denied(policy.TokenExpired, "")), rule(policy.TokBind, policy.Denied(policy.DPoPNonce, "")))
	assert.Empty(t, raw(t, start(t, first, rec.Addr).addr, get).Header.Values("DPoP-Nonce"))
	shadow := rule(policy.TokBind, policy.Denied(policy.DPoPNonce, ""))
	shadow.Mode = policy.Shadow
	resp := raw(t, start(t, policyOf(auth, shadow), rec.Addr).addr, get)
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	assert.Empty(t, resp.Header.Values("DPoP-Nonce"))
	assert.Len(t, rec.Requests(), 1)
}

// A client is asked for what is taken: the configured scheme, and nothing else but DPoP
// where proofs are taken.
func TestChallengesHaveTheConfiguredScheme(t *testing.T) {
	t.Parallel()
	algs := []string{"ES256"}
	for _, c := range []struct {
		scheme  string
		algs    []string
		control policy.Control
		reason  policy.Reason
		status  int
		want    []string
	}{
		{"Token", nil, policy.TokPresent, policy.CredentialMissing, 401, []string{"Token"}},
		{"Token", algs, policy.TokPresent, policy.CredentialMissing, 401, []string{"Token", `DPoP algs="ES256"`}},
		{"Token", nil, policy.TokSig, policy.TokenSignature, 401, []string{`Token error="invalid_token"`}},
		{"Token", algs, policy.TokPresent, policy.CredentialScheme, 401, []string{`Token error="invalid_token"`, `DPoP algs="ES256"`}},
		{"Token", nil, policy.AzScope, policy.ScopeMissing, 403, []string{`Token error="insufficient_scope"`}},
		{"DPoP", algs, policy.TokPresent, policy.CredentialMissing, 401, []string{`DPoP algs="ES256"`}},
		{"dpop", algs, policy.TokPresent, policy.CredentialScheme, 401, []string{`DPoP error="invalid_token", algs="ES256"`}},
		{"DPoP", nil, policy.TokPresent, policy.CredentialMissing, 401, []string{"DPoP"}},
		{"", nil, policy.TokPresent, policy.CredentialMissing, 401, []string{"Bearer"}},
	} {
		p := policyOf(stages{authenticate: func(*policy.Request) policy.Authentication {
			return policy.Authentication{Proof: policy.Permitted()}
		}}, rule(c.control, policy.Denied(c.reason, "")))
		p.Scheme, p.DPoP = c.scheme, c.algs
		resp := raw(t, start(t, p, record(t).Addr).addr, get)
		assert.Equal(t, c.status, resp.StatusCode, "%s %s", c.scheme, c.reason)
		assert.Equal(t, c.want, resp.Header.Values("WWW-Authenticate"), "%s %s", c.scheme, c.reason)
	}
}
