package test_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/assess/bypass"
)

func TestDocsExplainTheWaysAround(t *testing.T) {
	text := read(t, "../docs/bypass.md")
	names := map[string]bool{}
	fieldNames(reflect.TypeFor[bypass.Document](), names)
	require.Greater(t, len(names), 15)
	for name := range names {
		assert.Contains(t, text, "`"+name+"`", "docs/bypass.md does not explain the field %s", name)
	}
	claimed := section(text, "What is claimed")
	for _, state := range []bypass.State{bypass.Found, bypass.NoneFound, bypass.Unknown, bypass.NotApplicable} {
		assert.Contains(t, claimed, fmt.Sprintf("| `%s` |", state))
	}
	for _, why := range []bypass.Why{
		bypass.NoGateway, bypass.NoProof, bypass.NoRequest, bypass.NotLooked, bypass.Unreadable, bypass.TooLarge, bypass.BackendByName,
		bypass.BackendElsewhere, bypass.NothingListens,
	} {
		assert.Contains(t, claimed, fmt.Sprintf("| `%s` |", why))
	}
	for _, scope := range []bypass.Scope{bypass.ScopeAny, bypass.ScopeLoopback, bypass.ScopeInterface} {
		assert.Contains(t, section(text, "The document"), fmt.Sprintf("`%s`", scope))
	}
	for _, test := range bypass.Tests() {
		assert.Contains(t, text, fmt.Sprintf("| `%s` |", test))
	}
	bounds := section(text, "Bounds")
	assert.Contains(t, bounds, fmt.Sprintf("| %d sources", bypass.MaxSources), "docs/bypass.md has another bound")
	assert.Contains(t, bounds, fmt.Sprintf("| %d operations", bypass.MaxOperations), "docs/bypass.md has another bound")

	examples := blocks(text, "json")
	require.Len(t, examples, 1)
	decoder := json.NewDecoder(bytes.NewReader([]byte(examples[0])))
	decoder.DisallowUnknownFields()
	var doc bypass.Document
	require.NoError(t, decoder.Decode(&doc), "the example has a field that the document does not have")
	assert.Equal(t, doc.Arrivals.Count, doc.Arrivals.Operations[0].Count)
	assert.Equal(t, doc.Arrivals.Count, doc.Arrivals.Sources[0].Count)
}
