package compile_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
)

// twoHead is a configuration without contracts.
var twoHead = strings.Replace(head, "spec: {file: openapi.yaml}\n", "", 1)

// paths is a contract of the given paths.
func paths(text string) string {
	return "openapi: 3.0.3\ninfo: {title: t, version: \"1\"}\npaths:\n" + text
}

const answers = "responses: {\"200\": {description: ok}}"

// several compiles a configuration beside two contracts.
func several(t *testing.T, v1, v2, text string) (*compile.Output, error) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "v1.yaml"), []byte(v1), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "v2.yaml"), []byte(v2), 0o600))
	return compile.Compile(compile.Input{Config: readIn(t, dir, contract, twoHead+text), Now: now})
}

func TestContractsBesideEachOther(t *testing.T) {
	t.Parallel()
	v1 := paths("  /orders/{id}: {get: {operationId: getOrder, parameters: [{name: id, in: path, required: true, schema: {type: string}}], " + answers + "}}\n")
	v2 := v1 + "  /orders: {post: {operationId: createOrder, " + answers + "}, get: {" + answers + "}}\n"
	out, err := several(t, v1, v2, `specs: [{file: v1.yaml, base_path: /v1}, {file: v2.yaml, base_path: /v2, name: v2}]
operations: {getOrder: {max_request_bytes: 1KiB}, "v2:getOrder": {max_request_bytes: 2KiB}, "POST /v2/orders": {max_request_bytes: 3KiB}}
`)
	require.NoError(t, err)
	got := map[string]int64{}
	for _, op := range out.Policy.Operations {
		got[op.ID] = op.MaxIn
	}
	assert.Equal(t, map[string]int64{"getOrder": 1 << 10, "v2:getOrder": 2 << 10, "v2:createOrder": 3 << 10, "GET /v2/orders": 1 << 20}, got,
		"the name stands before operationIds, and a method and path needs none")
	for path, want := range map[string]string{"/v1/orders/7": "getOrder", "/v2/orders/7": "v2:getOrder", "/v2/orders": "GET /v2/orders"} {
		assert.Equal(t, want, out.Policy.Matcher.Match(&policy.Request{Method: "GET", Path: path}).Operation.ID, path)
	}
	assert.Nil(t, out.Policy.Matcher.Match(&policy.Request{Method: "POST", Path: "/v1/orders"}).Operation, "v1 has it not")
	for _, name := range []string{"v1.yaml", "v2.yaml"} {
		assert.True(t, slices.ContainsFunc(out.Files, func(f string) bool { return filepath.Base(f) == name }), "%s is watched", name)
	}
	require.Len(t, out.Contracts, 2)
}

func TestTheDigestIsOfAllContracts(t *testing.T) {
	t.Parallel()
	one, two := paths("  /a: {get: {"+answers+"}}\n"), paths("  /b: {get: {"+answers+"}}\n")
	const specs = "specs: [{file: v1.yaml}, {file: v2.yaml}]\n"
	was, err := several(t, one, two, specs)
	require.NoError(t, err)
	for name, now := range map[string][2]string{
		"the first changed":   {one + "  /c: {get: {" + answers + "}}\n", two},
		"the second changed":  {one, two + "  /c: {get: {" + answers + "}}\n"},
		"they changed places": {two, one},
	} {
		is, err := several(t, now[0], now[1], specs)
		require.NoError(t, err)
		assert.NotEqual(t, was.Policy.Digest, is.Policy.Digest, name)
		assert.NotEqual(t, was.Measured, is.Measured, name)
	}
}

func TestContractsInEachOthersWayAreRefused(t *testing.T) {
	t.Parallel()
	get := func(path, id string) string {
		var parameters []string
		for _, name := range []string{"x", "y"} {
			if strings.Contains(path, "{"+name+"}") {
				parameters = append(parameters, "{name: "+name+", in: path, required: true, schema: {type: string}}")
			}
		}
		return paths("  " + path + ": {get: {operationId: " + id + ", parameters: [" + strings.Join(parameters, ", ") + "], " + answers + "}}\n")
	}
	for _, row := range []struct{ name, v1, v2, specs, want string }{
		{
			"the same method and template", get("/a/{x}", "one"), get("/a/{y}", "two"), "{file: v1.yaml}, {file: v2.yaml}",
			"specs[1].file: GET /a/{x} (v1.yaml/paths/~1a~1{x}/get of specs[0]) and /a/{y} (v2.yaml/paths/~1a~1{y}/get of specs[1]) match the same requests",
		},
		{
			"templates of which neither is the more exact one", get("/a/{x}", "one"), get("/{y}/b", "two"), "{file: v1.yaml}, {file: v2.yaml}",
			"GET /a/{x} (v1.yaml/paths/~1a~1{x}/get of specs[0]) and /{y}/b (v2.yaml/paths/~1{y}~1b/get of specs[1]) match some of the same requests, and neither path is the more exact one",
		},
		{
			"the same file twice", get("/a", "one"), "", "{file: v1.yaml}, {file: v1.yaml, name: again}",
			"GET /a (v1.yaml/paths/~1a/get of specs[0]) and /a (v1.yaml/paths/~1a/get of specs[1]) match the same requests",
		},
		{
			"the same operationId", get("/a", "one"), get("/b", "one"), "{file: v1.yaml}, {file: v2.yaml}",
			"specs[1].file: the contracts share operationIds: one is v1.yaml/paths/~1a/get of specs[0] and v2.yaml/paths/~1b/get of specs[1]; give one of them a name, for example name: v2, which stands before its operationIds as in v2:one",
		},
		{
			"an operationId that looks like a name", get("/a", "'v2:one'"), get("/b", "one"), "{file: v1.yaml}, {file: v2.yaml, name: v2}",
			"the contracts share operationIds: v2:one is",
		},
		{"the name of unmatched requests", get("/a", "unmatched"), get("/b", "b"), "{file: v1.yaml}, {file: v2.yaml}", "v1.yaml/paths/~1a/get: records name other requests unmatched"},
		{"the name of health checks", get("/a", "a"), get("/b", "health-check"), "{file: v1.yaml}, {file: v2.yaml}", "specs[1].file: v2.yaml/paths/~1b/get: records name other requests health-check"},
		{"a problem of the second contract", get("/a", "a"), "openapi: 3.0.3\n", "{file: v1.yaml}, {file: v2.yaml}", "specs[1].file: v2.yaml"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := several(t, row.v1, row.v2, "specs: ["+row.specs+"]\n")
			var ps config.Problems
			require.ErrorAs(t, err, &ps)
			assert.Contains(t, ps.Error(), row.want)
		})
	}
	for name, pair := range map[string][2]string{
		"a literal before a parameter": {get("/a/{x}", "one"), get("/a/b", "two")},
		"other lengths":                {get("/a/{x}", "one"), get("/a", "two")},
	} {
		_, err := several(t, pair[0], pair[1], "specs: [{file: v1.yaml}, {file: v2.yaml}]\n")
		assert.NoError(t, err, name)
	}
}

func TestSharedOperationIDsAreToldOnceForAPairOfContracts(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for _, name := range []string{"a", "b", "c"} {
		text.WriteString("  /" + name + ": {get: {operationId: " + name + ", " + answers + "}}\n")
	}
	_, err := several(t, paths(text.String()), paths(text.String()), "specs: [{file: v1.yaml}, {file: v2.yaml, base_path: /v2}]\n")
	var ps config.Problems
	require.ErrorAs(t, err, &ps)
	assert.Len(t, ps, 1)
}

func TestAnOperationIsServedUnderEveryPathOfItsServers(t *testing.T) {
	t.Parallel()
	spec := "servers: [{url: 'https://api.example/{v}', variables: {v: {default: v2, enum: [v1, v2]}}}]\n"
	out := mustOf(t, contract+spec, head+accounts+"operations: {\"GET /v1/sites\": {account: none, max_request_bytes: 1KiB}}\n")
	for path, template := range map[string]string{"/v1/sites": "/v1/sites", "/v2/sites": "/v2/sites"} {
		op := out.Policy.Matcher.Match(&policy.Request{Method: "GET", Path: path}).Operation
		require.NotNil(t, op, path)
		assert.Equal(t, "listSites", op.ID)
		assert.Equal(t, template, op.Template, "a record has the path that was asked for")
		assert.Equal(t, int64(1<<10), op.MaxIn, "it has its settings by each of its paths")
	}
}
