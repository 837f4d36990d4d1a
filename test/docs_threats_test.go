package test_test

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDocsNameATestForEveryThreat compares docs/threats.md with the tests: each row
// names some, each that is named exists, and no test of a threat is left out.
func TestDocsNameATestForEveryThreat(t *testing.T) {
	text := read(t, filepath.Join("..", "docs", "threats.md"))
	declared := map[string]bool{}
	for _, f := range goFiles(t) {
		for _, d := range f.ast.Decls {
			if fn, is := d.(*ast.FuncDecl); is && strings.HasPrefix(fn.Name.Name, "TestThreat") {
				assert.False(t, declared[fn.Name.Name], "%s is there twice: the page could not tell which it means", fn.Name.Name)
				declared[fn.Name.Name] = true
			}
		}
	}
	require.Greater(t, len(declared), 60)
	named, rows := map[string]bool{}, 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| threat ") {
			continue
		}
		rows++
		columns := strings.Split(line, "|")
		tests := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(columns[len(columns)-2], -1)
		assert.NotEmpty(t, tests, "a threat without a test: %s", line)
		for _, m := range tests {
			named[m[1]] = true
			if script, is := strings.CutPrefix(m[1], "Script/"); is {
				_, err := os.Stat(filepath.Join("testdata", "script", script+".txtar"))
				assert.NoError(t, err)
				continue
			}
			assert.True(t, declared[m[1]], "%s does not exist", m[1])
		}
	}
	assert.GreaterOrEqual(t, rows, 33)
	for name := range declared {
		assert.True(t, named[name], "docs/threats.md does not name %s", name)
	}
}
