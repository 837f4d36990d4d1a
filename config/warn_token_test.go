package config_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/config"
)

const quiet = `version: 1
product: orders
listen: {address: "127.0.0.1:8080"}
backend: {url: "http://127.0.0.1:9000"}
spec: {file: openapi.yaml}
audit: {pseudonym_key: "${env:PSEUDONYM_KEY}"}
`

// What makes a setting meaningful takes the warning about it away.
func TestTokenWarningsEndWithTheirCause(t *testing.T) {
	t.Parallel()
	const asked = `introspection: {url: "https://i.example/introspect", client_id: c, client_secret: "${env:PROOF}"}`
	issuer := func(more string) string {
		return `token: {issuers: [{issuer: "https://i.example", audiences: [a], ` + more + "}]}\n"
	}
	proofs := func(text string) string {
		return strings.Replace(text, "token: {", `token: {dpop: {public_url: "https://api.example"}, `, 1)
	}
	const tls = `listen: {address: "127.0.0.1:8080", tls: {cert_file: c, key_file: k, client_auth: request}}`
	const hop = "gateway: {present: true, client_cert_header: Client-Cert, proof: {header: X-Proof, secret: \"${env:PROOF}\"}}\n"
	const off = "controls: {tok.bind: \"off\"}\n"
	overTLS := strings.Replace(quiet, `listen: {address: "127.0.0.1:8080"}`, tls, 1)
	for _, c := range []struct{ name, text, field string }{
		{"mtls", quiet + issuer("sender_constraint: mtls"), "token.issuers[0].sender_constraint"},
		{"mtls, and proofs", quiet + proofs(issuer("sender_constraint: mtls")), "token.issuers[0].sender_constraint"},
		{"mtls, and TLS without certificates of clients", strings.Replace(overTLS, "request", "none", 1) + issuer("sender_constraint: mtls"), "token.issuers[0].sender_constraint"},
		{"mtls over TLS that ends here", overTLS + issuer("sender_constraint: mtls"), ""},
		{"mtls behind a gateway", quiet + hop + issuer("sender_constraint: mtls"), ""},
		{"mtls that nothing judges", quiet + off + issuer("sender_constraint: mtls"), ""},
		{"required", quiet + issuer("sender_constraint: required"), "token.issuers[0].sender_constraint"},
		{"required, and proofs", quiet + proofs(issuer("sender_constraint: required")), ""},
		{"required over TLS that ends here", overTLS + issuer("sender_constraint: required"), ""},
		{"required behind a gateway", quiet + hop + issuer("sender_constraint: required"), ""},
		{"dpop, and certificates", overTLS + issuer("sender_constraint: dpop"), "token.issuers[0].sender_constraint"},
		{"dpop, and proofs", quiet + proofs(issuer("sender_constraint: dpop")), ""},
		{"scheme", quiet + "credential: {scheme: DPoP}\n" + issuer(""), "credential.scheme"},
		{"scheme, and proofs", quiet + "credential: {scheme: DPoP}\n" + proofs(issuer("")), ""},
		{"scheme that nothing judges", quiet + off + "credential: {scheme: DPoP}\n" + issuer(""), ""},
		{"another scheme", quiet + "credential: {scheme: Token}\n" + issuer(""), ""},
		{"wait for opaque tokens", quiet + issuer("tokens: opaque, "+asked), "decision_timeout"},
		{"wait for JWTs", quiet + issuer(strings.Replace(asked, "url:", "jwts: true, url:", 1)), "decision_timeout"},
		{"wait that was chosen", quiet + "decision_timeout: 50ms\n" + issuer("tokens: opaque, "+asked), ""},
		{"strict profile", quiet + issuer("types: [JWT]"), "token.issuers[0].types[0]"},
		{"loose profile", quiet + issuer("profile: jwt, types: [JWT]"), ""},
		{"type that is no JWT", quiet + issuer("types: [vnd.example.jwt]"), ""},
	} {
		got, err := config.Parse("f", []byte(c.text), world())
		require.NoError(t, err, c.name)
		var fields []string
		for _, w := range got.Warnings() {
			fields = append(fields, w.Field)
		}
		var want []string
		if c.field != "" {
			want = []string{c.field}
		}
		assert.Equal(t, want, fields, c.name)
	}
}
