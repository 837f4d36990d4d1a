package policy_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
)

func TestMatchMissing(t *testing.T) {
	tests := []struct {
		rule    string
		match   policy.Match
		want    policy.Verdict
		missing bool
	}{
		{"a matched request misses nothing", policy.Match{Operation: &policy.Operation{}}, policy.Verdict{}, false},
		{"an unknown path is the fault of in.route", policy.Match{}, policy.UndecidedBy(policy.InRoute), true},
		{"an unknown method of a known path is the fault of in.method", policy.Match{Allow: []string{"GET"}}, policy.UndecidedBy(policy.InMethod), true},
		{"a matcher that could not decide leaves in.route undecided", policy.Match{Err: errors.New("too deep")}, policy.UndecidedBy(policy.InRoute), true},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			v, missing := tt.match.Missing()
			assert.Equal(t, tt.missing, missing)
			assert.Equal(t, tt.want, v)
		})
	}
}

func TestAuthenticationMissing(t *testing.T) {
	identity := &policy.Identity{Client: "shop"}
	tests := []struct {
		rule    string
		auth    policy.Authentication
		want    policy.Verdict
		missing bool
	}{
		{"a proven identity misses nothing", policy.Authentication{Proof: ok, Identity: identity}, policy.Verdict{}, false},
		{"a bad signature is the fault of tok.sig", policy.Authentication{Proof: policy.Denied(policy.TokenSignature, "")}, policy.UndecidedBy(policy.TokSig), true},
		{"an unavailable key set is the fault of tok.sig", policy.Authentication{Proof: maybe}, policy.UndecidedBy(policy.TokSig), true},
		{"an absent credential is the fault of tok.present", policy.Authentication{Proof: policy.UndecidedBy(policy.TokPresent)}, policy.UndecidedBy(policy.TokPresent), true},
		{"an unknown issuer is the fault of tok.iss", policy.Authentication{Proof: policy.UndecidedBy(policy.TokIss)}, policy.UndecidedBy(policy.TokIss), true},
		{"a claimed identity is none", policy.Authentication{Proof: policy.Denied(policy.TokenSignature, ""), Token: &policy.Token{Claimed: *identity}}, policy.UndecidedBy(policy.TokSig), true},
		{"a stage that did nothing proved nothing", policy.Authentication{}, policy.UndecidedBy(policy.TokSig), true},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			v, missing := tt.auth.Missing()
			assert.Equal(t, tt.missing, missing)
			assert.Equal(t, tt.want, v)
		})
	}
}

func TestDependentNamesTheRootCause(t *testing.T) {
	own := no.Dependent(policy.InSize)
	assert.Equal(t, policy.UndecidedBy(policy.InSize), own)
	assert.Equal(t, own, own.Dependent(policy.InWellformed), "not the link in between")
	assert.Equal(t, own, own.Dependent(policy.InWellformed).Dependent(policy.InSchema))
	assert.Equal(t, policy.UndecidedBy(policy.InSize), policy.Undecided(policy.NotInspected, errors.New("cut")).Dependent(policy.InSize))
}

func TestVerdicts(t *testing.T) {
	fault := errors.New("no key set")
	tests := []struct {
		rule   string
		got    policy.Verdict
		want   policy.Verdict
		passes bool
	}{
		{"nobody's verdict is undecided", policy.Verdict{}, policy.Verdict{Effect: policy.Indeterminate}, false},
		{"permitted", policy.Permitted(), policy.Verdict{Effect: policy.Permit}, true},
		{"inapplicable", policy.Inapplicable(), policy.Verdict{Effect: policy.NotApplicable}, true},
		{"denied", policy.Denied(policy.SchemaMismatch, "/name type"), policy.Verdict{Effect: policy.Deny, Reason: "schema-mismatch", Detail: "/name type"}, false},
		{"undecided", policy.Undecided(policy.KeySetUnavailable, fault), policy.Verdict{Effect: policy.Indeterminate, Reason: "key-set-unavailable", Err: fault}, false},
		{"undecided by another", policy.UndecidedBy(policy.TokSig), policy.Verdict{Effect: policy.Indeterminate, Reason: "prerequisite-failed", Cause: "tok.sig"}, false},
		{"a limit's denial", policy.Verdict{Effect: policy.Deny, RetryAfter: time.Second}, policy.Verdict{Effect: policy.Deny, RetryAfter: time.Second}, false},
		{"an effect that is none", policy.Verdict{Effect: 9}, policy.Verdict{Effect: 9}, false},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			assert.Equal(t, tt.want, tt.got)
			assert.Equal(t, tt.passes, tt.got.Passes())
		})
	}
}

func TestAnAccountIsOwnedAsAnExactString(t *testing.T) {
	id := &policy.Identity{Accounts: []string{"4711", "00815"}}
	for account, owns := range map[string]bool{
		"4711": true, "00815": true, "815": false, "4711 ": false, "4711.0": false, "": false,
	} {
		assert.Equal(t, owns, id.Owns(account), "%q", account)
	}
	assert.False(t, (&policy.Identity{}).Owns(""), "nobody's account is nobody's")
}

func TestARequestOfUnknownLengthHasABody(t *testing.T) {
	for size, has := range map[int64]bool{-1: true, 0: false, 1: true} {
		assert.Equal(t, has, (&policy.Request{Body: policy.Body{Size: size}}).HasBody(), "size %d", size)
	}
}

func TestWordsOfRecords(t *testing.T) {
	words := func(n uint8, word func(uint8) string) []string {
		var all []string
		for i := range n {
			all = append(all, word(i))
		}
		return all
	}
	assert.Equal(t, []string{"off", "shadow", "enforce", "invalid"},
		words(4, func(i uint8) string { return policy.Mode(i).String() }))
	assert.Equal(t, []string{"indeterminate", "permit", "deny", "not-applicable", "invalid"},
		words(5, func(i uint8) string { return policy.Effect(i).String() }))
	assert.Equal(t, []string{"head", "limit", "body", "response", "invalid"},
		words(5, func(i uint8) string { return policy.Phase(i).String() }))
	assert.Equal(t, []string{"failed", "allowed", "would-block", "excepted", "blocked", "invalid"},
		words(6, func(i uint8) string { return policy.Disposition(i).String() }))
}

func TestPreflightsAskAboutAnOperation(t *testing.T) {
	known := policy.Match{Allow: []string{"GET", "PUT"}}
	header := http.Header{"Origin": {"https://app.example"}, "Access-Control-Request-Method": {"PUT"}}
	tests := []struct {
		rule string
		r    policy.Request
		m    policy.Match
		want bool
	}{
		{"a preflight for what the path has", policy.Request{Method: "OPTIONS", Header: header}, known, true},
		{"a method that the path does not have", policy.Request{Method: "OPTIONS", Header: header}, policy.Match{Allow: []string{"GET"}}, false},
		{"an unknown path", policy.Request{Method: "OPTIONS", Header: header}, policy.Match{}, false},
		{"an OPTIONS that the contract has", policy.Request{Method: "OPTIONS", Header: header}, policy.Match{Operation: &policy.Operation{}}, false},
		{"another method", policy.Request{Method: "PUT", Header: header}, known, false},
		{"no origin", policy.Request{Method: "OPTIONS", Header: http.Header{"Access-Control-Request-Method": {"PUT"}}}, known, false},
		{"nothing asked for", policy.Request{Method: "OPTIONS", Header: http.Header{"Origin": {"https://app.example"}}}, known, false},
		{"a body", policy.Request{Method: "OPTIONS", Header: header, Body: policy.Body{Size: -1}}, known, false},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) { assert.Equal(t, tt.want, tt.m.Preflights(&tt.r)) })
	}
}
