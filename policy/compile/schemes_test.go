package compile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/compile"
)

// guarded is a contract with the given security of one operation, and schemes of every
// type.
func guarded(security string) string {
	return `openapi: 3.1.0
info: {title: t, version: "1"}
components:
  securitySchemes:
    oauth: {type: oauth2, flows: {clientCredentials: {tokenUrl: "https://i.example/t", scopes: {a: a}}}}
    oidc: {type: openIdConnect, openIdConnectUrl: "https://i.example/c"}
    bearer: {type: http, scheme: Bearer}
    basic: {type: http, scheme: Basic}
    key: {type: apiKey, in: header, name: X-API-Key}
    asked: {type: apiKey, in: query, name: key}
    token: {type: apiKey, in: header, name: authorization}
    tls: {type: mutualTLS}
paths:
  /a: {get: {operationId: guarded, security: ` + security + `, responses: {"200": {description: ok}}}}
`
}

// TestThreatValidatorOpensTheDoor: a security scheme that nobody knows is no start, and
// one that nothing judges is named at every start.
func TestThreatValidatorOpensTheDoor(t *testing.T) {
	t.Parallel()
	_, err := compile.Compile(compile.Input{Config: readIn(t, t.TempDir(), guarded("[{nobody: []}]"), head), Now: now})
	require.ErrorContains(t, err, `undefined security scheme "nobody"`)
	require.ErrorContains(t, err, "/paths/~1a/get/security/0/nobody")
	const tls = "listen: {address: \"127.0.0.1:8080\", tls: {cert_file: c.pem, key_file: k.pem, client_auth: require}}\n"
	for _, c := range []struct {
		name, security, settings string
		want                     []string // schemes that are named
	}{
		{"tokens", "[{oauth: [a]}, {oidc: []}, {bearer: []}, {token: []}]", "", nil},
		{"a key in place of a token", "[{oauth: [a]}, {key: []}]", "", []string{`"key" (apiKey in header X-API-Key)`}},
		{"a key beside a token", "[{oauth: [a], asked: []}]", "", []string{`"asked" (apiKey in query key)`}},
		{"a password", "[{basic: []}]", "", []string{`"basic" (http basic)`}},
		{"a certificate", "[{tls: [], oauth: [a]}]", "", []string{`"tls" (mutualTLS)`}},
		{"a certificate that every connection has", "[{tls: [], oauth: [a]}]", tls, nil},
		{"all of them", "[{basic: [], key: [], asked: [], tls: [], oauth: [a]}]", "", []string{`"asked"`, `"basic"`, `"key"`, `"tls"`}},
		{"a public operation", "[]", "", nil},
		{"one that is made public", "[{basic: []}]", "operations: {guarded: {public: true}}\n", nil},
		{"identity is off by name", "[{basic: []}]", "controls: {tok: off, az: off}\n", nil},
	} {
		text := head
		if strings.HasPrefix(c.settings, "listen:") {
			text = strings.Replace(head, "listen: {address: \"127.0.0.1:8080\"}\n", c.settings, 1)
		} else {
			text += c.settings
		}
		warning := warningOf(mustOf(t, guarded(c.security), text), "security scheme")
		assert.Equal(t, len(c.want), strings.Count(warning, "nothing here judges"), "%s: %s", c.name, warning)
		for _, want := range c.want {
			assert.Contains(t, warning, "nothing here judges the security scheme "+want, c.name)
			assert.Contains(t, warning, "at guarded: ", c.name)
		}
	}
}

// Where keys arrive, tokens are what nobody judges, and so are keys of another place.
func TestSchemesBesideAPIKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "api-keys.json"), []byte(keyFile(t, legacyKey, "")), 0o600))
	contract := guarded("[{oauth: [a]}, {bearer: []}, {key: []}, {asked: []}]")
	out, err := compile.Compile(compile.Input{Config: readIn(t, dir, contract, keyedBy), Now: now})
	require.NoError(t, err)
	warning := warningOf(out, "security scheme")
	for scheme, want := range map[string]bool{"oauth": true, "bearer": true, "asked": true, "key": false} {
		assert.Equal(t, want, strings.Contains(warning, `"`+scheme+`"`), "%s: %s", scheme, warning)
	}
	assert.Contains(t, warning, "a credential of kind api_key")
}
