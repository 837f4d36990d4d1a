package payload_test

import (
	"encoding/json"
	"iter"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/payload"
	"github.com/sidewarden/sidewarden/policy/policytest"
)

// judge notes what it was asked and gives a fixed verdict.
type judge struct {
	verdict   policy.Verdict
	panics    bool
	calls     int
	mediaType string
	tokens    string // their kinds
	value     any
	present   bool
}

func (j *judge) Judge(_ *policy.Request, mediaType string, tokens iter.Seq2[jsontext.Kind, []byte], present bool) policy.Verdict {
	j.calls++
	j.mediaType, j.value, j.present, j.tokens = mediaType, nil, present, ""
	t := &tree{}
	for kind, text := range tokens {
		if j.tokens += string(rune(kind)); j.panics {
			panic(policytest.Canary)
		}
		t.visit(kind, text)
	}
	for range tokens {
		j.tokens += "again"
	}
	j.value = t.root
	return j.verdict
}

var fault = policy.Denied(policy.SchemaMismatch, "/a type")

func inspector(t testing.TB, schema payload.Judge, selectors ...string) *payload.Inspector {
	t.Helper()
	in, err := payload.NewInspector(payload.Options{
		Declared: declare(t, "application/json", "application/xml", "text/plain", "image/png"),
		MaxBytes: 100, MaxDepth: 4, Selectors: selectors, Schema: schema,
	})
	require.NoError(t, err)
	return in
}

func TestInspect(t *testing.T) {
	none := policy.Inapplicable()
	bySize, byType, byForm := policy.UndecidedBy(policy.InSize), policy.UndecidedBy(policy.InCtype), policy.UndecidedBy(policy.InWellformed)
	unread := policy.Undecided(policy.NotInspected, nil)
	for _, c := range []struct {
		name, sent, body string
		size             int64
		whole            bool
		form, schema     policy.Verdict
		asked            bool
	}{
		{"JSON is read and judged", "application/json", `{"a":1}`, -1, true, policy.Permitted(), fault, true},
		{"XML is read and its presence judged", "application/xml", `<a/>`, 4, true, policy.Permitted(), fault, true},
		{"text is not read and its presence judged", "text/plain", `{`, 1, true, none, fault, true},
		{"without a body the parameters are judged", "", ``, 0, true, none, fault, true},
		{"a chunked body that was counted as empty is none", "", ``, -1, true, none, fault, true},
		{"a bad body leaves the schema undecided", "application/json", `{`, 1, true, policy.Denied(policy.JSONSyntax, "offset 1"), byForm, true},
		{"a fault behind the value drops what was said of it", "application/json", `{} x`, 4, true, policy.Denied(policy.JSONTrailingData, "offset 2"), byForm, true},
		{"bad XML leaves the schema undecided", "application/xml", `<a>`, 3, true, policy.Denied(policy.XMLSyntax, "offset 3"), byForm, false},
		{"the depth is bounded", "application/json", nest(5), 10, true, policy.Denied(policy.JSONTooDeep, "limit 4"), byForm, true},
		{"an undeclared type leaves all undecided", "text/csv", `a`, 1, true, byType, byType, false},
		{"a missing type leaves all undecided", "", `{}`, 2, true, byType, byType, false},
		{"a declared length over the bound", "application/json", ``, 101, false, bySize, bySize, false},
		{"a counted length over the bound", "application/json", strings.Repeat(" ", 101), -1, true, bySize, bySize, false},
		{"more was read than the bound", "application/json", strings.Repeat(" ", 101), -1, false, bySize, bySize, false},
		{"a body that was not read", "application/json", ``, 7, false, unread, unread, false},
		{"a body that was read in part", "application/json", `{"a":`, -1, false, unread, unread, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := &judge{verdict: fault}
			header := http.Header{}
			if c.sent != "" {
				header.Set("Content-Type", c.sent)
			}
			body := inspector(t, j).Inspect(post(header), []byte(c.body), c.size, c.whole)
			assert.Equal(t, c.form, body.WellFormed)
			assert.Equal(t, c.schema, body.Schema)
			assert.Equal(t, c.asked, j.calls == 1)
			assert.Equal(t, c.whole, body.Whole)
			assert.Equal(t, c.body, string(body.Bytes))
			if c.whole {
				assert.EqualValues(t, len(c.body), body.Size)
			} else {
				assert.Equal(t, c.size, body.Size)
			}
		})
	}
}

func TestWhatTheJudgeIsAsked(t *testing.T) {
	for _, c := range []struct {
		name, sent, body string
		mediaType        string
		tokens           string
		value            any
		present          bool
	}{
		{"the tokens of JSON", "Application/JSON; charset=utf-8", `{"a":[1.0]}`, "application/json", `{"[0]}`, map[string]any{"a": []any{json.Number("1.0")}}, true},
		{"null is a value of JSON", "application/json", `null`, "application/json", "n", nil, true},
		{"XML has no tokens", "application/xml", `<a/>`, "application/xml", "", nil, true},
		{"text is one string", "text/plain", `a`, "text/plain", `"`, "a", true},
		{"bytes are one string", "image/png", "\xff", "image/png", `"`, "\xff", true},
		{"what is no text has no tokens", "text/plain", "\xff", "text/plain", "", nil, true},
		{"no body has no type", "application/json", ``, "", "", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := &judge{verdict: policy.Permitted()}
			inspector(t, j).Inspect(post(contentType(c.sent)), []byte(c.body), -1, true)
			assert.Equal(t, c.mediaType, j.mediaType)
			assert.Equal(t, c.tokens, j.tokens)
			assert.Equal(t, c.value, j.value)
			assert.Equal(t, c.present, j.present)
		})
	}
}

func TestThreatPanicOfTheJudge(t *testing.T) {
	in := inspector(t, &judge{panics: true}, "/a")
	body := in.Inspect(post(contentType("application/json")), []byte(`{"a":"x"}`), 9, true)
	assert.Equal(t, policy.Permitted(), body.WellFormed)
	assert.Equal(t, [][]string{{"x"}}, body.Selected)
	assert.Equal(t, policy.InternalError, body.Schema.Reason)
	assert.EqualError(t, body.Schema.Err, "schema judge panicked: string")
}

func TestWithoutAJudgeTheSchemaDoesNotApply(t *testing.T) {
	in := inspector(t, nil)
	assert.Equal(t, policy.Inapplicable(), in.Inspect(post(contentType("application/json")), []byte(`1`), 1, true).Schema)
	assert.Equal(t, policy.Inapplicable(), in.Inspect(post(nil), nil, 0, true).Schema)
}

func TestSelectedValues(t *testing.T) {
	for _, c := range []struct {
		name, pointer, body string
		want                []string
	}{
		{"a string is itself", "/a", `{"a":"x y"}`, []string{"x y"}},
		{"an empty string is a value", "/a", `{"a":""}`, []string{""}},
		{"a number is its literal", "/a", `{"a":1e0}`, []string{"1e0"}},
		{"a number keeps its zeros", "/a", `{"a":1.00}`, []string{"1.00"}},
		{"a boolean is its literal", "/a", `{"a":true}`, []string{"true"}},
		{"an object is its text", "/a", `{"a":{"id":"x"}}`, []string{`{"id":"x"}`}},
		{"every element of an array", "/a", `{"a":["x",2,"x"]}`, []string{"x", "2", "x"}},
		{"an array in an array is its text", "/a", `{"a":[["x"]]}`, []string{`["x"]`}},
		{"an empty array has no value", "/a", `{"a":[]}`, nil},
		{"null is no value", "/a", `{"a":null}`, nil},
		{"null in an array is no value", "/a", `{"a":[null,"x"]}`, []string{"x"}},
		{"a missing member is no value", "/a", `{"b":"x"}`, nil},
		{"the case of a name counts", "/a", `{"A":"x"}`, nil},
		{"an escaped name is the name", "/a", `{"\u0061":"x"}`, []string{"x"}},
		{"a member of a member", "/a/b", `{"a":{"b":"x"}}`, []string{"x"}},
		{"a member of a string is no value", "/a/b", `{"a":"b"}`, nil},
		{"an element", "/a/1", `{"a":["x","y"]}`, []string{"y"}},
		{"an element that is missing", "/a/2", `{"a":["x","y"]}`, nil},
		{"an element by a name", "/a/b", `{"a":["x"]}`, nil},
		{"an element by a padded number", "/a/01", `{"a":["x","y"]}`, nil},
		{"an element before the first", "/a/-1", `{"a":["x"]}`, nil},
		{"the whole document", "", `"x"`, []string{"x"}},
		{"an empty name", "/", `{"":"x"}`, []string{"x"}},
		{"a slash in a name", "/a~1b", `{"a/b":"x"}`, []string{"x"}},
		{"a tilde in a name", "/a~01", `{"a~1":"x"}`, []string{"x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := inspector(t, &judge{verdict: fault}, c.pointer, "/other")
			body := in.Inspect(post(contentType("application/json")), []byte(c.body), -1, true)
			assert.Equal(t, [][]string{c.want, nil}, body.Selected)
		})
	}
}

func TestNothingIsSelectedFromABodyThatIsNotReadAsJSON(t *testing.T) {
	in := inspector(t, nil, "/a")
	for sent, body := range map[string]string{"application/xml": `<a>x</a>`, "text/plain": `{"a":"x"}`, "application/json": `{"a":"x"`} {
		assert.Nil(t, in.Inspect(post(contentType(sent)), []byte(body), -1, true).Selected, sent)
	}
}

func TestNewInspectorNamesEveryProblem(t *testing.T) {
	_, err := payload.NewInspector(payload.Options{Selectors: []string{"a", "/b~2", "/c~", "/d/*", "/fine", ""}})
	for _, want := range []string{"is 0 bytes", "nesting of the request body is 0", `"a" does not begin`, `"/b~2" has a ~`, `"/c~" has a ~`, `"/d/*" has a *`} {
		assert.ErrorContains(t, err, want)
	}
	assert.Len(t, strings.Split(err.Error(), "\n"), 6)
}

// oneKB is a JSON object of about 1 KB with 15 members.
func oneKB() []byte {
	var b strings.Builder
	for i := range 15 {
		b.WriteString(`,"member` + string(rune('a'+i)) + `":{"id":` + strings.Repeat("7", 5) + `,"text":"` + strings.Repeat("t", 30) + `"}`)
	}
	return []byte("{" + b.String()[1:] + "}")
}

func TestInspectStaysWithinItsAllocationBudget(t *testing.T) {
	in, err := payload.NewInspector(payload.Options{
		Declared: declare(t, "application/json"), MaxBytes: 1 << 20, MaxDepth: 64, Selectors: []string{"/membera/id"},
	})
	require.NoError(t, err)
	r, b := post(contentType("application/json")), oneKB()
	if raced { // there a pool drops what it is given
		return
	}
	allocs := testing.AllocsPerRun(100, func() { in.Inspect(r, b, int64(len(b)), true) })
	assert.LessOrEqual(t, allocs, 3.0, "what was selected: the value, its list, the list of lists")
}

func TestMemoryStaysInProportionToTheBody(t *testing.T) {
	dense := []byte("[" + strings.Repeat("0,", payload.MaxMembers-1) + "0]")
	result := testing.Benchmark(func(b *testing.B) {
		for range b.N {
			payload.ReadJSON(dense, depth, nil)
		}
	})
	assert.Less(t, result.AllocedBytesPerOp(), int64(100*len(dense)))
}

func BenchmarkInspect1KB(b *testing.B) {
	in, err := payload.NewInspector(payload.Options{
		Declared: declare(b, "application/json"), MaxBytes: 1 << 20, MaxDepth: 64, Selectors: []string{"/membera/id"},
	})
	require.NoError(b, err)
	r, body := post(contentType("application/json")), oneKB()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		in.Inspect(r, body, int64(len(body)), true)
	}
}

func BenchmarkReadXML1KB(b *testing.B) {
	body := []byte("<a>" + strings.Repeat(`<item id="7">text</item>`, 42) + "</a>")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		payload.ReadXML(body, depth)
	}
}

func BenchmarkCtype(b *testing.B) {
	check := payload.Ctype{Declared: declare(b, "application/json")}
	r := post(contentType("application/json; charset=utf-8"))
	b.ReportAllocs()
	for b.Loop() {
		check.Check(b.Context(), r)
	}
}

func TestSize(t *testing.T) {
	tooLarge := policy.Denied(policy.BodyTooLarge, "limit 10")
	for _, c := range []struct {
		name string
		body policy.Body
		want policy.Verdict
	}{
		{"no body", policy.Body{}, policy.Inapplicable()},
		{"a declared length at the bound", policy.Body{Size: 10}, policy.Permitted()},
		{"a declared length over the bound", policy.Body{Size: 11}, tooLarge},
		{"a length that is not known", policy.Body{Size: -1}, policy.Undecided(policy.NotInspected, nil)},
		{"a length of which too much is known", policy.Body{Size: -1, Bytes: slices.Repeat([]byte{0}, 11)}, tooLarge},
		{"a length of which part is known", policy.Body{Size: -1, Bytes: slices.Repeat([]byte{0}, 10)}, policy.Undecided(policy.NotInspected, nil)},
		{"a whole body of undeclared length", policy.Body{Size: -1, Bytes: slices.Repeat([]byte{0}, 10), Whole: true}, policy.Permitted()},
	} {
		t.Run(c.name, func(t *testing.T) {
			check, r := payload.Size{MaxBytes: 10}, &policy.Request{Body: c.body}
			assert.Equal(t, c.want, check.Check(t.Context(), r))
			policytest.Run(t, check, r)
		})
	}
}

func TestWellFormed(t *testing.T) {
	match := policy.Match{Operation: &policy.Operation{ID: "create"}}
	for _, c := range []struct {
		name string
		r    *policy.Request
		want policy.Verdict
	}{
		{"no body", &policy.Request{Match: match}, policy.Inapplicable()},
		{"a permit is passed on", &policy.Request{Body: policy.Body{Size: 1, WellFormed: policy.Permitted()}}, policy.Permitted()},
		{"a type that is not parsed", &policy.Request{Body: policy.Body{Size: 1, WellFormed: policy.Inapplicable()}}, policy.Inapplicable()},
		{"a denial is passed on", &policy.Request{Body: policy.Body{Size: 1, WellFormed: policy.Denied(policy.JSONSyntax, "offset 1")}}, policy.Denied(policy.JSONSyntax, "offset 1")},
		{"a cause is passed on", &policy.Request{Body: policy.Body{Size: 1, WellFormed: policy.UndecidedBy(policy.InSize)}}, policy.UndecidedBy(policy.InSize)},
		{"nobody inspected", &policy.Request{Match: match, Body: policy.Body{Size: 1}}, policy.Undecided(policy.NotInspected, nil)},
		{"no operation, so nobody inspected", &policy.Request{Body: policy.Body{Size: 1}}, policy.UndecidedBy(policy.InRoute)},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, payload.WellFormed{}.Check(t.Context(), c.r))
			policytest.Run(t, payload.WellFormed{}, c.r)
		})
	}
}
