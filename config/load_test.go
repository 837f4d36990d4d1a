package config_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/config"
)

func TestLoadJoinsRelativePathsToTheFolderOfTheFile(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "key"), []byte("a-key-of-enough-bytes\r\n"), 0o600))
	data := string(read(t, "minimal.good.yaml")) + "audit: {pseudonym_key: \"${file:key}\", file: {path: /var/log/a.jsonl}}\n"
	file := filepath.Join(dir, "sidewarden.yaml")
	require.NoError(t, os.WriteFile(file, []byte(data), 0o600))

	c, err := config.Load(file, config.Env{})
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(dir, "openapi.yaml"), c.Specs[0].File)
	assert.Equal(t, dir, c.Specs[0].Root)
	assert.Equal(t, "/var/log/a.jsonl", c.Audit.File.Path, "an absolute path stays")
	assert.Equal(t, "a-key-of-enough-bytes", c.Audit.PseudonymKey.Reveal(), "one line end is removed")
}

func TestLoadUsesTheGivenEnvironment(t *testing.T) {
	env := world()
	env.ReadFile = func(string) ([]byte, error) { return read(t, "reference-missing.good.yaml"), nil }
	c, err := config.Load("conf/sidewarden.yaml", env)
	require.NoError(t, err)
	assert.Equal(t, "prod", c.Environment)
	assert.Equal(t, filepath.Join("conf", "openapi.yaml"), c.Specs[0].File)
}

func TestAFileThatCannotBeReadIsAProblem(t *testing.T) {
	_, err := config.Load(filepath.Join(t.TempDir(), "absent.yaml"), config.Env{})
	var ps config.Problems
	require.ErrorAs(t, err, &ps)
	require.Len(t, ps, 1)
	assert.Contains(t, ps[0].Cause, "no such file")
}

func TestHostileFilesAreRefused(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("insecure_fail_open: &a [" + strings.Repeat("rate.app,", 1000) + "]\nlogin: &b [" + strings.Repeat("[x],", 100) + "]\noperations:\n")
	for i := range 1000 {
		fmt.Fprintf(&bomb, "  op%d: {scopes: [*a, *a, *a]}\n", i)
	}
	many := "backend: {url: \"http://127.0.0.1:1\", login_paths: &a [" + strings.Repeat("/x,", 1000) + "]}\noperations:\n"
	for i := range 100 {
		many += fmt.Sprintf("  op%d: {scopes: [%s]}\n", i, strings.Repeat("*a,", 10))
	}
	for name, row := range map[string]struct{ data, want string }{
		"more bytes than the bound":      {strings.Repeat("#", 1<<20+1), "more than 1048576 bytes"},
		"deep nesting":                   {"health: " + strings.Repeat("[", 5000), "not YAML"},
		"aliases of aliases":             {many, "expands to more than 100000 values"},
		"an alias of itself":             {"health: &a [*a]\n", "a string is expected, not a list"},
		"many misspelt names":            {bomb.String(), "no such field"},
		"a binary tag":                   {"product: !!binary aGk=\n", "a string is expected"},
		"a NUL byte":                     {"product: \x00\n", "not YAML"},
		"a number that overflows":        {"version: 99999999999\n", "2147483647"},
		"a size beyond its digits":       {"payload: {max_request_bytes: 9999999999GiB}\n", "is not a size"},
		"a name that is not a string":    {"controls: {1: off}\n", "a name is expected"},
		"a long name is cut in messages": {strings.Repeat("x", 5000) + ": 1\n", `xxx..."`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse("f", []byte(row.data), world())
			require.Error(t, err)
			assert.Contains(t, err.Error(), row.want)
		})
	}
}

func TestProblemsAreSortedByLineAndSayEverythingOnce(t *testing.T) {
	_, err := config.Parse("f.yaml", []byte("verzion: 1\nproduct: A\nlisten: {address: x}\nbackend: {}\n"), world())
	var ps config.Problems
	require.ErrorAs(t, err, &ps)
	last, seen := 0, map[string]bool{}
	for _, p := range ps {
		assert.GreaterOrEqual(t, p.Line, last)
		assert.False(t, seen[p.String()], "said twice: %s", p)
		last, seen[p.String()] = p.Line, true
	}
	assert.Len(t, ps, 6)
	assert.Contains(t, err.Error(), `f.yaml:1:1: verzion: no such field; did you mean "version"?`)
	assert.Equal(t, len(ps)-1, bytes.Count([]byte(err.Error()), []byte("\n")), "one line per problem")
}
