package token_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

func TestOptionsOfIntrospection(t *testing.T) {
	keys := fileSet(t, issuerName, tokentest.JWKS(tokentest.EC()), "ES256")
	for _, row := range []struct {
		name   string
		change func(*token.Issuer)
		want   string
	}{
		{"nothing is asked about", func(i *token.Issuer) { i.Introspection.Opaque, i.Keys, i.Algorithms = false, keys, []string{"ES256"} }, "no token is asked about"},
		{"JWTs without keys", func(i *token.Issuer) { i.Introspection.JWTs = true }, "give a key set"},
		{"no keys and nothing opaque", func(i *token.Issuer) { i.Introspection.Opaque, i.Introspection.JWTs = false, true }, "the key set is missing"},
		{"an http URL", func(i *token.Issuer) { i.Introspection.URL = "http://idp.example.net/" }, "must be https"},
		{"a URL with a password", func(i *token.Issuer) { i.Introspection.URL = "https://a:hunter2@idp.example.net/" }, "no user or fragment"},
		{"no client", func(i *token.Issuer) { i.Introspection.ClientID = "" }, "the client or its secret is missing"},
		{"no secret", func(i *token.Issuer) { i.Introspection.ClientSecret = "" }, "the client or its secret is missing"},
		{"another authentication", func(i *token.Issuer) { i.Introspection.Auth = "none" }, `authentication "none" is not one of`},
		{"a prefix that no token has", func(i *token.Issuer) { i.Introspection.Prefix = "a b" }, "the prefix is none of an opaque token"},
		{"a negative time", func(i *token.Issuer) { i.Introspection.TTL = -1 }, "a time is below zero"},
	} {
		t.Run(row.name, func(t *testing.T) {
			i := opaqueIssuer(newDesk())
			row.change(&i)
			_, err := token.NewAuthenticator(token.Options{Issuers: []token.Issuer{i}})
			require.ErrorContains(t, err, row.want)
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
	for _, row := range []struct {
		name, one, two string
		good           bool
	}{
		{"none and none", "", "", false},
		{"the same", "a_", "a_", false},
		{"one begins the other", "a_", "a_b_", false},
		{"one is without", "", "a_", true},
		{"apart", "a_", "b_", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			one, two := opaqueIssuer(newDesk()), opaqueIssuer(newDesk())
			two.Issuer = "https://two"
			one.Introspection.Prefix, two.Introspection.Prefix = row.one, row.two
			for _, both := range [][]token.Issuer{{one, two}, {two, one}} {
				_, err := token.NewAuthenticator(token.Options{Issuers: both})
				if row.good {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, "cannot be told apart")
				}
			}
		})
	}
}
