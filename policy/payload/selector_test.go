package payload_test

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/payload"
)

// fickle is a judge that stops after some tokens, by a panic or because it has seen enough.
type fickle struct {
	after  int
	panics bool
}

func (j fickle) Judge(_ *policy.Request, _ string, tokens iter.Seq2[jsontext.Kind, []byte], _ bool) policy.Verdict {
	left := j.after
	for range tokens {
		if left--; left >= 0 {
			continue
		}
		if j.panics {
			panic("enough")
		}
		break
	}
	return fault
}

func TestNothingButItsVerdictDependsOnWhereTheJudgeStops(t *testing.T) {
	const text = `{"o":{"a":[1,{"a":"no"}]},"a":["x",{"b":[null]},"\u0079"],"n":{"a":[1]}}`
	want := [][]string{{"x", `{"b":[null]}`, "y"}, {`{"a":[1]}`}, {"no"}}
	for after := range 40 {
		for _, panics := range []bool{false, true} {
			in, err := payload.NewInspector(payload.Options{
				Declared: declare(t, "application/json"), MaxBytes: 1000, MaxDepth: 8,
				Selectors: []string{"/a", "/n", "/o/a/1/a"}, Schema: fickle{after, panics},
			})
			require.NoError(t, err)
			body := in.Inspect(post(contentType("application/json")), []byte(text), -1, true)
			assert.Equal(t, policy.Permitted(), body.WellFormed)
			assert.Equal(t, want, body.Selected)
			body = in.Inspect(post(contentType("application/json")), []byte(text+"]"), -1, true)
			assert.Equal(t, policy.JSONTrailingData, body.WellFormed.Reason)
			assert.Equal(t, policy.UndecidedBy(policy.InWellformed), body.Schema)
			assert.Nil(t, body.Selected)
		}
	}
}

func TestSelectorsLookAtThePathAlone(t *testing.T) {
	for _, c := range []struct {
		name, pointer, body string
		want                []string
	}{
		{"a name at another depth", "/a", `{"b":{"a":"no"},"c":[{"a":"no"}],"a":"x"}`, []string{"x"}},
		{"a name behind an object of another name", "/a/b", `{"x":{"b":"no"},"a":{"x":{"b":"no"},"b":"x"}}`, []string{"x"}},
		{"a value that is the name", "/a", `{"b":"a","c":"no","a":"x"}`, []string{"x"}},
		{"an index counts elements of every kind", "/a/3", `{"a":[[1,2,3],{"a":1},null,"x","no"]}`, []string{"x"}},
		{"an index in an array in an array", "/1/1", `[["no","no"],["no","x"],["no","no"]]`, []string{"x"}},
		{"a number as a name", "/1", `{"1":"x"}`, []string{"x"}},
		{"a padded number as a name", "/01", `{"1":"no","01":"x"}`, []string{"x"}},
		{"a path that goes on behind an object that ended", "/a/b", `{"a":{},"b":"no"}`, nil},
		{"an object in an object is part of its text", "/a", `{"a":{"b":{"c":[1,{}]}} ,"b":1}`, []string{`{"b":{"c":[1,{}]}}`}},
		{"elements of every kind", "/a", `{"a":[1,{"a":[1,2]}, [ [] ],null,false,"x"]}`, []string{"1", `{"a":[1,2]}`, "[ [] ]", "false", "x"}},
		{"the whole document", "", `[{"a":1},"x"]`, []string{`{"a":1}`, "x"}},
		{"the whole document is an object", "", ` {"a":1} `, []string{`{"a":1}`}},
		{"the whole document is null", "", `null`, nil},
		{"a name in escapes", "/\u00e9\"", `{"\u00E9\"":"x"}`, []string{"x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, schema := range []payload.Judge{nil, newCounter()} {
				in := roomy(t, schema, c.pointer, "/never/there")
				body := in.Inspect(post(contentType("application/json")), []byte(c.body), -1, true)
				assert.Equal(t, [][]string{c.want, nil}, body.Selected)
			}
		})
	}
}

// pointed is what a pointer finds in a tree: the value, or each element of an array, but
// for null.
func pointed(tree any, pointer string) []any {
	tokens := strings.Split(pointer, "/")[1:]
	for _, token := range tokens {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch in := tree.(type) {
		case map[string]any:
			tree = in[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || strconv.Itoa(i) != token || i < 0 || i >= len(in) {
				return nil
			}
			tree = in[i]
		default:
			return nil
		}
	}
	elements, ok := tree.([]any)
	if !ok {
		elements = []any{tree}
	}
	var found []any
	for _, e := range elements {
		if e != nil {
			found = append(found, e)
		}
	}
	return found
}

// FuzzSelected compares what is found while a document is read with what a pointer finds in
// its tree.
func FuzzSelected(f *testing.F) {
	f.Add("/a", []byte(`{"a":["x",2,null,{"b":[1]},[[]]]}`))
	f.Add("/a/1/b", []byte(`{"b":1,"a":[{"b":1},{"a":2,"b":{"c":3}}],"c":[]}`))
	f.Add("", []byte(`[1,"\u0061",[2]]`))
	f.Add("//~0~1", []byte(`{"":{"~/":1e5}}`))
	f.Add("/0/0", []byte(`[[true]]`))
	f.Fuzz(func(t *testing.T, pointer string, b []byte) {
		if len(b) == 0 || len(b) > 1<<12 {
			return
		}
		in, err := payload.NewInspector(payload.Options{
			Declared: declare(t, "application/json"), MaxBytes: 1 << 12, MaxDepth: depth, Selectors: []string{pointer}, Schema: fickle{after: len(b) % 7},
		})
		if err != nil {
			return
		}
		body := in.Inspect(post(contentType("application/json")), b, -1, true)
		require.Equal(t, payload.ReadJSON(b, depth, nil), body.WellFormed)
		if !body.WellFormed.Passes() {
			require.Nil(t, body.Selected)
			return
		}
		tree, _ := readTree(b, depth)
		want := pointed(tree, pointer)
		require.Len(t, body.Selected[0], len(want))
		for i, got := range body.Selected[0] {
			if text, ok := want[i].(string); ok {
				require.Equal(t, text, got)
				continue
			}
			d := json.NewDecoder(bytes.NewReader([]byte(got)))
			d.UseNumber()
			var value any
			require.NoError(t, d.Decode(&value))
			require.Equal(t, want[i], value)
		}
	})
}
