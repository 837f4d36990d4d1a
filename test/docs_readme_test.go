package test_test

import (
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
)

// TestDocsReadmeNamesEveryControl compares the table of the front page with the
// catalogue: whoever reads nothing else must not think that something is not judged.
func TestDocsReadmeNamesEveryControl(t *testing.T) {
	judged := section(read(t, "../README.md"), "What is judged in this version")
	named := map[policy.Control]bool{}
	for line := range strings.Lines(judged) {
		columns := strings.Split(line, "|")
		if len(columns) < 4 || !strings.Contains(columns[1], ".") {
			continue
		}
		for name := range strings.SplitSeq(columns[1], ",") {
			id := policy.Control(strings.TrimSpace(name))
			assert.False(t, named[id], "%s is there twice", id)
			named[id] = true
		}
	}
	entries := implemented()
	require.Greater(t, len(entries), 30)
	for _, entry := range entries {
		assert.True(t, named[entry.ID], "README.md does not name %s", entry.ID)
		delete(named, entry.ID)
	}
	assert.Empty(t, named, "README.md names what is not judged")
}

// TestDocsReadmeNamesEveryDocumentOfTheAdminListener reads them from where they are served.
func TestDocsReadmeNamesEveryDocumentOfTheAdminListener(t *testing.T) {
	text := read(t, "../README.md")
	served := sources(t)
	require.Greater(t, len(served), 5)
	for _, name := range served {
		assert.True(t, strings.Contains(text, "`/"+name+"`"), "README.md does not name /%s", name)
	}
	for _, m := range regexp.MustCompile("`/([a-z]+)`").FindAllStringSubmatch(section(text, "Put it in front of your API"), -1) {
		assert.Contains(t, append(served, "healthz", "readyz", "metrics"), m[1], "nobody serves it")
	}
}

// sources are the names of the documents that cmd/sidewarden gives to the admin listener.
func sources(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, f := range goFiles(t) {
		if f.folder != "cmd/sidewarden" || f.test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			assign, is := n.(*ast.AssignStmt)
			if !is || len(assign.Lhs) != 1 {
				return true
			}
			to, field := assign.Lhs[0].(*ast.SelectorExpr)
			value, made := assign.Rhs[0].(*ast.CompositeLit)
			if !field || !made || to.Sel.Name != "Sources" {
				return true
			}
			for _, element := range value.Elts {
				if pair, is := element.(*ast.KeyValueExpr); is {
					if key, literal := pair.Key.(*ast.BasicLit); literal && key.Kind == token.STRING {
						name, err := strconv.Unquote(key.Value)
						require.NoError(t, err)
						names = append(names, name)
					}
				}
			}
			return true
		})
	}
	return names
}
