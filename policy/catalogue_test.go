package policy_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
)

// constants returns the string constants of the type that the file of this
// package declares, by name.
func constants(t *testing.T, file, typeName string) map[string]string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	found := map[string]string{}
	for _, d := range parsed.Decls {
		block, isBlock := d.(*ast.GenDecl)
		if !isBlock || block.Tok != token.CONST {
			continue
		}
		for _, s := range block.Specs {
			spec, isValue := s.(*ast.ValueSpec)
			require.True(t, isValue)
			require.Len(t, spec.Names, len(spec.Values), "every constant of %s has its own value", file)
			if id, named := spec.Type.(*ast.Ident); !named || id.Name != typeName {
				continue
			}
			for i, name := range spec.Names {
				literal, isLiteral := spec.Values[i].(*ast.BasicLit)
				require.True(t, isLiteral, "%s is a literal", name.Name)
				text, err := strconv.Unquote(literal.Value)
				require.NoError(t, err)
				found[name.Name] = text
			}
		}
	}
	require.NotEmpty(t, found)
	return found
}

func TestTheCatalogueIsTheEmbeddedFile(t *testing.T) {
	file, err := os.Open("catalogue.json")
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	var want []policy.Entry
	require.NoError(t, decoder.Decode(&want))
	assert.Equal(t, want, policy.Catalogue())
}

func TestEveryControlIsDescribed(t *testing.T) {
	var words []string
	for _, p := range phases() {
		words = append(words, p.String())
	}
	id := regexp.MustCompile(`^[a-z]+\.[a-z]+$`)
	owasp := regexp.MustCompile(`^API([1-9]|10)$`)
	asvs := regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+$`)
	layers := []string{"issuer", "gateway", "sidecar", "backend"}
	seen := make(map[policy.Control]bool)
	for _, e := range policy.Catalogue() {
		assert.Regexp(t, id, e.ID)
		assert.False(t, seen[e.ID], "%s is listed twice", e.ID)
		seen[e.ID] = true
		assert.NotEmpty(t, e.Title, e.ID)
		assert.Contains(t, families(), e.Family, e.ID)
		assert.Contains(t, words, e.Phase, e.ID)
		assert.Contains(t, layers, e.MinLayer, e.ID)
		assert.Contains(t, append(layers, ""), e.SecondLayer, e.ID)
		assert.NotEqual(t, e.MinLayer, e.SecondLayer, "%s: depth needs another layer", e.ID)
		assert.NotEmpty(t, e.OWASP, e.ID)
		for _, o := range e.OWASP {
			assert.Regexp(t, owasp, o, e.ID)
		}
		for _, a := range e.ASVS {
			assert.Regexp(t, asvs, a, e.ID)
		}
	}
}

func TestTheStatusOfABlockedAnswer(t *testing.T) {
	statuses := []struct {
		control string // an id, or the part of an id before the dot
		status  int
	}{
		{"in.route", http.StatusNotFound},
		{"in.method", http.StatusMethodNotAllowed},
		{"in.ctype", http.StatusUnsupportedMediaType},
		{"in.size", http.StatusRequestEntityTooLarge},
		{"in", http.StatusBadRequest},
		{"waf", http.StatusBadRequest},
		{"tls", http.StatusBadRequest},
		{"tok", http.StatusUnauthorized},
		{"key", http.StatusUnauthorized},
		{"mtls", http.StatusUnauthorized},
		{"az", http.StatusForbidden},
		{"path", http.StatusForbidden},
		{"rate", http.StatusTooManyRequests},
		{"ab", http.StatusTooManyRequests},
		{"out", http.StatusBadGateway},
		{"log", http.StatusServiceUnavailable},
	}
	of := func(c policy.Control) int {
		prefix, _, _ := strings.Cut(string(c), ".")
		for _, s := range statuses {
			if s.control == string(c) || s.control == prefix {
				return s.status
			}
		}
		return 0
	}
	for _, e := range policy.Catalogue() {
		assert.Equal(t, of(e.ID), e.Status, e.ID)
	}
}

func TestNeedsAreEvaluatedBeforeTheControl(t *testing.T) {
	rank := func(phase string) int {
		return slices.IndexFunc(phases(), func(p policy.Phase) bool { return p.String() == phase })
	}
	for _, e := range policy.Catalogue() {
		for _, need := range e.Needs {
			n, known := policy.Lookup(need)
			require.True(t, known, "%s needs %s, which is not in the catalogue", e.ID, need)
			assert.Less(t, policy.Order(need), policy.Order(e.ID), "%s needs %s", e.ID, need)
			assert.LessOrEqual(t, rank(n.Phase), rank(e.Phase), "%s needs %s of a later phase", e.ID, need)
			assert.Subset(t, e.Needs, n.Needs, "%s needs what %s needs", e.ID, need)
			assert.True(t, n.Implemented || !e.Implemented, "%s has a check, but %s, which it needs, has none", e.ID, need)
		}
	}
}

func TestWhatTheControlsNeed(t *testing.T) {
	proof := []policy.Control{policy.TokPresent, policy.TokSig}
	for _, e := range policy.Catalogue() {
		want := []policy.Control{}
		prefix, _, _ := strings.Cut(string(e.ID), ".")
		switch {
		case e.ID == policy.TokPresent:
		case e.ID == policy.TokSig, e.ID == policy.KeyValid:
			want = proof[:1]
		case prefix == "tok", prefix == "az":
			want = proof
		case e.ID == policy.InMethod:
			want = []policy.Control{policy.InRoute}
		case e.ID == policy.InWellformed:
			want = []policy.Control{policy.InSize, policy.InCtype}
		case e.ID == policy.InSchema:
			want = []policy.Control{policy.InSize, policy.InCtype, policy.InWellformed}
		}
		assert.Equal(t, want, e.Needs, e.ID)
	}
}

func TestTheCatalogueIsInOrderOfItsPhases(t *testing.T) {
	last := policy.HeadPhase
	for _, e := range policy.Catalogue() {
		if e.Family == policy.Transport || e.Family == policy.Log {
			continue // these judge the process, not one request, and close the list
		}
		assert.GreaterOrEqual(t, phaseOf(e.ID), last, e.ID)
		last = phaseOf(e.ID)
	}
}

func TestTheConstantsAreTheControlsWithACheck(t *testing.T) {
	var implemented []string
	for _, e := range policy.Catalogue() {
		if e.Implemented {
			implemented = append(implemented, string(e.ID))
		}
	}
	var declared []string
	for name, id := range constants(t, "control.go", "Control") {
		assert.Equal(t, strings.ToLower(name), strings.ReplaceAll(id, ".", ""), "the name of %s says which control it is", id)
		declared = append(declared, id)
	}
	assert.ElementsMatch(t, implemented, declared)
}

func TestLookupAndOrderFollowTheCatalogue(t *testing.T) {
	for i, e := range policy.Catalogue() {
		found, known := policy.Lookup(e.ID)
		assert.True(t, known)
		assert.Equal(t, e, found)
		assert.Equal(t, i, policy.Order(e.ID))
	}
	found, known := policy.Lookup("tok.unheard-of")
	assert.False(t, known)
	assert.Equal(t, policy.Entry{}, found)
	assert.Equal(t, -1, policy.Order("tok.unheard-of"))
}

func TestTheCatalogueIsTheCallersToChange(t *testing.T) {
	mine := policy.Catalogue()
	mine[0].ID = "changed"
	assert.NotEqual(t, mine[0], policy.Catalogue()[0])
}

func TestReasonsAreStableCodes(t *testing.T) {
	kebab := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	reasons := map[string]string{}
	for _, file := range reasonFiles(t) {
		maps.Copy(reasons, constants(t, file, "Reason"))
	}
	names := map[string]string{}
	for name, code := range reasons {
		assert.Regexp(t, kebab, code, name)
		assert.Empty(t, names[code], "%s and %s are one code", name, names[code])
		names[code] = name
		assert.Equal(t, strings.ToLower(name), strings.ReplaceAll(code, "-", ""), "the name of %q says which reason it is", code)
	}
}

// reasonFiles are the files that hold the closed set of reasons.
func reasonFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("reason*.go")
	require.NoError(t, err)
	return slices.DeleteFunc(files, func(file string) bool { return strings.HasSuffix(file, "_test.go") })
}

func TestEveryConstantOfTheReasonsHasTheirType(t *testing.T) {
	for _, file := range reasonFiles(t) {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		count := 0
		ast.Inspect(parsed, func(n ast.Node) bool {
			if spec, isValue := n.(*ast.ValueSpec); isValue {
				count += len(spec.Names)
			}
			return true
		})
		assert.Len(t, constants(t, file, "Reason"), count, "%s: an untyped constant is outside the closed set", file)
	}
}

func TestFamiliesAreAClosedSet(t *testing.T) {
	var declared []policy.Family
	for _, f := range constants(t, "control.go", "Family") {
		declared = append(declared, policy.Family(f))
	}
	assert.ElementsMatch(t, families(), declared)
}

func TestClassesAreAClosedSet(t *testing.T) {
	var declared []policy.ResponseClass
	for _, c := range constants(t, "class.go", "ResponseClass") {
		declared = append(declared, policy.ResponseClass(c))
	}
	assert.ElementsMatch(t, policy.Classes(), declared)
}
