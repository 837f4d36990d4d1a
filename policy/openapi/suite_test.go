package openapi_test

import (
	"encoding/json"
	"fmt"
	"go/build"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi"
)

// suiteGroup is one schema of the JSON-Schema-Test-Suite with its values.
type suiteGroup struct {
	Description string
	Schema      json.RawMessage
	Tests       []struct {
		Description string
		Data        json.RawMessage
		Valid       bool
	}
}

const metaschemas = "https://json-schema.org/draft/2020-12/"

// suiteDeviations are the groups that do not hold in a contract, by file and
// description, each with the reason. None is accepted wrongly, and all hold in
// policy/openapi/schema.
func suiteDeviations() map[string]string {
	const (
		vocabulary = "the metaschema has $vocabulary, which the document's validator takes for a typing error"
		elsewhere  = "it refers to a schema by where it was fetched, which is not its $id; nothing is fetched for a contract"
	)
	return map[string]string{
		"defs.json: validate definition against metaschema":      vocabulary,
		"ref.json: remote ref, containing refs itself":           vocabulary,
		"refRemote.json: remote HTTP ref with different $id":     elsewhere,
		"refRemote.json: remote HTTP ref with different URN $id": elsewhere,
	}
}

// suiteContract is an OpenAPI document with the schema as a component. A schema without
// an $id gets one: its references are meant for itself, not for the contract around it.
// What it refers to elsewhere becomes components, too.
func suiteContract(t *testing.T, g *suiteGroup, remotes map[string]json.RawMessage) string {
	t.Helper()
	schemas := map[string]any{"Group": identified(t, g.Schema, "https://suite.example/group")}
	text := string(g.Schema)
	for more := true; more; {
		more = false
		for _, uri := range slices.Sorted(maps.Keys(remotes)) {
			name := fmt.Sprintf("Remote-%x", uri)
			if schemas[name] == nil && refersTo(text, uri) {
				schemas[name], more = identified(t, remotes[uri], uri), true
				text += string(remotes[uri])
			}
		}
	}
	document, err := json.Marshal(map[string]any{
		"openapi": "3.1.0", "info": map[string]any{"title": "suite", "version": "1"},
		"components": map[string]any{"schemas": schemas},
		"paths": map[string]any{"/p": map[string]any{"post": map[string]any{
			"requestBody": map[string]any{"content": map[string]any{"application/json": map[string]any{"schema": map[string]any{"$ref": "#/components/schemas/Group"}}}},
			"responses":   map[string]any{"200": map[string]any{"description": "ok"}},
		}}},
	})
	require.NoError(t, err)
	return string(document)
}

// refersTo reports whether schemas refer to a document, which they name by the end of its
// URI at least; the metaschemas by the whole URI, and each other by their path.
func refersTo(text, uri string) bool {
	if name, meta := strings.CutPrefix(uri, metaschemas); meta {
		return strings.Contains(text, `"$ref": "`+uri) || path.Dir(name) == "meta" && strings.Contains(text, `"$ref": "`+name)
	}
	return strings.Contains(text, path.Base(uri))
}

func identified(t *testing.T, text json.RawMessage, uri string) any {
	t.Helper()
	s := treeOf(t, string(text))
	if o, ok := s.(map[string]any); ok && o["$id"] == nil {
		o["$id"] = uri
	}
	return s
}

// suiteRemotes returns the documents that the suite refers to, by URI.
func suiteRemotes(t *testing.T, folder string) map[string]json.RawMessage {
	t.Helper()
	all := map[string]json.RawMessage{}
	for base, in := range map[string]string{
		"http://localhost:1234/": filepath.Join(folder, "testdata", "remotes"),
		metaschemas:              filepath.Join(folder, "meta-schemas", "draft2020-12"),
	} {
		for _, pattern := range []string{"*.json", "*/*.json", "*/*/*.json"} {
			names, err := filepath.Glob(filepath.Join(in, pattern))
			require.NoError(t, err)
			for _, name := range names {
				name, err = filepath.Rel(in, name)
				require.NoError(t, err)
				if name = filepath.ToSlash(name); strings.HasPrefix(name, "draft7/") {
					continue
				}
				text, err := os.ReadFile(filepath.Join(in, name))
				require.NoError(t, err)
				if base == metaschemas {
					name = strings.TrimSuffix(name, ".json")
				}
				all[base+name] = text
			}
		}
	}
	return all
}

// suiteFault returns why a group does not hold, or "".
func suiteFault(t *testing.T, g *suiteGroup, remotes map[string]json.RawMessage) (fault string, accepted bool) {
	t.Helper()
	contract := suiteContract(t, g, remotes)
	if _, err := openapi.Load(openapi.Options{File: write(t, "contract.yaml", contract)}); err != nil {
		return "refused at load: " + err.Error(), false
	}
	s := serve(t, contract)
	for _, test := range g.Tests {
		var r policy.Request
		body := s.judge(&r, &call{method: "POST", path: "/p", header: map[string][]string{"Content-Type": {"application/json"}}, body: test.Data})
		switch {
		case !body.WellFormed.Passes():
			return "not well-formed: " + said(body.WellFormed), false
		case body.Schema.Passes() && !test.Valid:
			return "accepted: " + test.Description, true
		case !body.Schema.Passes() && test.Valid && fault == "":
			fault = "not accepted: " + test.Description + ": " + said(body.Schema)
		}
	}
	return fault, false
}

// TestSuiteInAContract runs the required groups of the JSON-Schema-Test-Suite for
// 2020-12 on the way of a request, each schema as a component of a contract.
func TestSuiteInAContract(t *testing.T) {
	p, err := build.Default.Import("github.com/google/jsonschema-go/jsonschema", ".", build.FindOnly)
	require.NoError(t, err, "the module with the suite; run go mod download")
	remotes, known := suiteRemotes(t, p.Dir), suiteDeviations()
	files, err := filepath.Glob(filepath.Join(p.Dir, "testdata", "draft2020-12", "*.json"))
	require.NoError(t, err)
	total, good := 0, 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var groups []suiteGroup
		require.NoError(t, json.Unmarshal(text, &groups))
		for i := range groups {
			total++
			name := filepath.Base(file) + ": " + groups[i].Description
			fault, accepted := suiteFault(t, &groups[i], remotes)
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
	for _, name := range slices.Sorted(maps.Keys(known)) {
		t.Errorf("%s: is listed and not in the suite", name)
	}
	require.Greater(t, total, 300, "the suite is read")
	assert.GreaterOrEqual(t, 100*good, 95*total, "%d of %d groups hold", good, total)
	t.Logf("%d of %d groups load and are judged right", good, total)
}
