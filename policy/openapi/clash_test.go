package openapi_test

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi"
)

// operations returns the operations of a contract written "METHOD /template".
func operations(contract string, all ...string) []*policy.Operation {
	ops := make([]*policy.Operation, len(all))
	for i, o := range all {
		method, template, _ := strings.Cut(o, " ")
		ops[i] = &policy.Operation{ID: contract + ":" + strconv.Itoa(i), Method: method, Template: template}
	}
	return ops
}

func TestClashes(t *testing.T) {
	for _, row := range []struct{ name, one, two, want string }{
		{"other paths", "/v1/a", "/v2/a", ""},
		{"the same path", "/v1/a", "/v1/a", "same"},
		{"the same path written otherwise", "/v1/%61", "/v1/a", "same"},
		{"parameters of other names", "/v1/{x}/a", "/v1/{y}/a", "same"},
		{"a trailing slash is another path", "/v1/a", "/v1/a/", ""},
		{"another length", "/v1/{x}", "/v1/{x}/a", ""},
		{"a literal is more exact than a parameter", "/v1/me", "/v1/{x}", ""},
		{"more literal text is more exact", "/v1/{x}:cancel", "/v1/{x}", ""},
		{"an exact segment before and after", "/v1/{x}/b", "/v1/a/{y}", "ambiguous"},
		{"parameters that meet at one end each", "/v1/a{x}", "/v1/{x}b", "ambiguous"},
		{"ends that never meet", "/v1/a{x}", "/v1/b{x}", ""},
		{"two parameters against one", "/v1/{x}.{y}", "/v1/{z}", ""},
		{"two parameters against two", "/v1/{x}.{y}", "/v1/{x}-{y}", "ambiguous"},
		{"a parameter is never an escaped slash", "/v1/a%2Fb", "/v1/{x}", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, pair := range [][2]string{{row.one, row.two}, {row.two, row.one}} {
				one, two := operations("one", "GET "+pair[0]), operations("two", "GET "+pair[1])
				var got string
				for _, c := range openapi.Clashes(one, two) {
					assert.Equal(t, []*policy.Operation{one[0], two[0]}, []*policy.Operation{c.First, c.Second})
					got = "ambiguous"
					if c.Same {
						got = "same"
					}
				}
				assert.Equal(t, row.want, got)
			}
			assert.Empty(t, openapi.Clashes(operations("one", "GET "+row.one), operations("two", "POST "+row.two)), "methods keep apart")
			assert.Empty(t, openapi.Clashes(operations("one", "GET "+row.one, "GET "+row.two)), "within a contract the Matcher decides")
		})
	}
}

func TestClashesOfHead(t *testing.T) {
	one, two, declared := operations("one", "GET /v1/a"), operations("two", "GET /v1/a"), operations("three", "HEAD /v1/a")
	one[0].Head, two[0].Head = true, true
	assert.Len(t, openapi.Clashes(one, two), 1, "that of GET says it")
	clashes := openapi.Clashes(one, declared)
	require.Len(t, clashes, 1, "one contract says that HEAD is GET, the other declares it")
	assert.Equal(t, "HEAD", clashes[0].First.Method)
	one[0].Head = false
	assert.Empty(t, openapi.Clashes(one, declared))
}

func TestClashesOfAliasesNameTheTemplateThatClashes(t *testing.T) {
	one, two := operations("one", "GET /v1/a"), operations("two", "GET /v2/a")
	two[0].Aliases = []string{"/v3/a", "/v1/a"}
	found := openapi.Clashes(one, two)
	require.Len(t, found, 1)
	assert.True(t, found[0].Same)
	assert.Equal(t, "/v1/a", found[0].Second.Template)
	assert.Equal(t, "two:0", found[0].Second.ID)
}

func TestAnAliasMatchesAsItsOwnTemplate(t *testing.T) {
	op := &policy.Operation{ID: "get", Method: "GET", Template: "/v1/a/{x}", Aliases: []string{"/v2/a/{x}"}, Rules: []*policy.Rule{{}}}
	m, err := openapi.NewMatcher([]*policy.Operation{op})
	require.NoError(t, err)
	first := m.Match(&policy.Request{Method: "GET", Path: "/v1/a/7"})
	assert.Same(t, op, first.Operation)
	second := m.Match(&policy.Request{Method: "GET", Path: "/v2/a/7"})
	require.NotNil(t, second.Operation)
	assert.Equal(t, "/v2/a/{x}", second.Operation.Template)
	assert.Equal(t, "get", second.Operation.ID)
	assert.Same(t, op.Rules[0], second.Operation.Rules[0], "they share the plan")
	assert.Equal(t, first.Params, second.Params)
	_, err = openapi.NewMatcher([]*policy.Operation{op, {ID: "other", Method: "GET", Template: "/v2/a/{y}"}})
	require.ErrorContains(t, err, "match the same requests")
}

// naive finds the operation by trying every template as an expression, without the
// trie: of all that match, the one with the more exact segment where two differ.
func naive(ops []*policy.Operation, method string, segments []string) *policy.Operation {
	var found []*policy.Operation
	for _, op := range ops {
		if op.Method == method && matches(op.Template, segments) {
			found = append(found, op)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return slices.MinFunc(found, func(a, b *policy.Operation) int {
		as, bs := strings.Split(a.Template, "/"), strings.Split(b.Template, "/")
		for i := range as {
			if d := cmp.Compare(rank(bs[i]), rank(as[i])); d != 0 {
				return d
			}
		}
		return 0
	})
}

var parameterOf = regexp.MustCompile(`\{[^}]*\}`)

// rank is higher for more exact segments.
func rank(segment string) int {
	if !strings.Contains(segment, "{") {
		return 1 << 20
	}
	return len(parameterOf.ReplaceAllString(segment, ""))
}

func matches(template string, segments []string) bool {
	parts := strings.Split(template, "/")
	if len(parts) != len(segments) {
		return false
	}
	for i, part := range parts {
		literals := parameterOf.Split(part, -1)
		for j := range literals {
			literals[j] = regexp.QuoteMeta(literals[j])
		}
		if !regexp.MustCompile("^" + strings.Join(literals, "(.+?)") + "$").MatchString(segments[i]) {
			return false
		}
		if len(literals) > 1 && (segments[i] == "." || segments[i] == "..") {
			return false
		}
	}
	return true
}

// FuzzContracts: over the operations of several contracts that do not clash, a
// request matches the one operation that a search through all templates finds.
func FuzzContracts(f *testing.F) {
	v1 := operations("v1", "GET /v1/orders/{id}", "GET /v1/orders/mine", "POST /v1/orders/{id}:cancel", "GET /v1/{a}/x", "GET /{tenant}/orders")
	v2 := operations("v2", "GET /v2/orders/{id}", "GET /v2/orders/{id}/lines", "POST /v2/orders", "GET /v2/a.{ext}", "GET /v1/orders/mine/x")
	v3 := operations("v3", "GET /v3/orders", "GET /v2/orders/{id}/", "DELETE /v1/orders/{id}", "GET /{tenant}/{kind}/{id}/{line}")
	require.Empty(f, openapi.Clashes(v1, v2, v3))
	all := slices.Concat(v1, v2, v3)
	m, err := openapi.NewMatcher(all)
	require.NoError(f, err)
	for _, seed := range [][2]string{
		{"GET", "/v1/orders/7"},
		{"GET", "/v1/orders/mine"},
		{"POST", "/v1/orders/7:cancel"},
		{"GET", "/v1/orders/x"},
		{"GET", "/v2/orders/"},
		{"GET", "/v2/orders/7/"},
		{"DELETE", "/v1/orders/mine"},
		{"GET", "/v1/a/b/c"},
		{"GET", "/v3/orders"},
		{"GET", "/v2/a.json"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, method, path string) {
		if !regexp.MustCompile(`^/[a-z0-9/:.]*$`).MatchString(path) {
			return // escapes are FuzzMatch's
		}
		want := naive(all, method, strings.Split(path, "/"))
		assert.Same(t, want, m.Match(&policy.Request{Method: method, Path: path}).Operation, "%s %s", method, path)
	})
}
