package config_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/config"
)

const started = `version: 1
product: orders
listen:
  address: "127.0.0.1:8080"
  min_body_rate: 1KiB/s
  tls:
    cert_file: c
    key_file: k
admin: {address: "127.0.0.1:8081"}
backend: {url: "http://127.0.0.1:9000"}
spec: {file: openapi.yaml}
token: {issuers: [{issuer: "https://idp.example.net", jwks_url: "https://idp.example.net/jwks", audiences: ["https://api.example.net"]}]}
audit: {pseudonym_key: "${env:PSEUDONYM_KEY}"}
`

func TestRestartForNamesTheFields(t *testing.T) {
	t.Parallel()
	parsed := func(change ...string) *config.Config {
		text := strings.NewReplacer(change...).Replace(started)
		c, err := config.Parse("sidewarden.yaml", []byte(text), world())
		require.NoError(t, err)
		return c
	}
	const why = " changed, and a running sidecar keeps what it started with; restart the sidecar to apply it, or change it back"
	for _, c := range []struct {
		rule   string
		change []string
		want   []string
	}{
		{"nothing", nil, nil},
		{"one field of listen", []string{"1KiB/s", "2KiB/s"}, []string{"sidewarden.yaml:5:18: listen.min_body_rate:"}},
		{"a field that is gone", []string{"  min_body_rate: 1KiB/s\n", "  body_timeout: 20s\n"}, []string{"sidewarden.yaml:5:17: listen.body_timeout:"}},
		{"a default that is written", []string{"    key_file: k\n", "    key_file: k\n    min_version: \"1.2\"\n"}, nil},
		{"in TLS, and elsewhere", []string{"    key_file: k\n", "    key_file: l\n    min_version: \"1.3\"\n", ":9000", ":9001"}, []string{
			"sidewarden.yaml:8:15: listen.tls.key_file:", "sidewarden.yaml:9:18: listen.tls.min_version:", "sidewarden.yaml:11:16: backend.url:",
		}},
		{"no TLS any more", []string{"  tls:\n    cert_file: c\n    key_file: k\n", ""}, []string{"sidewarden.yaml:4:3: listen.tls:"}},
		{"a secret", []string{"PSEUDONYM_KEY", "SIGNATURE"}, []string{"sidewarden.yaml:13:24: audit.pseudonym_key:"}},
		{"what belongs to the policy", []string{
			"    key_file: k\n", "    key_file: k\n  hosts: [a.example.net]\n", "product: orders\n", "product: orders\nmode: enforce\n",
			":9000\"}", ":9000\", login_paths: [/login], soft_deny: [{pointer: /a, equals: false}], identity: {client: X-Verified-Client}}",
		}, nil},
	} {
		var got []string
		for _, p := range parsed().RestartFor(parsed(c.change...)) {
			got = append(got, strings.TrimSuffix(p.Error(), why))
		}
		assert.Equal(t, c.want, got, c.rule)
	}
}

// What the list names exists, and the reference marks it.
func TestTheReferenceMarksWhatNeedsARestart(t *testing.T) {
	t.Parallel()
	fields := fieldPaths(reflect.TypeFor[config.Config](), "")
	for _, listed := range config.RestartLists() {
		assert.Contains(t, fields, listed)
	}
	ref := config.Reference()
	for field, marked := range map[string]bool{
		"listen.min_body_rate": true, "listen.hosts": false, "listen.tls.client_auth": true, "listen.tls.clients[].san": false,
		"backend.url": true, "backend.identity.client": false, "gateway.request_id_header": true, "gateway.present": false, "audit.pseudonym_key": true,
	} {
		_, rest, ok := strings.Cut(ref, "| `"+field+"`")
		require.True(t, ok, field)
		mark, _, _ := strings.Cut(rest, " |")
		assert.Equal(t, marked, strings.Contains(mark, "‡"), field)
	}
}
