package token_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

func TestIdentityByPointer(t *testing.T) {
	i := issuerWith(fileSet(t, issuerName, tokentest.JWKS(tokentest.EC()), "ES256"), "ES256")
	i.Claims = token.Claims{Client: "/azp", Principal: "/user/a~1b/m~0n", Actor: "/act/sub", Accounts: "/ext/accounts", Scopes: "/scp"}
	w := newWorld(t, i)
	for _, row := range []struct {
		name, claims string
		want         policy.Identity
	}{
		{"all", `"azp":"c","user":{"a/b":{"m~n":"p"}},"act":{"sub":"x"},"ext":{"accounts":["1","2"]},"scp":["r","w"]`, policy.Identity{Client: "c", Principal: "p", Actor: "x", Accounts: []string{"1", "2"}, Scopes: []string{"r", "w"}}},
		{"none", `"x":1`, policy.Identity{}},
		{"null asserts nothing", `"azp":null,"act":null,"ext":{"accounts":null},"scp":null`, policy.Identity{}},
		{"a pointer into a string", `"user":"x"`, policy.Identity{}},
		{"a pointer into a list", `"ext":[{"accounts":"x"}]`, policy.Identity{}},
		{"escapes are decoded", `"\u0061zp":"\u0063"`, policy.Identity{Client: "c"}},
		{"one account", `"ext":{"accounts":"1"}`, policy.Identity{Accounts: []string{"1"}}},
		{"a number is its text", `"ext":{"accounts":12345678901234567890}`, policy.Identity{Accounts: []string{"12345678901234567890"}}},
		{"numbers in a list are their text", `"ext":{"accounts":[1.50,1e3,"x"]}`, policy.Identity{Accounts: []string{"1.50", "1e3", "x"}}},
		{"an account is not split", `"ext":{"accounts":"1 2,3"}`, policy.Identity{Accounts: []string{"1 2,3"}}},
		{"empty accounts name nothing", `"ext":{"accounts":["","1"]}`, policy.Identity{Accounts: []string{"1"}}},
		{"an empty account names nothing", `"ext":{"accounts":""}`, policy.Identity{Accounts: []string{}}},
		{"scopes are split at spaces alone", `"scp":" a  b\tc "`, policy.Identity{Scopes: []string{"a", "b\tc"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := w.authenticate(t, bearer(tokentest.EC().Mint(tokentest.Spec{ClaimsJSON: `{"iss":"` + issuerName + `",` + row.claims + `}`})))
			require.Equal(t, policy.Permitted(), a.Proof)
			row.want.Issuer = issuerName
			assert.Equal(t, row.want, *a.Identity)
		})
	}
	for _, row := range []struct{ name, claims, pointer string }{
		{"client is a number", `"azp":1`, "/azp"},
		{"principal is an object", `"user":{"a/b":{"m~n":{}}}`, "/user/a~1b/m~0n"},
		{"actor is a list", `"act":{"sub":["x"]}`, "/act/sub"},
		{"act is a string", `"act":"x"`, "/act"},
		{"act is a list", `"act":[{"sub":"x"}]`, "/act"},
		{"a prior actor is a string", `"act":{"sub":"x","act":"y"}`, "/act"},
		{"the name of a prior actor is a number", `"act":{"sub":"x","act":{"sub":1}}`, "/act"},
		{"more actors than anybody has", `"act":` + strings.Repeat(`{"sub":"x","act":`, 8) + `{}` + strings.Repeat(`}`, 8), "/act"},
		{"account is an object", `"ext":{"accounts":{"id":"1"}}`, "/ext/accounts"},
		{"account is a truth value", `"ext":{"accounts":true}`, "/ext/accounts"},
		{"an account in a list is null", `"ext":{"accounts":["1",null]}`, "/ext/accounts"},
		{"an account in a list is a list", `"ext":{"accounts":[["1"]]}`, "/ext/accounts"},
		{"scope is a number", `"scp":1`, "/scp"},
		{"a scope in a list is a number", `"scp":["a",1]`, "/scp"},
		{"token id is a number", `"jti":1`, "/jti"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := bearer(tokentest.EC().Mint(tokentest.Spec{ClaimsJSON: `{"iss":"` + issuerName + `",` + row.claims + `}`}))
			v := w.onlyDenied(t, r, policy.TokSig, policy.TokenMalformed)
			assert.Equal(t, row.pointer, v.Detail)
			assert.Equal(t, issuerName, r.Auth.Token.Claimed.Issuer, "the other claims are kept")
		})
	}
}

func TestThreatScopeStringAndArrayGiveTheSameIdentity(t *testing.T) {
	w := standardWorld(t)
	text := w.authenticate(t, bearer(tokentest.EC().Token(claims(map[string]any{"scope": "read read-all"}))))
	list := w.authenticate(t, bearer(tokentest.EC().Token(claims(map[string]any{"scope": []string{"read", "read-all"}}))))
	assert.Equal(t, []string{"read", "read-all"}, text.Identity.Scopes)
	assert.Equal(t, text.Identity, list.Identity)
}

func TestFactsAreKeptAsClaimed(t *testing.T) {
	w := standardWorld(t)
	for _, row := range []struct {
		name string
		spec tokentest.Spec
		want policy.Identity
		kid  string
	}{
		{"bad signature", tokentest.Spec{Claims: claims(nil), Fault: tokentest.FlippedBit}, policy.Identity{Issuer: issuerName, Client: "client-1", Principal: "subject-1", Accounts: []string{"acct-1"}, Scopes: []string{"read", "write"}}, "ec-1"},
		{"refused header", tokentest.Spec{Header: map[string]any{"crit": []string{}}, Claims: claims(nil)}, policy.Identity{Issuer: issuerName, Client: "client-1", Principal: "subject-1", Accounts: []string{"acct-1"}, Scopes: []string{"read", "write"}}, "ec-1"},
		{"unreadable header", tokentest.Spec{HeaderJSON: "{", Claims: claims(nil)}, policy.Identity{Issuer: issuerName, Client: "client-1", Principal: "subject-1", Accounts: []string{"acct-1"}, Scopes: []string{"read", "write"}}, ""},
		{"unknown issuer", tokentest.Spec{Claims: claims(map[string]any{"iss": "https://other.example.net"})}, policy.Identity{Issuer: "https://other.example.net"}, "ec-1"},
		{"unreadable claims", tokentest.Spec{ClaimsJSON: "{"}, policy.Identity{}, "ec-1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := w.authenticate(t, bearer(tokentest.EC().Mint(row.spec)))
			require.NotNil(t, a.Token)
			assert.Equal(t, row.want, a.Token.Claimed)
			assert.Equal(t, row.kid, a.Token.KeyID)
			assert.NotZero(t, a.Token.Fingerprint)
		})
	}
	assert.Nil(t, w.authenticate(t, bearer(tokentest.EC().Mint(tokentest.Spec{HeaderJSON: "{", ClaimsJSON: "{"}))).Token)
}

func TestTokenFacts(t *testing.T) {
	a := standardWorld(t).authenticate(t, bearer(tokentest.EC().Token(claims(map[string]any{"nbf": epoch.Unix()}))))
	require.NotNil(t, a.Token)
	assert.Equal(t, "ES256", a.Token.Algorithm)
	assert.Equal(t, "ec-1", a.Token.KeyID)
	assert.Equal(t, "at+jwt", a.Token.Type)
	assert.Equal(t, "id-1", a.Token.ID)
	assert.Equal(t, []string{audience}, a.Token.Audience)
	assert.Equal(t, epoch, a.Token.IssuedAt)
	assert.Equal(t, epoch, a.Token.NotBefore)
	assert.Equal(t, int64(3600), a.Token.Expires.Unix()-epoch.Unix())
	assert.Same(t, &a.Token.Claimed, a.Identity)
}

func TestChecksWithoutToken(t *testing.T) {
	w := standardWorld(t)
	// An identity that came from elsewhere has no token to judge.
	r := &policy.Request{Time: epoch, Auth: policy.Authentication{Proof: policy.Permitted(), Identity: &policy.Identity{Issuer: issuerName}}}
	for _, c := range w.checks {
		v := c.Check.Check(t.Context(), r)
		if slices.Contains([]policy.Control{policy.TokTyp, policy.TokAud, policy.TokTime, policy.TokTTL, policy.TokBind}, c.Control) {
			assert.Equal(t, policy.UndecidedBy(policy.TokSig), v, "%s", c.Control)
			continue
		}
		assert.Equal(t, policy.Permitted(), v, "%s", c.Control)
	}
	// A request that no stage has seen is undecided, never permitted.
	for _, c := range w.checks {
		if c.Control == policy.TokPresent {
			continue
		}
		assert.Equal(t, policy.Indeterminate, c.Check.Check(t.Context(), &policy.Request{}).Effect, "%s", c.Control)
	}
}

func TestTTLWithoutExpiryIsUndecidedByTime(t *testing.T) {
	w := standardWorld(t)
	all := w.verdicts(t, bearer(tokentest.EC().Token(claims(map[string]any{"exp": nil}))))
	assert.Equal(t, policy.Denied(policy.ExpiryMissing, ""), all[policy.TokTime])
	assert.Equal(t, policy.UndecidedBy(policy.TokTime), all[policy.TokTTL])
}

func TestOptionsAreJudged(t *testing.T) {
	keys := fileSet(t, issuerName, tokentest.JWKS(tokentest.EC()), "ES256")
	one := issuerWith(keys, "ES256")
	with := func(change func(*token.Issuer)) []token.Issuer {
		i := one
		change(&i)
		return []token.Issuer{i}
	}
	for _, row := range []struct {
		name    string
		options token.Options
		cause   string
	}{
		{"no issuer", token.Options{}, "no issuer"},
		{"issuer without a name", token.Options{Issuers: with(func(i *token.Issuer) { i.Issuer = "" })}, "no name"},
		{"issuer without keys", token.Options{Issuers: with(func(i *token.Issuer) { i.Keys = nil })}, "key set is missing"},
		{"keys of another issuer", token.Options{Issuers: with(func(i *token.Issuer) { i.Issuer = "https://x.example.net" })}, "another issuer"},
		{"issuer twice", token.Options{Issuers: []token.Issuer{one, one}}, "given twice"},
		{"no algorithm", token.Options{Issuers: with(func(i *token.Issuer) { i.Algorithms = nil })}, "no algorithm"},
		{"HS256", token.Options{Issuers: with(func(i *token.Issuer) { i.Algorithms = []string{"HS256"} })}, `"HS256"`},
		{"none", token.Options{Issuers: with(func(i *token.Issuer) { i.Algorithms = []string{"none"} })}, `"none"`},
		{"pointer without a slash", token.Options{Issuers: with(func(i *token.Issuer) { i.Claims.Client = "azp" })}, "claims.client"},
		{"pointer with a bad escape", token.Options{Issuers: with(func(i *token.Issuer) { i.Claims.Scopes = "/a~2" })}, "claims.scopes"},
		{"header with a colon", token.Options{Header: "X:", Issuers: []token.Issuer{one}}, "header name"},
		{"scheme with a space", token.Options{Scheme: "Bearer ", Issuers: []token.Issuer{one}}, "authentication scheme"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := token.NewAuthenticator(row.options)
			require.ErrorContains(t, err, row.cause)
		})
	}
}
