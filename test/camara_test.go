package test_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// camaraCase is one request with what has to be found: a denial, or nothing.
type camaraCase struct {
	name, scope, method, path, body string
	control, reason, detail         string
	status                          int
}

func camaraCases() []camaraCase {
	good := `{"device":{"ipv4Address":{"publicAddress":"203.0.113.0"}},"applicationServer":{"ipv4Address":"198.51.100.1"},"qosProfile":"QOS_E","duration":60` +
		`,"sink":"https://app.example.net/sink","sinkCredential":{"credentialType":"ACCESSTOKEN","accessToken":"x","accessTokenType":"bearer"}}`
	scope := "quality-on-demand:sessions:create"
	return []camaraCase{
		{"valid", scope, "POST", "/sessions", good, "", "", "", 201},
		{"no token", "", "POST", "/sessions", good, "tok.present", "credential-missing", "", 401},
		{"wrong scope", "quality-on-demand:sessions:read", "POST", "/sessions", good, "az.scope", "scope-missing", "", 403},
		{
			"unknown property in a nested object", scope, "POST", "/sessions",
			`{"applicationServer":{"ipv4Address":"198.51.100.1","hostname":"x"},"qosProfile":"QOS_E","duration":60}`,
			"in.schema", "schema-mismatch", "/applicationServer additionalProperties", 400,
		},
		{
			"wrong value behind the reference to the other folder", scope, "POST", "/sessions",
			`{"device":{"phoneNumber":"12"},"applicationServer":{"ipv4Address":"198.51.100.1"},"qosProfile":"QOS_E","duration":60}`,
			"in.schema", "schema-mismatch", "", 400,
		},
		{
			"no member of the family", scope, "POST", "/sessions",
			`{"applicationServer":{"ipv4Address":"198.51.100.1"},"qosProfile":"QOS_E","duration":60,"sinkCredential":{"credentialType":"NONE"}}`,
			"in.schema", "schema-mismatch", "", 400,
		},
		{"a callback is not inbound", scope, "POST", "/sink", good, "in.route", "route-unknown", "", 404},
		{"a parameter that is no UUID", "quality-on-demand:sessions:read", "GET", "/sessions/17", "", "in.schema", "parameter-invalid", "", 400},
	}
}

// TestCamaraContract serves a contract in the shapes of CAMARA's: a server URL
// with a variable, components in another folder, openIdConnect security, allOf
// and discriminators, and callbacks, which are not inbound operations.
func TestCamaraContract(t *testing.T) {
	t.Parallel()
	backend := backendOf(t)
	for _, c := range camaraCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, mode := range []string{"shadow", "enforce"} {
				s := camara(t, backend, mode)
				a, err := c.call().send(s.data)
				require.NoError(t, err)
				want := c.served()
				if mode == "enforce" {
					want = c.status
				}
				assert.Equal(t, want, a.status, "%s: %s", mode, a.body)
				record := onlyRecord(t, s)
				assert.Equal(t, c.control, must(t, record, "denials"), "%s: %v", mode, record["findings"])
				if c.control != "" {
					assert.Equal(t, c.reason, must(t, record, "finding."+c.control+".reason"), mode)
				}
				if c.detail != "" {
					assert.Equal(t, c.detail, must(t, record, "finding."+c.control+".detail"), mode)
				}
				require.NoError(t, s.stop())
			}
		})
	}
}

// TestCamaraContractsBesideEachOther serves two contracts that share parts and an
// operationId: each request is judged by the schemas and scopes of its own.
func TestCamaraContractsBesideEachOther(t *testing.T) {
	t.Parallel()
	backend := backendOf(t)
	for _, c := range []struct {
		name, scope, target, operation, denials string
		status                                  int
	}{
		{"of the first contract", "quality-on-demand:sessions:read", "/quality-on-demand/v1/sessions/123e4567-e89b-12d3-a456-426614174000", "getSession", "", 200},
		{"of the second contract", "qos-profiles:read", "/qos-profiles/v1/qos-profiles/QOS_E", "profiles:getSession", "", 200},
		{"the scope of the other contract", "quality-on-demand:sessions:read", "/qos-profiles/v1/qos-profiles/QOS_E", "profiles:getSession", "az.scope", 403},
		{"what only the other contract allows", "qos-profiles:read", "/qos-profiles/v1/qos-profiles/123e4567", "profiles:getSession", "in.schema", 400},
		{"the path of the other contract", "qos-profiles:read", "/qos-profiles/v1/sessions/QOS_E", "unmatched", "in.route", 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := camara(t, backend, "enforce", `, {file: "@root@/API_definitions/profiles.yaml", root: "@root@", name: profiles}`)
			r := (&camaraCase{scope: c.scope, method: "GET"}).call()
			r.target = c.target
			a, err := r.send(s.data)
			require.NoError(t, err)
			assert.Equal(t, c.status, a.status, a.body)
			record := onlyRecord(t, s)
			assert.Equal(t, c.operation, must(t, record, "op.id"))
			assert.Equal(t, c.denials, must(t, record, "denials"))
			require.NoError(t, s.stop())
		})
	}
}

func must(t *testing.T, record map[string]any, path string) string {
	t.Helper()
	value, err := fieldOf(record, path)
	require.NoError(t, err)
	return value
}

func (c *camaraCase) call() *call {
	r := &call{method: c.method, target: "/quality-on-demand/v1" + c.path, body: []byte(c.body), hasBody: c.body != ""}
	if c.body != "" {
		r.header = append(r.header, [2]string{"Content-Type", "application/json"})
	}
	if c.scope != "" {
		claims := tokentest.Claims("https://idp.example.net", "https://api.example.net", time.Now(), map[string]any{"scope": c.scope})
		r.header = append(r.header, [2]string{"Authorization", "Bearer " + tokentest.RSA().Token(claims)})
	}
	// What the contract says that the backend answers.
	r.header = append(r.header, [2]string{"X-Backend", fmt.Sprintf(`status=%d body={"applicationServer":{"ipv4Address":"198.51.100.1"},`+
		`"qosProfile":"QOS_E","sessionId":"3fa85f64-5717-4562-b3fc-2c963f66afa6"}`, c.served())})
	return r
}

// served is the status of an operation that succeeds.
func (c *camaraCase) served() int {
	if c.method == "POST" {
		return 201
	}
	return 200
}

// camara starts a sidecar in front of the contract of testdata/camara, and of more,
// in whose text @root@ is that folder.
func camara(t *testing.T, b *backend, mode string, more ...string) *sidecar {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs(filepath.Join("testdata", "camara"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "jwks.json"), tokentest.JWKS(tokentest.RSA()), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sidewarden.yaml"), []byte(`version: 1
product: qod
listen: {address: "127.0.0.1:0"}
admin: {address: "127.0.0.1:0"}
backend: {url: "${env:BACKEND}"}
mode: `+mode+`
specs: [{file: "`+root+`/API_definitions/qod.yaml", root: "`+root+`"}`+strings.ReplaceAll(strings.Join(more, ""), "@root@", root)+`]
token: {issuers: [{issuer: https://idp.example.net, jwks_file: jwks.json, audiences: [https://api.example.net]}]}
audit: {file: {path: "${env:AUDIT}"}, pseudonym_key: "${env:PSEUDONYM}"}
`), 0o600))
	s, err := start(filepath.Join(dir, "sidewarden.yaml"), "BACKEND=http://"+b.address,
		"AUDIT="+filepath.Join(dir, "audit.jsonl"), "PSEUDONYM="+pseudonymKey)
	require.NoError(t, err)
	return s
}

// onlyRecord waits for the one record of a sidecar.
func onlyRecord(t *testing.T, s *sidecar) map[string]any {
	t.Helper()
	var all []map[string]any
	require.NoError(t, eventually(func() (err error) {
		if all, err = s.records(); err == nil && len(all) == 0 {
			err = os.ErrNotExist
		}
		return err
	}))
	require.Len(t, all, 1)
	return all[0]
}
