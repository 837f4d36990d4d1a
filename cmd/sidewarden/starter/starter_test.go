package starter_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/cmd/sidewarden/starter"
	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy/openapi"
)

var update = flag.Bool("update", false, "write the golden files")

// whole are options that leave nothing to ask for.
func whole() starter.Options {
	return starter.Options{
		Spec: "openapi.yaml", Product: "orders", Issuer: "https://idp.example.net", JWKSFile: "jwks.json",
		Audiences: []string{"https://api.example.net"}, Backend: "http://127.0.0.1:9000", Listen: "127.0.0.1:8080",
	}
}

func contract(t testing.TB, text []byte) (*openapi.Contract, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "openapi.yaml")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	return openapi.Load(openapi.Options{File: file})
}

func TestGolden(t *testing.T) {
	discovered := whole()
	discovered.JWKSFile = ""
	for name, o := range map[string]starter.Options{
		"whole": whole(), "discovered": discovered, "keyed": {Spec: "openapi.yaml", Product: "ports", Listen: "127.0.0.1:8080"}, "asking": {Spec: "openapi.yaml", Product: "orders", Listen: "127.0.0.1:8080"},
		"public": {Spec: "openapi.yaml", Root: "..", BasePath: "/v2", Product: "news", Listen: ":8443"},
	} {
		t.Run(name, func(t *testing.T) {
			source := "orders.yaml"
			switch name {
			case "public":
				source = "news.yaml"
			case "keyed":
				source = "ports.yaml"
			}
			text, err := os.ReadFile(filepath.Join("testdata", source))
			require.NoError(t, err)
			c, err := contract(t, text)
			require.NoError(t, err)
			draft, err := starter.New(c, o)
			require.NoError(t, err)
			again, err := starter.New(c, o)
			require.NoError(t, err)
			assert.Equal(t, draft, again, "the same in, the same out")
			golden := filepath.Join("testdata", name+".golden.yaml")
			if *update {
				require.NoError(t, os.WriteFile(golden, draft.Text, 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), string(draft.Text))
			_, err = config.Parse(golden, draft.Text, config.Env{LookupEnv: func(string) (string, bool) { return "", false }})
			for _, asked := range draft.Asked {
				require.ErrorContains(t, err, asked+" is not set", "what is not known stops check")
			}
			if len(draft.Asked) == 0 {
				require.NoError(t, err)
			}
		})
	}
}

func TestOptionThatNoFileCanHoldIsRefused(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "orders.yaml"))
	require.NoError(t, err)
	c, err := contract(t, text)
	require.NoError(t, err)
	o := whole()
	o.Audiences = []string{"${env:HOME}"}
	_, err = starter.New(c, o)
	require.ErrorContains(t, err, "${env:HOME}")
}

// document returns a contract whose every name is one of the given, which may be
// anything.
func document(t testing.TB, id, parameter, property, scope, path string) []byte {
	t.Helper()
	parameters := []any{}
	for _, in := range []string{"query", "header"} {
		parameters = append(parameters, map[string]any{"name": parameter, "in": in, "schema": map[string]any{"type": "string"}})
	}
	text, err := json.Marshal(map[string]any{
		"openapi": "3.1.0", "info": map[string]any{"title": id, "version": "1"},
		"components": map[string]any{"securitySchemes": map[string]any{"oauth": map[string]any{
			"type": "oauth2", "flows": map[string]any{"clientCredentials": map[string]any{
				"tokenUrl": "https://idp.example.net/token", "scopes": map[string]any{scope: "d"},
			}},
		}}},
		"paths": map[string]any{"/" + path: map[string]any{
			"post": map[string]any{
				"operationId": id, "parameters": parameters, "security": []any{map[string]any{"oauth": []string{scope}}},
				"requestBody": map[string]any{"content": map[string]any{"application/json": map[string]any{
					"schema": map[string]any{"type": "object", "properties": map[string]any{property: map[string]any{"type": "string"}}},
				}}},
				"responses": map[string]any{"200": map[string]any{"description": "d"}},
			},
			"get": map[string]any{
				"operationId": id + " 2", "security": []any{},
				"responses": map[string]any{"200": map[string]any{"description": "d"}},
			},
		}},
	})
	require.NoError(t, err)
	return text
}

// FuzzNew gives the names of a contract to a stranger: the text is a configuration
// that means what was meant, and nothing more.
func FuzzNew(f *testing.F) {
	f.Add("createOrder", "accountId", "account_id", "orders:write", "orders")
	f.Add("a\n# b", "x: y accountId", "customer\": {}, \"account", "a\"b", "a/b")
	f.Add("${env:HOME}", "${env:HOME} accountId", "${file:/etc/passwd}/account", "${env:PATH}", "${env:HOME}")
	f.Add("true", "tenant\x00", "~/account", "s\u2028", "\u0085")
	f.Add("GET /orders", "ACCOUNT-ID", "a~account", "-", "orders")
	f.Fuzz(func(t *testing.T, id, parameter, property, scope, path string) {
		if len(id)+len(parameter)+len(property)+len(scope)+len(path) > 1<<10 {
			return
		}
		c, err := contract(t, document(t, id, parameter, property, scope, path))
		if err != nil {
			return // not a contract
		}
		draft, err := starter.New(c, whole())
		require.NoError(t, err)
		require.Empty(t, draft.Asked)
		for _, b := range draft.Text {
			require.True(t, b == '\n' || b >= ' ' && b <= '~', "%q", draft.Text)
		}
		got, err := config.Parse("f.yaml", draft.Text, config.Env{
			LookupEnv: func(name string) (string, bool) { t.Errorf("reads variable %q", name); return "", false },
			ReadFile:  func(path string) ([]byte, error) { t.Errorf("reads file %q", path); return nil, os.ErrNotExist },
		})
		require.NoError(t, err, "%s", draft.Text)
		means(t, c, got)
	})
}

// means compares a configuration with what the options and the contract say.
func means(t *testing.T, c *openapi.Contract, got *config.Config) {
	t.Helper()
	o := whole()
	require.Equal(t, config.Shadow, got.Mode)
	require.Empty(t, got.Controls)
	require.Equal(t, []string{o.Issuer, o.JWKSFile, o.Backend, o.Spec},
		[]string{got.Token.Issuers[0].Issuer, got.Token.Issuers[0].JWKSFile, got.Backend.URL, got.Specs[0].File})
	names := map[string]bool{}
	operations := map[string]openapi.Operation{}
	for _, op := range c.Operations() {
		operations[op.ID], operations[op.Method+" "+op.Template] = op, op
		for _, name := range slices.Concat(op.PathParams, op.QueryParams, op.HeaderParams) {
			names[name] = true
		}
		for _, name := range op.BodyProperties() {
			names["/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(name)] = true
		}
	}
	for _, r := range got.Account.Rules {
		require.True(t, names[r.Name+r.Pointer], "%q is no name of the contract", r.Name+r.Pointer)
		require.False(t, r.Required)
	}
	for key, settings := range got.Operations {
		op, known := operations[key]
		require.True(t, known, "%q is no operation of the contract", key)
		require.Empty(t, settings.Controls)
		require.Equal(t, op.Public, settings.Public != nil && *settings.Public)
		if settings.Scopes != nil {
			require.Equal(t, op.Security, settings.Scopes)
		}
	}
}

func TestHostileNamesStayNames(t *testing.T) {
	hostile := "x\nmode: enforce\n#\": {account"
	c, err := contract(t, document(t, hostile, hostile, hostile, "a#\n"+"b", "orders"))
	require.NoError(t, err)
	draft, err := starter.New(c, whole())
	require.NoError(t, err)
	got, err := config.Parse("f.yaml", draft.Text, config.Env{})
	require.NoError(t, err, "%s", draft.Text)
	means(t, c, got)
	assert.Equal(t, []config.AccountRule{{In: "query", Name: hostile}, {In: "body", Pointer: "/" + hostile}}, got.Account.Rules)
	assert.Contains(t, string(draft.Text), `# decide: "x\nmode: enforce\n#\": {account" may hold an account, and this file cannot name it.`, "a header")
	assert.NotContains(t, string(draft.Text), "\nmode: enforce")
}

// Networks of proxies are offered as they can be used, and nothing is said of them yet.
func TestOfferOfForwardingPeersIsValid(t *testing.T) {
	c, err := contract(t, protected("{}", "[]"))
	require.NoError(t, err)
	draft, err := starter.New(c, whole())
	require.NoError(t, err)
	before, err := config.Parse("f.yaml", draft.Text, config.Env{})
	require.NoError(t, err)
	assert.Nil(t, before.Gateway.Forwarded)
	lines := strings.Split(string(draft.Text), "\n")
	at := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "# gateway: {") })
	require.Positive(t, at)
	lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "gateway: ") })
	got, err := config.Parse("f.yaml", []byte(strings.Replace(strings.Join(lines, "\n"), "# gateway: {", "gateway: {", 1)), config.Env{})
	require.NoError(t, err)
	require.NotNil(t, got.Gateway.Forwarded)
	assert.True(t, got.Gateway.Present)
	assert.NotEmpty(t, got.Gateway.Forwarded.Peers)
}

// An answer 101 of a GET is taken for that of a WebSocket; any other method has none.
func TestWebSocketsOfTheContractAreGuessed(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "orders.yaml"))
	require.NoError(t, err)
	c, err := contract(t, text)
	require.NoError(t, err)
	draft, err := starter.New(c, whole())
	require.NoError(t, err)
	got, err := config.Parse("f.yaml", draft.Text, config.Env{})
	require.NoError(t, err, "%s", draft.Text)
	var found []string
	for key, settings := range got.Operations {
		if settings.Upgrade != nil {
			assert.Equal(t, []string{"websocket"}, settings.Upgrade)
			found = append(found, key)
		}
	}
	assert.ElementsMatch(t, []string{"watchOrders", "watchNews", "watchWire"}, found)
	assert.True(t, *got.Operations["watchNews"].Public)
	assert.Equal(t, [][]string{{"orders:read"}}, got.Operations["watchOrders"].Scopes)
}
