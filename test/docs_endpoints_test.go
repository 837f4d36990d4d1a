package test_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/audit"
)

func TestDocsExplainTheEndpoints(t *testing.T) {
	text := read(t, "../docs/endpoints.md")
	table := section(text, "The document") + section(text, "What counts as served")
	names := map[string]bool{}
	fieldNames(reflect.TypeFor[evidence.EndpointsDocument](), names)
	require.Greater(t, len(names), 25)
	for name := range names {
		assert.Contains(t, table, "`"+name+"`", "docs/endpoints.md does not explain the field %s", name)
	}
	for _, u := range []evidence.Undeclared{evidence.UndeclaredPath, evidence.UndeclaredMethod, evidence.UndeclaredUnknown} {
		assert.Contains(t, table, "`"+string(u)+"`")
	}
	assert.Contains(t, section(text, "Bounds"), fmt.Sprintf("| %d endpoints", evidence.DefaultMaxEndpoints), "docs/endpoints.md has another bound")
	for _, word := range []string{"api", "v2", "internal", "debug", "actuator", "graphql", ".well-known"} {
		assert.Contains(t, section(text, "What a template shows"), "`"+word+"`")
		assert.True(t, slices.Contains(audit.CommonSegments(), word), "docs/endpoints.md calls %s a common word", word)
	}

	examples := blocks(text, "json")
	require.Len(t, examples, 1)
	decoder := json.NewDecoder(bytes.NewReader([]byte(examples[0])))
	decoder.DisallowUnknownFields()
	var doc evidence.EndpointsDocument
	require.NoError(t, decoder.Decode(&doc), "the example has a field that the document does not have")
	sum := doc.Preflights + doc.Unread + doc.Forgotten + doc.Overflow.Requests
	for _, u := range append(doc.Shadow, doc.Probed...) {
		sum += u.Requests
	}
	for _, d := range slices.Concat(doc.Zombie, doc.Dead, doc.Used) {
		sum += d.Requests
		assert.Equal(t, d.Requests, d.Served+d.Refused+d.NotFound+d.Failed+d.NotForwarded, d.Operation)
	}
	assert.Equal(t, doc.Requests, sum, "the example does not add up")
}
