package starter_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/cmd/sidewarden/starter"
	"github.com/sidewarden/sidewarden/config"
)

// set is an environment in which everything is known that was asked for.
func set(string) (string, bool) { return "https://set.example.net", true }

// protected is a contract of one operation that asks for these security schemes.
func protected(schemes, security string) []byte {
	return []byte("openapi: 3.0.3\ninfo: {title: p, version: '1'}\ncomponents: {securitySchemes: " + schemes + "}\n" +
		"paths: {/p: {get: {operationId: p, security: " + security + ", responses: {'200': {description: d}}}}}\n")
}

func TestCredentialIsWhatTheContractAsksFor(t *testing.T) {
	const (
		key    = "key: {type: apiKey, in: header, name: X-Key}"
		oauth  = "oauth: {type: oauth2, flows: {clientCredentials: {tokenUrl: 'https://i.example/t', scopes: {s: S}}}}"
		header = "X-API-Key" // of a configuration that names none
	)
	asking := starter.Options{Spec: "openapi.yaml", Product: "p", Listen: "127.0.0.1:8080", Backend: "http://127.0.0.1:9000"}
	told := asking
	told.Issuer = "https://i.example"
	for _, row := range []struct {
		name, schemes, security string
		o                       starter.Options
		kind, header, says      string
	}{
		{"keys alone", key, "[{key: []}]", asking, config.KindAPIKey, "X-Key", "asks for API keys and for nothing else"},
		{"keys that nobody asks for", key + ", " + oauth, "[{oauth: [s]}]", asking, config.KindClientToken, "", ""},
		{"either", key + ", " + oauth, "[{key: []}, {oauth: [s]}]", asking, config.KindClientToken, "", "the contract takes API keys too"},
		{"both", key + ", " + oauth, "[{key: [], oauth: [s]}]", asking, config.KindClientToken, "", "the contract takes API keys too"},
		{"keys, and an issuer", key, "[{key: []}]", told, config.KindClientToken, "", "the contract takes API keys too"},
		{"tokens that are declared as keys", "key: {type: apiKey, in: header, name: authorization}", "[{key: []}]", asking, config.KindClientToken, "", ""},
		{"a key in the query", "key: {type: apiKey, in: query, name: k}", "[{key: []}]", asking, config.KindAPIKey, header, `has a key in "query k", which is not read`},
		{"a key in a cookie", "key: {type: apiKey, in: cookie, name: k}", "[{key: []}]", asking, config.KindAPIKey, header, "names no header that can carry the key"},
		{"two keys", key + ", more: {type: apiKey, in: header, name: X-More}", "[{key: [], more: []}]", asking, config.KindAPIKey, "X-Key", `has a key in "header X-More"`},
		{"one key twice", key + ", more: {type: apiKey, in: header, name: x_key}", "[{key: []}, {more: []}]", asking, config.KindAPIKey, "x_key", ""},
		{"a header of the connection", "key: {type: apiKey, in: header, name: Host}", "[{key: []}]", asking, config.KindAPIKey, header, `has a key in "header Host"`},
		{"no header", "key: {type: apiKey, in: header, name: 'a b'}", "[{key: []}]", asking, config.KindAPIKey, header, `has a key in "header a b"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, err := contract(t, protected("{"+row.schemes+"}", row.security))
			require.NoError(t, err)
			draft, err := starter.New(c, row.o)
			require.NoError(t, err)
			got, err := config.Parse("f.yaml", draft.Text, config.Env{LookupEnv: set})
			require.NoError(t, err, "%s", draft.Text)
			assert.Equal(t, row.kind, got.Credential.Kind)
			if row.header != "" {
				require.NotNil(t, got.Credential.APIKey)
				assert.Equal(t, row.header, got.Credential.APIKey.Header)
				assert.Equal(t, []string{"SIDEWARDEN_API_KEYS"}, draft.Asked)
			}
			assert.Contains(t, string(draft.Text), row.says)
			if row.says == "" {
				assert.NotContains(t, string(draft.Text), "the contract takes")
				assert.NotContains(t, string(draft.Text), "has a key in")
			}
		})
	}
}

// An https issuer has its key set in its metadata; any other has to be told of.
func TestKeySetIsAskedForWhereTheIssuerDoesNotTell(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "orders.yaml"))
	require.NoError(t, err)
	c, err := contract(t, text)
	require.NoError(t, err)
	for issuer, asked := range map[string]bool{
		"https://idp.example.net": false, "https://idp.example.net/realms/a": false, "https://127.0.0.1:8443": false,
		"": true, "idp": true, "http://idp.example.net": true, "https://u@idp.example.net": true, "https://idp.example.net?a=b": true,
		"https://idp.example.net?": true, "https://idp.example.net#": true, "https://": true, "urn:idp": true,
	} {
		o := whole()
		o.Issuer, o.JWKSFile = issuer, ""
		draft, err := starter.New(c, o)
		require.NoError(t, err)
		assert.Equal(t, asked, strings.Contains(string(draft.Text), "\n      jwks_url: "), issuer)
		got, err := config.Parse("f.yaml", draft.Text, config.Env{LookupEnv: set})
		require.NoError(t, err, "%s", draft.Text)
		assert.Equal(t, asked, got.Token.Issuers[0].JWKSURL != "", issuer)
	}
}

// What a comment offers can be used as it stands.
func TestOffersOfTokensAreValid(t *testing.T) {
	c, err := contract(t, protected("{oauth: {type: oauth2, flows: {clientCredentials: {tokenUrl: 'https://i.example/t', scopes: {s: S}}}}}", "[{oauth: [s]}]"))
	require.NoError(t, err)
	draft, err := starter.New(c, whole())
	require.NoError(t, err)
	text := string(draft.Text)
	for _, offer := range []string{"      # claims: ", "      # tokens: ", "      # introspection: ", "  # dpop: "} {
		require.Equal(t, 1, strings.Count(text, "\n"+offer), offer)
		text = strings.Replace(text, "\n"+offer, "\n"+strings.Replace(offer, "# ", "", 1), 1)
	}
	got, err := config.Parse("f.yaml", []byte(text), config.Env{LookupEnv: set})
	require.NoError(t, err, "%s", text)
	assert.NotNil(t, got.Token.DPoP)
	assert.NotNil(t, got.Token.Issuers[0].Introspection)
	assert.Equal(t, config.TokensBoth, got.Token.Issuers[0].Tokens)
}

// FuzzNewOfKeys gives the name of the header with the API key to a stranger.
func FuzzNewOfKeys(f *testing.F) {
	for _, name := range []string{"X-Key", "a b", "Host", "${env:HOME}", "x\nmode: enforce", "X-Account-Id", "", "true", "\x00", "Authorization"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		quoted, err := json.Marshal(name)
		if err != nil || len(name) > 1<<10 {
			return
		}
		c, err := contract(t, protected(fmt.Sprintf("{key: {type: apiKey, in: header, name: %s}}", quoted), "[{key: []}]"))
		if err != nil {
			return // not a contract
		}
		draft, err := starter.New(c, starter.Options{Spec: "openapi.yaml", Product: "p", Listen: "127.0.0.1:8080", Backend: "http://127.0.0.1:9000"})
		require.NoError(t, err)
		for _, b := range draft.Text {
			require.True(t, b == '\n' || b >= ' ' && b <= '~', "%q", draft.Text)
		}
		got, err := config.Parse("f.yaml", draft.Text, config.Env{LookupEnv: set})
		require.NoError(t, err, "%s", draft.Text)
		require.Equal(t, config.Shadow, got.Mode)
		if keys := got.Credential.APIKey; keys != nil {
			require.Contains(t, []string{name, "X-API-Key"}, keys.Header)
		}
	})
}
