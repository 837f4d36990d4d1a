package schema_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// Kin judges readOnly otherwise where no generated schema has it, and
// docs/schema-keywords.md says so.
func TestKinJudgesReadOnlyOtherwise(t *testing.T) {
	for _, c := range []struct {
		schema, value string
		ours, theirs  bool
	}{
		{`{"required":["id"],"allOf":[{"properties":{"id":{"readOnly":true}}}]}`, `{}`, true, true},
		{`{"allOf":[{"required":["id"]},{"properties":{"id":{"readOnly":true}}}]}`, `{}`, true, true},
		{`{"properties":{"id":{"readOnly":true}},"oneOf":[{"required":["id"]}]}`, `{}`, false, true},
		{`{"properties":{"id":{"readOnly":true}},"anyOf":[{"required":["id"]}]}`, `{}`, false, true},
		{`{"properties":{"id":{"readOnly":true}},"not":{"required":["id"]}}`, `{}`, true, false},
		{`{"properties":{"id":{"allOf":[{"readOnly":true}]}},"required":["id"]}`, `{}`, true, false},
		{`{"properties":{"id":{"allOf":[{"readOnly":true}]}}}`, `{"id":1}`, false, true},
		{`{"additionalProperties":{"readOnly":true}}`, `{"id":1}`, false, true},
		{`{"items":{"readOnly":true}}`, `[1]`, false, true},
	} {
		document := object{"components": object{"schemas": object{"A": tree(t, []byte(c.schema))}}}
		w := newWorld(schema.Options{})
		s, problems, _ := w.compile(w.add("document.json", document).Child("components", "schemas", "A"))
		require.Empty(t, problems, c.schema)
		var r schema.Run
		assert.Equal(t, c.ours, satisfies(t, &r, s, []byte(c.value)), "ours: %s", c.schema)
		assert.Equal(t, c.theirs, kin(t, document, false)(t, []byte(c.value)), "kin: %s", c.schema)
	}
}
