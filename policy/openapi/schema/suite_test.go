package schema_test

import (
	"encoding/json"
	"go/build"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	// Its module carries the public test suite, as data; its code judges nothing here.
	_ "github.com/google/jsonschema-go/jsonschema"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// group is one schema of the JSON-Schema-Test-Suite with values, and what the
// specification says of them.
type group struct {
	Description string          `json:"description"`
	Schema      json.RawMessage `json:"schema"`
	Tests       []struct {
		Description string          `json:"description"`
		Data        json.RawMessage `json:"data"`
		Valid       bool            `json:"valid"`
	} `json:"tests"`
}

// suiteFolder is where the module with the suite is, in the cache of modules.
func suiteFolder(t testing.TB) string {
	t.Helper()
	p, err := build.Default.Import("github.com/google/jsonschema-go/jsonschema", ".", build.FindOnly)
	require.NoError(t, err, "the module with the JSON-Schema-Test-Suite; run go mod download")
	return p.Dir
}

// groupsOf reads all groups of the files in a folder, by file name.
func groupsOf(t testing.TB, folder string) map[string][]group {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	require.NoError(t, err)
	all := map[string][]group{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var groups []group
		require.NoError(t, json.Unmarshal(text, &groups), file)
		all[filepath.Base(file)] = groups
	}
	return all
}

// remotes returns the documents that schemas of the suite refer to, by URI: the
// suite's own, as if they were served where it expects them, and the metaschemas.
func remotes(t testing.TB) map[string][]byte {
	t.Helper()
	all, base := map[string][]byte{}, suiteFolder(t)
	for uri, folder := range map[string]string{
		"http://localhost:1234/":                 filepath.Join(base, "testdata", "remotes"),
		"https://json-schema.org/draft/2020-12/": filepath.Join(base, "meta-schemas", "draft2020-12"),
	} {
		served := os.DirFS(folder)
		require.NoError(t, fs.WalkDir(served, ".", func(name string, _ fs.DirEntry, err error) error {
			if err != nil || path.Ext(name) != ".json" || strings.HasPrefix(name, "draft7/") {
				return err
			}
			all[uri+name], err = fs.ReadFile(served, name)
			return err
		}))
	}
	require.Greater(t, len(all), 20)
	return all
}

// suite judges the groups of the test suite.
type suite struct {
	remotes map[string][]byte
	run     schema.Run
}

// judge returns why a group does not hold, or "": its schema is refused at load, or a
// value is judged wrongly. A value that is accepted wrongly comes first.
func (s *suite) judge(t testing.TB, g *group) (fault string, accepted bool) {
	t.Helper()
	w := newWorld(schema.Options{Modern: true})
	for uri, text := range s.remotes {
		w.add(uri, tree(t, text))
	}
	compiled, problems, _ := w.compile(w.add("group.json", tree(t, g.Schema)))
	if len(problems) > 0 {
		return "refused at load: " + problems[0].Place.Pointer + " " + problems[0].Cause, false
	}
	for _, test := range g.Tests {
		switch got := satisfies(t, &s.run, compiled, test.Data); {
		case got && !test.Valid:
			return "accepted: " + test.Description, true
		case !got && test.Valid && fault == "":
			fault = "not accepted: " + test.Description
		}
	}
	return fault, false
}

// deviations are the groups that do not hold, by file and description, each with the
// reason. None accepts what the specification refuses.
func deviations() map[string]string {
	return map[string]string{}
}

// TestSuite2020 runs the required groups of the JSON-Schema-Test-Suite for 2020-12:
// they load and every value is judged as the specification says. To refuse a schema
// at load is not enough.
func TestSuite2020(t *testing.T) {
	s := &suite{remotes: remotes(t)}
	known, total, good := deviations(), 0, 0
	for file, groups := range groupsOf(t, filepath.Join(suiteFolder(t), "testdata", "draft2020-12")) {
		for i := range groups {
			total++
			name := file + ": " + groups[i].Description
			fault, accepted := s.judge(t, &groups[i])
			why, listed := known[name]
			delete(known, name)
			assert.False(t, accepted, "a false accept: %s: %s", name, fault)
			switch {
			case fault == "" && listed:
				t.Errorf("%s: holds, and is listed: %s", name, why)
			case fault == "":
				good++
			case !listed:
				t.Errorf("%s: %s", name, fault)
			}
		}
	}
	for name := range known {
		t.Errorf("%s: is listed and not in the suite", name)
	}
	require.Greater(t, total, 300, "the suite is read")
	assert.GreaterOrEqual(t, 100*good, 95*total, "%d of %d groups hold", good, total)
	t.Logf("%d of %d groups load and are judged right", good, total)
}

// TestSuiteOfOurOwn runs groups of the same shape for what the copy of the suite
// leaves out: formats, content, vocabularies, unknown keywords and what looks like a
// keyword but is a value.
func TestSuiteOfOurOwn(t *testing.T) {
	s := &suite{remotes: remotes(t)}
	all := groupsOf(t, "testdata/suite")
	require.Len(t, all, 5)
	for file, groups := range all {
		for i := range groups {
			fault, _ := s.judge(t, &groups[i])
			assert.Empty(t, fault, "%s: %s", file, groups[i].Description)
		}
	}
}
