package test_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/assess/evidence"
)

// fieldNames adds the names of the JSON members of a type to a set.
func fieldNames(t reflect.Type, names map[string]bool) {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t.PkgPath() == "time" {
		return
	}
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			names[name] = true
		}
		fieldNames(f.Type, names)
	}
}

func TestDocsExplainTheCensus(t *testing.T) {
	text := read(t, "../docs/census.md")
	table := section(text, "The document") + section(text, "Bounds") + section(text, "Who is counted for what")
	names := map[string]bool{}
	fieldNames(reflect.TypeFor[evidence.CensusDocument](), names)
	require.Greater(t, len(names), 40)
	for name := range names {
		assert.Contains(t, table, "`"+name+"`", "docs/census.md does not explain the field %s", name)
	}
	for _, name := range []string{evidence.NoToken, evidence.Unproven, evidence.Absent, evidence.Other, evidence.Bearer} {
		assert.Contains(t, table, "`"+name+"`", "docs/census.md does not explain the name %s", name)
	}
	for _, bound := range []string{fmt.Sprintf("| %d clients", evidence.DefaultMaxClients), fmt.Sprintf("| %d pairs", evidence.DefaultMaxEntries)} {
		assert.Contains(t, table, bound, "docs/census.md has another bound")
	}

	examples := blocks(text, "json")
	require.Len(t, examples, 1)
	decoder := json.NewDecoder(bytes.NewReader([]byte(examples[0])))
	decoder.DisallowUnknownFields()
	var doc evidence.CensusDocument
	require.NoError(t, decoder.Decode(&doc), "the example has a field that the document does not have")
	bounds := evidence.CensusBuckets()
	assert.Equal(t, bounds[:], doc.Buckets)
	assert.Equal(t, doc.Records, doc.NotEvaluated+doc.None.Requests+doc.Issuers[0].Requests)
}
