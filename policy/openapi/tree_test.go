package openapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// loaderReads returns what the loader of the contract makes of a file: the members that it
// keeps as they are. Its numbers are float64.
func loaderReads(data []byte) (tree map[string]any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panicked: %v", p)
		}
	}()
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(doc.Extensions)
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(text, &tree)
	return tree, err
}

// withFloats returns a tree as JSON is read without any wish for exact numbers.
func withFloats(t require.TestingT, tree any) any {
	text, err := json.Marshal(tree)
	require.NoError(t, err)
	var read any
	require.NoError(t, json.Unmarshal(text, &read))
	return read
}

func TestDocumentsAreReadAsTheLoaderReadsThem(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"booleans":           "a: [true, True, TRUE, false, False, FALSE]",
		"no booleans":        "a: [yes, no, on, off, y, n, Yes, NO, tRUE]",
		"nulls":              "a: [~, null, Null, NULL, nULL, '']\nb:\nc: ~",
		"quoted":             "a: ['true', \"1\", '~', \"1e3\", 'null', '<<']\n'<<': 1",
		"integers":           "a: [0, -0, 12, +12, 1_000, 0x1F, 0xfF, 0b101, -0b11, 0o17, -0o17, 017, 08, 09.5, 0_7, -0x1]",
		"large integers":     "a: [9223372036854775807, 9223372036854775808, 18446744073709551615, 18446744073709551616, -9223372036854775809]",
		"floats":             "a: [1.5, 1., .5, -.5, +.5, 1e3, 1E+3, 1e-3, 1.e2, 12e03, 0.1, 1_0.5, 1e, 1e+, 0x1p-2, 1e400, -1e400, 1e-400]",
		"no numbers":         "a: [1:30, 1.2.3, 1-2, 0x, 0xg, 0b2, 0o8, _1, 1__, infinity, nan, '.inf', inf, +, -a, .]",
		"dates":              "a: [2020-01-01, 2020-01-01T00:00:00Z, 2001-12-14 21:59:43.10, 2020]\n2020-01-01: {2020-01-02: 2020-01-03}",
		"tagged dates":       "a: [!!timestamp 2020-01-01, !!timestamp '2020-01-01T10:00:00.5+02:00']",
		"tags":               "a: [!!str 1, !!str true, !!str ~, !!int '7', !!float 1, !!float '1.5', !!bool 'true', !!null '', !own 12, !own {a: 1}, !own [1], ! 12, ! '12', !<tag:yaml.org,2002:str> 5]",
		"binary":             "a: [!!binary aGVsbG8=, !!binary //79]",
		"keys":               "a: {1: a, 0x10: b, 1.5: c, 1e3: d, true: e, False: f, 'x': g, 010: h, 9223372036854775807: i, 1_1: j}",
		"keys of a response": "responses: {200: {description: ok}, '404': {description: no}, default: {}}",
		"binary keys":        "a: {!!binary aGVsbG8=: 1}",
		"an alias as key":    "a: [&k key, &n 0x10]\nb: {*k : 1, *n : 2}",
		"aliases":            "a: &a {x: 1}\nb: *a\nc: [*a, *a]\nd: &d [1, 2]\ne: {f: *d}\ng: &s text\nh: *s\ni: &z ~\nj: *z",
		"an anchor twice":    "a: &a 1\nb: *a\nc: &a 2\nd: *a",
		"a merge":            "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3, z: 4}\nc: {y: 3, <<: *a}",
		"a merge of several": "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], w: 0}\nd: {<<: [*b, {y: 9, v: 9}, *a]}",
		"a merge of a merge": "a: &a {x: 1, y: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b, z: 3}\nd: {<<: {<<: *b, q: 1}}",
		"a merge of numbers": "a: &a {0x10: 1, 1: 2, True: 4}\nb: {<<: *a, x: 1}\n",
		"a merge to numbers": "a: &a {0x10: 1, 1: 2, true: 3}\nb: {<<: *a, 2: 1}\n",
		"a merge of names":   "a: &a {'<<': 1, b: 2}\nc: {<<: *a}\n",
		"no merge":           "a: {'<<': {x: 1}}\nb: {!!str <<: {x: 1}}",
		"merge with a tag":   "a: {!!merge <<: {x: 1}}",
		"blocks":             "a: |\n  one\n  two\nb: >-\n  folded\n  text\nc: |+\n  keep\n\nd: plain\n  continued",
		"escapes":            `a: ["\u00e9", "\x41", "\xff", "\U0001F600", "\\/", "\e", "\N", "\0"]`,
		"unicode":            "a: é😀\n\"\\u00fc\": 1",
		"comments":           "# first\na: 1 # one\n# last\nb: x#y",
		"a document marker":  "%YAML 1.1\n---\na: 1\n...\n",
		"an empty second":    "---\na: 1\n---\n",
		"JSON":               `{"a":[1,1.5,1e3,-0,"x",true,null,{}],"b":{"":"\u00e9\ud83d\ude00\/","x/y":[]}}`,
		"no float":           `{"a":[1E400]}`,
		"nearly JSON":        `{"a": [1, 'x', yes,], "b": 1e3,}`,
		"JSON with a mark":   "\uFEFF{\"a\": 1}",
		"flows":              "a: [x, y z, {b: c, d}, \"e\":f]\n",
		"complex keys":       "? a\n: 1\n? 'b'\n",
		"empty":              "",
		"a comment":          "# nothing",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			theirs, theirErr := loaderReads([]byte(text))
			tree, err := parseDocument([]byte(text))
			if strings.Contains(text, "1E400") {
				// Exact JSON has no bound on exponents; the loader's floats do, and it then reads YAML.
				require.NoError(t, err)
				assert.Equal(t, map[string]any{"a": []any{json.Number("1E400")}}, tree)
				return
			}
			require.NoError(t, theirErr)
			require.NoError(t, err)
			if tree == nil {
				assert.Empty(t, theirs)
				return
			}
			assert.Equal(t, any(theirs), withFloats(t, tree))
		})
	}
}

func TestNumbersAreExact(t *testing.T) {
	t.Parallel()
	const long = "0.1000000000000000000000000000000000000001"
	for text, want := range map[string]string{
		`{"a":9007199254740993}`:            "9007199254740993",
		`{"a":1.0}`:                         "1.0",
		`{"a":` + long + `}`:                long,
		`{"a":1e999999}`:                    "1e999999",
		`{"a":-0.0}`:                        "-0.0",
		"a: 9007199254740993":               "9007199254740993",
		"a: " + long:                        long,
		"a: 123456789012345678901234567890": "123456789012345678901234567890",
		"a: 1.0":                            "1.0",
		"a: 1e3":                            "1e3",
		"a: 0x10":                           "16",
		"a: 1_000":                          "1000",
		"a: 010":                            "8",
		"a: .5":                             "0.5",
		"a: &x 12345678901234567890123\nb: {c: *x}":    "12345678901234567890123",
		"a: !!float 100000000000000000000000000001":    "100000000000000000000000000001",
		"a: " + strings.Repeat("1", maxNumberText-700): strings.Repeat("1", maxNumberText-700),
	} {
		tree, err := parseDocument([]byte(text))
		require.NoError(t, err, text)
		object, ok := tree.(map[string]any)
		require.True(t, ok, text)
		assert.Equal(t, json.Number(want), object["a"], text)
	}
}

func TestOtherDocumentsThanObjectsAreRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]any{"": nil, "#": nil, "---": nil, "null": nil, "true": true, "[1]": []any{json.Number("1")}, "- a": []any{"a"}, `"x"`: "x", "x": "x", " 7 ": json.Number("7")} {
		tree, err := parseDocument([]byte(text))
		require.NoError(t, err, text)
		assert.Equal(t, want, tree, text)
	}
}

func TestWrongDocumentsAreProblemsWithLines(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", maxTreeDepth+1) + strings.Repeat("]", maxTreeDepth+1)
	bomb := "a: &a [1,2,3,4,5,6,7,8,9,0]\n"
	for c := 'b'; c <= 'h'; c++ {
		bomb += fmt.Sprintf("%c: &%c [*%c,*%[3]c,*%[3]c,*%[3]c,*%[3]c,*%[3]c,*%[3]c,*%[3]c,*%[3]c,*%[3]c]\n", c, c, c-1)
	}
	merges := "a0: &a0 {k0: 1}\n"
	for i := 1; i < 2000; i++ {
		merges += fmt.Sprintf("a%d: &a%d {<<: *a%d, k%d: 1}\n", i, i, i-1, i)
	}
	for name, row := range map[string]struct{ text, want string }{
		"JSON, a name twice":          {"{\n\"a\":1,\n\"b\":{\"c\":1,\n\"c\":2}}", `:4: /b/c: "c" is there twice, first in line 3; take one of them out`},
		"JSON, all names":             {"{\"a\":1,\n\"a\":2,\n\"\\u0061\":2}", `:2: /a: "a" is there twice, first in line 1; take one of them out` + "\n" + `:3: /a: "a" is there twice, first in line 1; take one of them out`},
		"JSON, no UTF-8":              {"{\"a\":\n\"\xff\"}", ":1: /a: cannot be read as JSON: invalid UTF-8"},
		"JSON, half a surrogate":      {`{"a":"\ud800"}`, ":1: /a: cannot be read as JSON: invalid surrogate pair"},
		"JSON, too deep":              {deep, "is nested deeper than 500 levels"},
		"JSON, a long number":         {"[\n" + strings.Repeat("1", maxNumberText+1) + "]", ":2: /0: a number has more than 1000 characters; write it with an exponent"},
		"YAML, a name twice":          {"a: 1\nb:\n  c: 1\n  c: 2\n", `:4: /b: "c" is there twice, first in line 3; take one of them out`},
		"YAML, all names":             {"a: 1\na: 2\nb: 1\nb: 1\n", `:2: "a" is there twice, first in line 1; take one of them out` + "\n" + `:4: "b" is there twice, first in line 3; take one of them out`},
		"YAML, a number and a text":   {"a:\n  200: 1\n  '200': 1", `:3: /a: "200" is there twice`},
		"YAML, two forms of a number": {"a:\n  16: 1\n  0x10: 1", `:3: /a: "16" is there twice`},
		"YAML, a text of two numbers": {"a:\n  0x10: 1\n  !!str 0x10: 1", `:3: /a: "0x10" is there twice`},
		"YAML, two merges":            {"a: &a {}\nb:\n  <<: *a\n  <<: *a", `:4: /b: "<<" is there twice`},
		"YAML, a merge of nothing":    {"a: &a 1\nb: {<<: *a}", ":2: /b: what is merged is no object"},
		"YAML, a merge of lists":      {"a: {<<: [[{}]]}", ":1: /a: what is merged is no object"},
		"YAML, no name":               {"a: {~: 1}", ":1: /a: the name of a member is not a string; quote it"},
		"YAML, a list as a name":      {"a: {[1]: 1}", ":1: /a: the name of a member is not a string"},
		"YAML, a date as a name":      {"a: {!!timestamp 2020-01-01: 1}", ":1: /a: the name of a member is not a string; quote it"},
		"YAML, a wrong name":          {"a: {!!int x: 1}", ":1: /a: cannot be read as YAML: cannot decode !!str `x` as a !!int"},
		"YAML, infinite":              {"a:\n- .inf", ":2: /a/0: is not a number of JSON"},
		"YAML, negative infinite":     {"a: -.Inf", ":1: /a: is not a number of JSON"},
		"YAML, not a number":          {"a: .nan", ":1: /a: is not a number of JSON"},
		"YAML, a wrong tag":           {"a: !!int x", ":1: /a: cannot be read as YAML: cannot decode !!str `x` as a !!int"},
		"YAML, no base64":             {"a: !!binary '*'", ":1: /a: cannot be read as YAML: !!binary value contains invalid base64 data"},
		"YAML, a date without a form": {"a: !!timestamp 2020-01-01T00:00:00+24:00", ":1: /a: has no form in JSON"},
		"YAML, no name to merge":      {"a: {<<: {~: 1}, b: 2}", ":1: /a: the name of a member is not a string; quote it"},
		"YAML, a long number":         {"\na: " + strings.Repeat("1.", 1) + strings.Repeat("1", maxNumberText), ":2: /a: a number has more than 1000 characters"},
		"YAML, no anchor":             {"a: 1\nb: *a", "cannot be read as YAML: unknown anchor 'a' referenced"},
		"YAML, in itself":             {"a: &a [1, *a]", `:1: /a/1/1: the value of anchor "a" contains itself; use a reference`},
		"YAML, merged into itself":    {"a: &a {<<: *a}", `:1: /a: the value of anchor "a" contains itself`},
		"YAML, a bomb":                {bomb, ": aliases of YAML make more than 400000 names and values"},
		"YAML, a bomb of merges":      {merges, ": aliases of YAML make more than 400000 names and values"},
		"YAML, too deep":              {"a: " + deep, "is nested deeper than 500 levels"},
		"YAML, two documents":         {"a: 1\n---\nb: 1\n", ":3: a second YAML document begins here, and only the first would be read; leave one in the file"},
		"YAML, a broken second":       {"a: 1\n---\nb: [", "cannot be read as YAML"},
		"YAML, a tab":                 {"a:\n\t- 1", ":2: cannot be read as YAML: found character that cannot start any token"},
		"YAML, open":                  {"a: [1,\nb", "cannot be read as YAML: did not find expected ',' or ']'"},
		"JSON with an error":          {"{\"a\": 1\n \"b\": 2}", "cannot be read as YAML"},
		"no text":                     {"\x00\x01", "cannot be read as YAML: control characters are not allowed"},
		"YAML, no UTF-8":              {"a: \xff", "cannot be read as YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree, err := parseDocument([]byte(row.text))
			require.Error(t, err)
			assert.Nil(t, tree)
			assert.ErrorContains(t, err, row.want)
			assert.IsType(t, Problems{}, err)
		})
	}
}

// drawYAML draws a value in flow style out of what YAML reads in other ways than one
// would think.
func drawYAML(t *rapid.T, depth int) string {
	scalars := []string{
		"yes", "no", "on", "True", "~", "null", "Null", "''", "0", "-0", "+1", "010", "08", "0o17", "0x1f", "0b11", "1_000", "1e3", "1.", ".5",
		"1:30", "2020-01-01", "2020-01-01T00:00:00Z", "!!timestamp 2020-01-01", "!!str 1", "!!float 1", "!!int '3'", "!own x", "! 1", "'<<'", "=", "9223372036854775808", "1e400",
		"0.1", "12345678901234567890123", "text", "a b", "'q''q'", `"\u00e9\x01"`, "é", "-x", "1__0", "-.5", "*a", "*b", "*c",
	}
	kind := rapid.IntRange(0, 3).Draw(t, "kind")
	if depth == 0 || kind < 2 {
		return rapid.SampledFrom(scalars).Draw(t, "scalar")
	}
	var parts []string
	if kind == 2 {
		for range rapid.IntRange(0, 3).Draw(t, "items") {
			parts = append(parts, drawYAML(t, depth-1))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	names := []string{"1", "0x20", "1.50", "True", "off", "'null'", "2020-01-01", "1e3", "'a b'", "!!str 7", "-0b1", "x", "<<"}
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 4, rapid.ID).Draw(t, "names") {
		value := drawYAML(t, depth-1)
		if name == "<<" {
			value = rapid.SampledFrom([]string{"*b", "*c", "[*b, *c]", "[*c, {x: 9}]", "{1: 8, x: ~}"}).Draw(t, "merged")
		}
		parts = append(parts, name+" : "+value)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func TestWhateverYAMLMeansTheLoaderMeans(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := "a: &a 010\nb: &b {x: 1, 0x20: 2, y: yes}\nc: &c {<<: *b, x: [*a], 'z': ~}\nd: " + drawYAML(t, 3)
		theirs, err := loaderReads([]byte(text))
		require.NoError(t, err, text)
		tree, err := parseDocument([]byte(text))
		require.NoError(t, err, text)
		require.Equal(t, any(theirs), withFloats(t, tree), text)
	})
}

func TestLinesOfPlaces(t *testing.T) {
	t.Parallel()
	json := "\n{\n \"a\": 1, \"b\"\n: [\n  1,\n\n  {\"c/d\": 2}, [3\n  ,4]\n ],\n \"\": {\"m~n\":\n null}}\n"
	yaml := "# first\na: 1\nb:\n- 1\n- c/d: 2\n  200: ok\n  0x10: x\n-\n  - 3\n  - [4,\n     5]\n'': &x\n  m~n: 0\n  p: 1\nq:\n  <<: *x\n  p: 2\nr: *x\ns:\n  <<: [{p: 3}, *x]\n"
	for _, row := range []struct {
		text, pointer string
		want          int
	}{
		{json, "", 2},
		{json, "/a", 3},
		{json, "/b", 3},
		{json, "/b/0", 5},
		{json, "/b/1", 7},
		{json, "/b/1/c~1d", 7},
		{json, "/b/2", 7},
		{json, "/b/2/1", 8},
		{json, "/", 10},
		{json, "//m~0n", 10},
		{json, "/c", 0},
		{json, "/a/b", 0},
		{json, "/b/3", 0},
		{json, "/b/01", 0},
		{json, "/b/x", 0},
		{json, "a", 0},
		{yaml, "", 2},
		{yaml, "/a", 2},
		{yaml, "/b", 3},
		{yaml, "/b/0", 4},
		{yaml, "/b/1/c~1d", 5},
		{yaml, "/b/1/200", 6},
		{yaml, "/b/1/16", 7},
		{yaml, "/b/1/0x10", 0},
		{yaml, "/b/2/0", 9},
		{yaml, "/b/2/1/1", 11},
		{yaml, "/", 12},
		{yaml, "//m~0n", 13},
		{yaml, "/q/m~0n", 13},
		{yaml, "/q/p", 17},
		{yaml, "/r", 18},
		{yaml, "/r/p", 14},
		{yaml, "/s/p", 20},
		{yaml, "/s/m~0n", 13},
		{yaml, "/s/x", 0},
		{yaml, "/b/9", 0},
		{yaml, "/b/-1", 0},
		{yaml, "/a/b", 0},
		{yaml, "a", 0},
		{"a: &a {<<: *a}", "/a/b", 0},
		{"a: [", "/a", 0},
		{"", "", 0},
		{"", "/a", 0},
	} {
		assert.Equal(t, row.want, Line([]byte(row.text), row.pointer), "%q in\n%s", row.pointer, row.text)
	}
}

func TestLinesOfManyPlacesAreBounded(t *testing.T) {
	t.Parallel()
	text := []byte(`{"a":"` + strings.Repeat("x", 90) + `","b":1}`)
	lines := linesOf(text, 250)
	var found []int
	for range 5 {
		found = append(found, lines("/b"))
	}
	assert.Equal(t, []int{1, 1, 1, 0, 0}, found)
}

// FuzzParseDocument: what is read has only the types of a raw tree, each place of it has a line,
// and the loader reads the same.
func FuzzParseDocument(f *testing.F) {
	for _, text := range []string{
		`{"a":[1,1.5e3,"x",true,null]}`,
		"a: &a {x: 1, 0x10: 2}\nb: {<<: *a, x: yes}\nc:\n- 010\n- .5\n- 2020-01-01\n",
		"a: !!timestamp 2020-01-01\nb: !!binary aGk=\nc: |\n text\n",
		"%YAML 1.1\n---\n'': ~\n...\n",
		"? a\n: &b [*b]\n",
		"a: {<<: [{b: 1}, {c: 2}]}\nd: \"\\x41\\u00e9\"",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<12 {
			return
		}
		tree, err := parseDocument(data)
		if err != nil {
			require.Nil(t, tree)
			require.NotEmpty(t, err.Error())
			return
		}
		lines, last := linesOf(data, maxLineText), strings.Count(strings.ReplaceAll(string(data), "\r", "\n"), "\n")+1
		finite, visited := true, 0
		var visit func(v any, pointers string)
		visit = func(v any, at string) {
			if visited++; tree != nil && visited < 500 { // aliases make many places
				line := lines(at)
				require.Positive(t, line, at)
				require.LessOrEqual(t, line, last, at)
			}
			switch v := v.(type) {
			case nil, bool, string:
			case json.Number:
				_, err := v.Float64()
				finite = finite && err == nil
				require.True(t, json.Valid([]byte(v)))
			case []any:
				for i, item := range v {
					visit(item, at+pointer(fmt.Sprint(i)))
				}
			case map[string]any:
				for name, member := range v {
					visit(member, at+pointer(name))
				}
			default:
				require.Fail(t, "another type", "%T", v)
			}
		}
		visit(tree, "")
		object, ok := tree.(map[string]any)
		if !ok || !finite || knownToLoader(object) {
			return
		}
		theirs, err := loaderReads(data)
		require.NoError(t, err)
		if len(object) == 0 {
			require.Empty(t, theirs)
			return
		}
		require.Equal(t, any(theirs), withFloats(t, object))
	})
}

// knownToLoader reports whether the loader keeps a member in a form of its own.
func knownToLoader(object map[string]any) bool {
	for name := range object {
		for _, known := range []string{"openapi", "components", "info", "paths", "security", "servers", "tags", "externalDocs", "webhooks", "jsonSchemaDialect", "$self"} {
			if strings.EqualFold(name, known) {
				return true
			}
		}
	}
	return false
}
