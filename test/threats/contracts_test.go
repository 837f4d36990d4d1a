package threats_test

import (
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi"
)

// contracts are those of this repository.
var contracts = []string{
	"../../cmd/sidewarden/demo/*.yaml", "../load/openapi.yaml", "../testdata/*/openapi.yaml", "../testdata/camara/*/*.yaml",
	"../../policy/openapi/testdata/sessions/*/*.yaml", "../../policy/openapi/testdata/names/*.yaml",
}

// wild are expressions that contracts have, and that took a backtracking engine minutes.
var wild = []string{
	`^(a+)+$`, `^(a|aa)+$`, `^(a|a?)+$`, `(.*)*=`, `^(([a-z])+.)+[A-Z]([a-z])+$`, `^([a-zA-Z0-9])(([\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}(([a-z]{2,3})|([a-z]{2,3}[.]{1}[a-z]{2,3}))$`,
	`^(?:[a-z0-9!#$%&'*+/=?^_{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_{|}~-]+)*)@(?:[a-z0-9-]+\.)+[a-z]+$`, `^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$`,
	`^(https?://)?([\da-z.-]+)\.([a-z.]{2,6})([/\w .-]*)*/?$`, `^(\w+\s?)*$`, `^(?=.*\d)(?=.*[a-z]).{8,}$`, `(x+x+)+y`, `^([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}$`, `^(\+\d{1,2}\s?)?\d{3}[ -]?\d{4}$`, `^(\p{L}+\s?)+$`,
}

// patternsOf collects the patterns of a tree.
func patternsOf(tree any, into *[]string) {
	switch tree := tree.(type) {
	case map[string]any:
		if expression, is := tree["pattern"].(string); is {
			*into = append(*into, expression)
		}
		for _, inner := range tree {
			patternsOf(inner, into)
		}
	case []any:
		for _, inner := range tree {
			patternsOf(inner, into)
		}
	}
}

// member is a document of one member.
func member(name, text string) iter.Seq2[jsontext.Kind, []byte] {
	return func(yield func(jsontext.Kind, []byte) bool) {
		_ = yield(jsontext.KindBeginObject, nil) && yield(jsontext.KindString, []byte(name)) &&
			yield(jsontext.KindString, []byte(text)) && yield(jsontext.KindEndObject, nil)
	}
}

// TestThreatPatternsOfContracts: every pattern of a contract has its verdict on 100 KB of
// what is worst for it within 50 ms.
func TestThreatPatternsOfContracts(t *testing.T) {
	const size = 100_000
	expressions := slices.Clone(wild)
	for _, glob := range contracts {
		files, err := filepath.Glob(glob)
		require.NoError(t, err)
		require.NotEmpty(t, files, glob)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var tree any
			if yaml.Unmarshal(text, &tree) == nil {
				patternsOf(tree, &expressions)
			}
		}
	}
	slices.Sort(expressions)
	expressions = slices.Compact(expressions)
	require.Greater(t, len(expressions), len(wild)+5, "the contracts have patterns of their own")
	var properties strings.Builder
	for i, expression := range expressions {
		fmt.Fprintf(&properties, "p%d: {type: string, maxLength: 200000, pattern: '%s'}\n                ", i, strings.ReplaceAll(expression, "'", "''"))
	}
	file := filepath.Join(t.TempDir(), "contract.yaml")
	require.NoError(t, os.WriteFile(file, []byte(document("3.1.0", `paths:
  /p:
    post:
      requestBody:
        content:
          application/json:
            schema:
              properties:
                `+properties.String()+`
      responses: {'200': {description: ok}}
`)), 0o600))
	c, err := openapi.Load(openapi.Options{File: file})
	require.NoError(t, err)
	judge := c.Operations()[0].Judge()
	for i, expression := range expressions {
		for _, unit := range []string{"a", "ab", "1", "a1-", "x", "a.", "a a", "\n", "é", "aA@a.", "0000:"} {
			text := strings.Repeat(unit, size/len(unit)) + "!"
			best := time.Hour
			for range 3 { // the shortest tells the cost from that of others
				began := spent(t)
				judge.Judge(&policy.Request{}, "application/json", member(fmt.Sprint("p", i), text), true)
				if best = min(best, spent(t)-began); best < 10*time.Millisecond {
					break
				}
			}
			assert.Less(t, best, slowness*50*time.Millisecond, "%s of %q", expression, unit)
		}
	}
}

// TestThreatPatternsAreNeverSkipped: one that cannot be judged in linear time refuses the
// whole contract, with its place.
func TestThreatPatternsAreNeverSkipped(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ expression, want string }{
		{`^(.)\1$`, "back reference"}, {`^(?<n>.)\k<n>$`, "back reference"}, {`[z-a]`, ""}, {`(`, ""}, {`a{2,1}`, ""}, {`a**`, ""}, {`\p{Nonsense}`, ""},
	} {
		_, err := compiled(t, plan{mode: policy.Shadow, contract: document("3.0.3",
			`paths: {/a: {post: {requestBody: {content: {application/json: {schema: {properties: {p: {type: string, pattern: '`+row.expression+`'}}}}}}, responses: {'200': {description: ok}}}}}`+"\n")})
		require.Error(t, err, row.expression)
		assert.Contains(t, err.Error(), "/paths/~1a/post/requestBody/content/application~1json/schema/properties/p/pattern", row.expression)
		assert.Contains(t, err.Error(), row.want, row.expression)
	}
}
