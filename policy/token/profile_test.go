package token_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// changedWorld is the standard world of one P-256 key with another issuer.
func changedWorld(t testing.TB, change func(*token.Issuer)) world {
	t.Helper()
	i := issuerWith(fileSet(t, issuerName, tokentest.JWKS(tokentest.EC()), "ES256"), "ES256")
	change(&i)
	return newWorld(t, i)
}

func TestThreatProfileRFC9068(t *testing.T) {
	w, ec := standardWorld(t), tokentest.EC()
	w.allPermit(t, bearer(ec.Token(claims(nil))))
	for _, row := range []struct {
		claim   string
		control policy.Control
		reason  policy.Reason
		detail  string
	}{
		{"client_id", policy.TokTyp, policy.TokenClaimMissing, "/client_id"},
		{"sub", policy.TokTyp, policy.TokenClaimMissing, "/sub"},
		{"jti", policy.TokTyp, policy.TokenClaimMissing, "/jti"},
		{"iat", policy.TokTTL, policy.TokenIssuedAtMissing, ""},
		{"exp", policy.TokTime, policy.ExpiryMissing, ""},
		{"aud", policy.TokAud, policy.AudienceMissing, ""},
		{"iss", policy.TokIss, policy.IssuerMissing, ""},
	} {
		t.Run(row.claim, func(t *testing.T) {
			r := bearer(ec.Token(claims(map[string]any{row.claim: nil})))
			assert.Equal(t, row.detail, w.onlyDenied(t, r, row.control, row.reason).Detail)
			assert.Equal(t, []string{row.claim, "nbf"}, r.Auth.Token.Missing)
		})
	}
	for _, row := range []struct {
		claim string
		value any
	}{{"sub", json("null")}, {"client_id", json("null")}, {"sub", ""}, {"client_id", ""}, {"jti", ""}} {
		r := bearer(ec.Token(claims(map[string]any{row.claim: row.value})))
		assert.Equal(t, "/"+row.claim, w.onlyDenied(t, r, policy.TokTyp, policy.TokenClaimMissing).Detail)
	}
}

func TestThreatProfileJWTRefusesOtherPurposes(t *testing.T) {
	w := changedWorld(t, func(i *token.Issuer) { i.Profile, i.Types = token.ProfileJWT, []string{"at+jwt", "JWT"} })
	ec := tokentest.EC()
	sparse := map[string]any{"iss": issuerName, "aud": audience, "iat": epoch.Unix(), "exp": epoch.Add(time.Hour).Unix()}
	for _, typ := range []any{"JWT", "at+jwt", "application/jwt", nil} {
		w.allPermit(t, bearer(ec.Mint(tokentest.Spec{Header: map[string]any{"typ": typ}, Claims: sparse})))
	}
	w.allPermit(t, bearer(ec.Token(claims(map[string]any{"token_use": "access"}))))
	for _, row := range []struct {
		name string
		spec tokentest.Spec
		want policy.Verdict
	}{
		{"another type", tokentest.Spec{Header: map[string]any{"typ": "dpop+jwt"}, Claims: claims(nil)}, policy.Denied(policy.TokenType, "")},
		{"an ID token by its nonce", tokentest.Spec{Claims: claims(map[string]any{"nonce": "n"})}, policy.Denied(policy.TokenPurpose, "/nonce")},
		{"an ID token by its at_hash", tokentest.Spec{Claims: claims(map[string]any{"at_hash": "h"})}, policy.Denied(policy.TokenPurpose, "/at_hash")},
		{"an ID token by its c_hash", tokentest.Spec{Claims: claims(map[string]any{"c_hash": "h"})}, policy.Denied(policy.TokenPurpose, "/c_hash")},
		{"an ID token by its token_use", tokentest.Spec{Claims: claims(map[string]any{"token_use": "id"})}, policy.Denied(policy.TokenPurpose, "/token_use")},
		{"a token_use that is no string", tokentest.Spec{Claims: claims(map[string]any{"token_use": []string{"access"}})}, policy.Denied(policy.TokenPurpose, "/token_use")},
		{"a logout token", tokentest.Spec{Claims: claims(map[string]any{"events": map[string]any{}})}, policy.Denied(policy.TokenPurpose, "/events")},
		{"a DPoP proof", tokentest.Spec{Claims: claims(map[string]any{"htm": "GET"})}, policy.Denied(policy.TokenPurpose, "/htm")},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := w.onlyDenied(t, bearer(ec.Mint(row.spec)), policy.TokTyp, row.want.Reason)
			assert.Equal(t, row.want, v)
		})
	}
}

func TestThreatAccountOutsideTheNamespaceOfItsIssuer(t *testing.T) {
	w := changedWorld(t, func(i *token.Issuer) { i.Namespace = []string{"eu-", "uk-"} })
	ec := tokentest.EC()
	for _, row := range []struct {
		name     string
		accounts any
		own      []string
		foreign  bool
	}{
		{"inside", []string{"eu-1", "uk-2"}, []string{"eu-1", "uk-2"}, false},
		{"one outside", []string{"eu-1", "us-2"}, []string{"eu-1"}, true},
		{"all outside", "us-2", []string{}, true},
		{"a prefix of the beginning", "eu", []string{}, true},
		{"another case", "EU-1", []string{}, true},
		{"a number", 17, []string{}, true},
		{"none", nil, nil, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := bearer(ec.Token(claims(map[string]any{"account_id": row.accounts})))
			if row.foreign {
				w.onlyDenied(t, r, policy.TokIss, policy.AccountNamespace)
			} else {
				w.allPermit(t, r)
			}
			assert.Equal(t, row.own, r.Auth.Identity.Accounts)
		})
	}
	standardWorld(t).allPermit(t, bearer(ec.Token(claims(map[string]any{"account_id": "us-2"}))))
}

func TestAccountsAsObjects(t *testing.T) {
	w := changedWorld(t, func(i *token.Issuer) { i.Claims.AccountMember = "/account/id" })
	for _, row := range []struct {
		name, value string
		want        []string
	}{
		{"an array", `[{"account":{"id":"a-1"},"role":"owner"},{"account":{"id":17}}]`, []string{"a-1", "17"}},
		{"one", `{"account":{"id":"a-1"}}`, []string{"a-1"}},
		{"beside strings", `["a-1",{"account":{"id":"a-2"}}]`, []string{"a-1", "a-2"}},
		{"an empty one names nothing", `[{"account":{"id":""}}]`, []string{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := w.authenticate(t, bearer(tokentest.EC().Token(claims(map[string]any{"account_id": json(row.value)}))))
			require.NotNil(t, a.Identity)
			assert.Equal(t, row.want, a.Identity.Accounts)
		})
	}
	for name, value := range map[string]string{
		"the member is missing":      `[{"account":{"id":"a-1"}},{"role":"owner"}]`,
		"the member is an object":    `[{"account":{"id":{}}}]`,
		"the member is a list":       `[{"account":{"id":["a-1"]}}]`,
		"a list within the list":     `[[{"account":{"id":"a-1"}}]]`,
		"the member is truth itself": `{"account":{"id":true}}`,
	} {
		t.Run(name, func(t *testing.T) {
			r := bearer(tokentest.EC().Token(claims(map[string]any{"account_id": json(value)})))
			assert.Equal(t, "/account_id", w.onlyDenied(t, r, policy.TokSig, policy.TokenMalformed).Detail)
		})
	}
}

func TestActorsAreFactsApart(t *testing.T) {
	w := standardWorld(t)
	for _, row := range []struct {
		name, act, current string
		prior              []string
	}{
		{"one", `{"sub":"robot"}`, "robot", nil},
		{"nested", `{"sub":"robot","act":{"sub":"gateway","act":{"sub":"portal"}}}`, "robot", []string{"gateway", "portal"}},
		{"a prior one without a name", `{"sub":"robot","act":{"iss":"x"}}`, "robot", []string{""}},
		{"null", `null`, "", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := w.authenticate(t, bearer(tokentest.EC().Token(claims(map[string]any{"act": json(row.act)}))))
			require.NotNil(t, a.Identity)
			assert.Equal(t, row.current, a.Identity.Actor)
			assert.Equal(t, row.prior, a.Token.PriorActors)
			assert.Equal(t, "subject-1", a.Identity.Principal)
			assert.Equal(t, "client-1", a.Identity.Client)
		})
	}
}

func TestSkewAndLifetimeAreOfTheIssuer(t *testing.T) {
	const second = "https://second.example.net"
	keys := tokentest.JWKS(tokentest.EC())
	one := issuerWith(fileSet(t, issuerName, keys, "ES256"), "ES256")
	two := issuerWith(fileSet(t, second, keys, "ES256"), "ES256")
	two.Issuer, two.Skew, two.MaxLifetime = second, 0, time.Minute
	w, ec := newWorld(t, one, two), tokentest.EC()
	at := func(iss string, iat, exp time.Duration) *policy.Request {
		return bearer(ec.Token(claims(map[string]any{"iss": iss, "iat": epoch.Add(iat).Unix(), "exp": epoch.Add(exp).Unix()})))
	}
	w.allPermit(t, at(issuerName, -time.Minute, -time.Second))
	w.onlyDenied(t, at(second, -time.Minute, -time.Second), policy.TokTime, policy.TokenExpired)
	w.onlyDenied(t, at(second, time.Second, time.Minute), policy.TokTime, policy.TokenIssuedInFuture)
	w.allPermit(t, at(issuerName, 0, 2*time.Minute))
	w.onlyDenied(t, at(second, 0, 2*time.Minute), policy.TokTTL, policy.TokenLifetime)
	w.allPermit(t, at(second, 0, time.Minute))
}
