package schema_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// said is all that a run says of a value.
func said(t testing.TB, s *schema.Schema, value []byte) string {
	t.Helper()
	var r schema.Run
	satisfies(t, &r, s, value)
	f, _ := r.Fault()
	stranger, strange := r.Stranger()
	oddity, odd := r.Oddity()
	return fmt.Sprintf("%s %s, stranger %t %s, oddity %t %s", f.Pointer, f.Keyword, strange, stranger, odd, oddity)
}

// twice compiles the schema at a pointer of a document alone, and together with the same
// one of a copy of the document. All values that the second judges, within others too, are
// judged by two schemas or more, and none goes the way of those that only one judges.
func twice(t testing.TB, document []byte, pointer string, o schema.Options) (alone, both *schema.Schema) {
	t.Helper()
	w := newWorld(o)
	w.documents.Add("a.json", tree(t, document))
	w.documents.Add("b.json", tree(t, document))
	w.documents.Add("both.json", tree(t, []byte(`{"allOf":[{"$ref":"a.json#`+pointer+`"},{"$ref":"b.json#`+pointer+`"}]}`)))
	for _, name := range []string{"a.json", "b.json"} {
		w.problems = append(w.problems, w.documents.Scan(schema.Place{Document: name, Pointer: pointer})...)
	}
	alone = w.compiler.Schema(schema.Place{Document: "a.json", Pointer: pointer})
	both, problems, _ := w.compile(schema.Place{Document: "both.json"})
	require.Empty(t, problems, "%s", document)
	return alone, both
}

func TestWhatOneSchemaJudgesIsJudgedAsAmongOthers(t *testing.T) {
	words := func(n int) []string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf("w%d", i)
		}
		return all
	}
	list := func(all []string) string {
		text, err := json.Marshal(all)
		require.NoError(t, err)
		return string(text)
	}
	members := func(all []string) string {
		text := ""
		for _, name := range all {
			text += `,"` + name + `":0`
		}
		return "{" + strings.TrimPrefix(text, ",") + "}"
	}
	for _, n := range []int{1, 8, 9, 64, 65, 130} {
		all := words(n)
		alone, both := twice(t, []byte(`{"required":`+list(all)+`,"properties":{"w0":{"minimum":0},"x":{"enum":`+list(all)+`}}}`), "", schema.Options{})
		for i, word := range all {
			present := members(append(append([]string{}, all[:i]...), all[i+1:]...))
			for value, want := range map[string]string{
				present: "/" + word + " required", members(all): " ",
				`{"x":"` + word + `",` + members(all)[1:]:  " ",
				`{"x":"` + word + `-",` + members(all)[1:]: "/x enum",
			} {
				assert.Equal(t, want+", stranger", strings.SplitAfter(said(t, alone, []byte(value)), "stranger")[0])
				assert.Equal(t, said(t, both, []byte(value)), said(t, alone, []byte(value)))
			}
		}
	}
}

func TestGeneratedSchemasAreJudgedAsAmongOthers(t *testing.T) {
	failed, all := 0, 0
	for seed := range uint64(600) {
		c := choices(seed)
		o := schema.Options{Modern: c.under(2) == 1, Answers: c.rarely(4)}
		document := (&generator{chooser: c, modern: o.Modern}).document()
		alone, both := twice(t, text(document, &chooser{}), "/components/schemas/A", o)
		n := &nearer{generator: &generator{chooser: c, modern: o.Modern}, document: document}
		for range 8 {
			value := text(n.near([]any{object{"$ref": ref("A")}}, 4), c)
			one := said(t, alone, value)
			require.Equal(t, said(t, both, value), one, "%s\n%s", value, text(document, &chooser{}))
			if all++; !strings.HasPrefix(one, " ,") {
				failed++
			}
		}
	}
	assert.Greater(t, failed, all/5)
	assert.Less(t, failed, 4*all/5)
}
