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
	declared := threats(t)
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
			assert.Contains(t, declared, m[1], "it does not exist")
		}
	}
	assert.GreaterOrEqual(t, rows, 33)
	for name := range declared {
		assert.True(t, named[name], "docs/threats.md does not name %s", name)
	}
}

// TestDocsRunEveryTestOfAThreat compares the command of docs/threats.md with where the
// tests are: it runs each of them, and names no packages without any.
func TestDocsRunEveryTestOfAThreat(t *testing.T) {
	text := strings.Join(strings.Fields(read(t, filepath.Join("..", "docs", "threats.md"))), " ")
	command := regexp.MustCompile("`go test ((?:\\./[a-z/.]+ )+)-run (\\S+) -v`").FindStringSubmatch(text)
	require.NotNil(t, command, "docs/threats.md has the command that runs the tests")
	run, err := regexp.Compile(command[2])
	require.NoError(t, err)
	patterns, used := strings.Fields(command[1]), map[string]bool{}
	for name, folder := range threats(t) {
		assert.Regexp(t, run, name)
		runs := false
		for _, pattern := range patterns {
			if matches(pattern, folder) {
				runs, used[pattern] = true, true
			}
		}
		assert.True(t, runs, "%s is in ./%s, which the command does not run", name, folder)
	}
	for _, pattern := range patterns {
		assert.True(t, used[pattern], "no test of a threat is in %s", pattern)
	}
	assert.NotRegexp(t, run, "TestDocsNameATestForEveryThreat", "the command runs no other tests")
}

// matches reports whether a pattern of packages, as go test takes it, has a folder.
func matches(pattern, folder string) bool {
	if top, below := strings.CutSuffix(pattern, "/..."); below {
		return strings.HasPrefix("./"+folder+"/", top+"/")
	}
	return pattern == "./"+folder
}

// threats are the tests of threats, each with its folder.
func threats(t *testing.T) map[string]string {
	t.Helper()
	declared := map[string]string{}
	for _, f := range goFiles(t) {
		for _, d := range f.ast.Decls {
			if fn, is := d.(*ast.FuncDecl); is && strings.HasPrefix(fn.Name.Name, "TestThreat") {
				assert.NotContains(t, declared, fn.Name.Name, "it is there twice: the page could not tell which it means")
				declared[fn.Name.Name] = f.folder
			}
		}
	}
	require.Greater(t, len(declared), 60)
	return declared
}
