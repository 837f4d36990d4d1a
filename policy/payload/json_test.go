package payload_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/payload"
	"github.com/sidewarden/sidewarden/policy/policytest"
)

const depth = 64

// jsonCases are shapes in the manner of JSONTestSuite: y_ must be accepted, n_
// refused, and for i_, where parsers differ, the reason is our choice.
var jsonCases = []struct {
	name, text string
	want       policy.Reason
}{
	{"y_empty_object", `{}`, ""},
	{"y_empty_array", `[]`, ""},
	{"y_lonely_true", `true`, ""},
	{"y_lonely_false", `false`, ""},
	{"y_lonely_null", `null`, ""},
	{"y_lonely_string", `"a"`, ""},
	{"y_lonely_number", `-0.1`, ""},
	{"y_surrounding_white_space", " \t\r\n{ \"a\" :\n1 }\r\n ", ""},
	{"y_nested", `{"a":[{"b":[[],{}]}]}`, ""},
	{"y_empty_member_name", `{"":0}`, ""},
	{"y_names_that_differ_in_case", `{"a":1,"A":2}`, ""},
	{"y_same_name_in_different_objects", `[{"a":1},{"a":2}]`, ""},
	{"y_escapes", `["\"\\\/\b\f\n\r\t"]`, ""},
	{"y_escaped_nul", `["\u0000"]`, ""},
	{"y_escaped_surrogate_pair", `["\ud83d\uDE00"]`, ""},
	{"y_escaped_noncharacter", `["\uFFFF"]`, ""},
	{"y_raw_utf8", `["é€😀"]`, ""},
	{"y_raw_line_separator", "[\"\u2028\u2029\"]", ""},
	{"y_raw_del", "[\"\x7f\"]", ""},
	{"y_replacement_character", "[\"\ufffd\"]", ""},
	{"y_byte_order_mark_inside_a_string", "[\"\ufeff\"]", ""},
	{"y_number_zero", `[0,-0,0.0,0e0]`, ""},
	{"y_number_exponents", `[1e1,1E+1,1e-1,1.5e05]`, ""},
	{"y_number_largest_exponent", `[1e308,1e-308]`, ""},
	{"y_number_of_40_bytes", `[` + strings.Repeat("9", 40) + `]`, ""},
	{"y_depth_at_the_bound", nest(depth), ""},
	{"n_empty", ``, policy.JSONSyntax},
	{"n_white_space_only", " \n", policy.JSONSyntax},
	{"n_truncated_object", `{"a":1`, policy.JSONSyntax},
	{"n_truncated_after_colon", `{"a":`, policy.JSONSyntax},
	{"n_truncated_after_name", `{"a"`, policy.JSONSyntax},
	{"n_truncated_array", `[1,`, policy.JSONSyntax},
	{"n_truncated_string", `["a`, policy.JSONSyntax},
	{"n_truncated_literal", `[tru`, policy.JSONSyntax},
	{"n_truncated_escape", `["\u00`, policy.JSONSyntax},
	{"n_trailing_comma_in_array", `[1,]`, policy.JSONSyntax},
	{"n_trailing_comma_in_object", `{"a":1,}`, policy.JSONSyntax},
	{"n_leading_comma", `[,1]`, policy.JSONSyntax},
	{"n_double_comma", `[1,,2]`, policy.JSONSyntax},
	{"n_missing_comma", `[1 2]`, policy.JSONSyntax},
	{"n_missing_colon", `{"a" 1}`, policy.JSONSyntax},
	{"n_comma_for_colon", `{"a",1}`, policy.JSONSyntax},
	{"n_missing_value", `{"a":}`, policy.JSONSyntax},
	{"n_name_without_quotes", `{a:1}`, policy.JSONSyntax},
	{"n_name_in_single_quotes", `{'a':1}`, policy.JSONSyntax},
	{"n_number_as_name", `{1:1}`, policy.JSONSyntax},
	{"n_mismatched_brackets", `[}`, policy.JSONSyntax},
	{"n_closing_bracket_only", `]`, policy.JSONSyntax},
	{"n_single_quoted_string", `['a']`, policy.JSONSyntax},
	{"n_line_comment", "[1]// c", policy.JSONTrailingData},
	{"n_block_comment", `[/* c */1]`, policy.JSONSyntax},
	{"n_hash_comment", "{#\n}", policy.JSONSyntax},
	{"n_capitalised_literal", `[True]`, policy.JSONSyntax},
	{"n_undefined", `[undefined]`, policy.JSONSyntax},
	{"n_nan", `[NaN]`, policy.JSONSyntax},
	{"n_infinity", `[-Infinity]`, policy.JSONSyntax},
	{"n_number_leading_zero", `[01]`, policy.JSONSyntax},
	{"n_number_leading_plus", `[+1]`, policy.JSONSyntax},
	{"n_number_leading_point", `[.1]`, policy.JSONSyntax},
	{"n_number_trailing_point", `[1.]`, policy.JSONSyntax},
	{"n_number_bare_minus", `[-]`, policy.JSONSyntax},
	{"n_number_bare_exponent", `[1e]`, policy.JSONSyntax},
	{"n_number_hexadecimal", `[0x1F]`, policy.JSONSyntax},
	{"n_number_with_separator", `[1_000]`, policy.JSONSyntax},
	{"n_raw_control_in_string", "[\"\x01\"]", policy.JSONSyntax},
	{"n_raw_newline_in_string", "[\"a\nb\"]", policy.JSONSyntax},
	{"n_unknown_escape", `["\x41"]`, policy.JSONSyntax},
	{"n_escape_with_bad_digit", `["\u00zz"]`, policy.JSONSyntax},
	{"n_form_feed_as_white_space", "[\f]", policy.JSONSyntax},
	{"n_no_break_space_as_white_space", "[\u00a0]", policy.JSONSyntax},
	{"n_raw_nul_outside_string", "[\x00]", policy.JSONSyntax},
	{"n_utf16_without_mark", "[\x00]\x00", policy.JSONSyntax},
	{"n_two_values", `{}{}`, policy.JSONTrailingData},
	{"n_two_lines", "{}\n{}", policy.JSONTrailingData},
	{"n_text_after_value", `{"a":1}zzz`, policy.JSONTrailingData},
	{"n_bracket_after_value", `[]]`, policy.JSONTrailingData},
	{"n_comma_after_value", `1,`, policy.JSONTrailingData},
	{"n_nul_after_value", "{}\x00", policy.JSONTrailingData},
	{"i_duplicate_name", `{"a":1,"a":2}`, policy.JSONDuplicateMember},
	{"i_duplicate_name_and_value", `{"a":1,"a":1}`, policy.JSONDuplicateMember},
	{"i_duplicate_name_by_escape", `{"a":1,"\u0061":2}`, policy.JSONDuplicateMember},
	{"i_duplicate_name_nested", `{"x":[{"a":1,"b":2,"a":3}]}`, policy.JSONDuplicateMember},
	{"i_byte_order_mark", "\xef\xbb\xbf{}", policy.JSONEncoding},
	{"i_utf16_with_mark", "\xff\xfe[\x00]\x00", policy.JSONEncoding},
	{"i_latin1", "[\"\xe9\"]", policy.JSONEncoding},
	{"i_overlong_slash", "[\"\xc0\xaf\"]", policy.JSONEncoding},
	{"i_raw_surrogate", "[\"\xed\xa0\x80\"]", policy.JSONEncoding},
	{"i_above_unicode", "[\"\xf4\xbf\xbf\xbf\"]", policy.JSONEncoding},
	{"i_truncated_utf8", "[\"\xe2\x82\"]", policy.JSONEncoding},
	{"i_lone_high_surrogate", `["\ud800"]`, policy.JSONEncoding},
	{"i_lone_low_surrogate", `["\udc00"]`, policy.JSONEncoding},
	{"i_high_surrogate_then_letter", `["\ud800a"]`, policy.JSONEncoding},
	{"i_reversed_surrogates", `["\ude00\ud83d"]`, policy.JSONEncoding},
	{"i_lone_surrogate_in_name", `{"\ud800":1}`, policy.JSONEncoding},
	{"i_lone_surrogate_then_bad_syntax", `["\ud800",}`, policy.JSONEncoding},
	{"i_bad_syntax_then_lone_surrogate", `[,"\ud800"]`, policy.JSONSyntax},
	{"i_huge_exponent", `[1e999999]`, policy.JSONNumber},
	{"i_huge_negative_exponent", `[1E-309]`, policy.JSONNumber},
	{"i_number_beyond_double", `[9e308]`, policy.JSONNumber},
	{"i_long_number_beyond_double", `[999999999999999999999999999999e308]`, policy.JSONNumber},
	{"i_number_below_double", `[0.00000001e-305]`, policy.JSONNumber},
	{"y_number_largest_double", `[1.7976931348623157e308,0e308]`, ""},
	{"i_exponent_beyond_int", `[1e99999999999999999999999]`, policy.JSONNumber},
	{"i_number_of_41_bytes", `[` + strings.Repeat("9", 41) + `]`, policy.JSONNumber},
	{"i_lonely_number_of_41_bytes", "0." + strings.Repeat("1", 39), policy.JSONNumber},
	{"i_depth_beyond_the_bound", nest(depth + 1), policy.JSONTooDeep},
	{"i_depth_100000", strings.Repeat("[", 100_000), policy.JSONTooDeep},
	{"i_depth_of_objects", strings.Repeat(`{"a":`, 200), policy.JSONTooDeep},
	{"i_too_many_elements", "[" + strings.Repeat("0,", payload.MaxMembers) + "0]", policy.JSONTooManyMembers},
	{"i_too_many_elements_in_total", "[" + strings.Repeat("[0,0,0],", payload.MaxMembers/4) + "0]", policy.JSONTooManyMembers},
	{"i_too_many_members", members(payload.MaxMembers + 1), policy.JSONTooManyMembers},
	{"y_members_at_the_bound", members(payload.MaxMembers), ""},
}

func nest(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func members(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"m%d":0`, i)
	}
	return "{" + b.String()[1:] + "}"
}

func TestThreatParserDifferentialInJSON(t *testing.T) {
	for _, c := range jsonCases {
		t.Run(c.name, func(t *testing.T) {
			value, v := readTree([]byte(c.text), depth)
			assert.Equal(t, v, payload.ReadJSON([]byte(c.text), depth, nil), "the verdict does not depend on who listens")
			if c.want != "" {
				assert.Equal(t, policy.Deny, v.Effect)
				assert.Equal(t, c.want, v.Reason)
				return
			}
			require.Equal(t, policy.Permitted(), v)
			assertLikeStandard(t, []byte(c.text), value)
		})
	}
}

// tree rebuilds a value from its tokens; it fails a test by a panic where they are not
// those of one value.
type tree struct {
	root any
	open []any // pointers to arrays and objects
	name []*string
}

func readTree(b []byte, maxDepth int) (any, policy.Verdict) {
	t := &tree{}
	v := payload.ReadJSON(b, maxDepth, func(kind jsontext.Kind, text []byte) bool {
		t.visit(kind, text)
		return true
	})
	return t.root, v
}

func (t *tree) visit(kind jsontext.Kind, text []byte) {
	last := len(t.open) - 1
	if kind != jsontext.KindString && kind != jsontext.KindNumber && text != nil {
		panic("text where there is none")
	}
	switch kind {
	case jsontext.KindBeginObject:
		t.open, t.name = append(t.open, map[string]any{}), append(t.name, nil)
	case jsontext.KindBeginArray:
		t.open, t.name = append(t.open, []any{}), append(t.name, nil)
	case jsontext.KindEndObject, jsontext.KindEndArray:
		closed := t.open[last]
		if _, object := closed.(map[string]any); object != (kind == jsontext.KindEndObject) || t.name[last] != nil {
			panic("the wrong end")
		}
		t.open, t.name = t.open[:last], t.name[:last]
		t.put(closed)
	case jsontext.KindString:
		if last >= 0 && t.name[last] == nil {
			if _, object := t.open[last].(map[string]any); object {
				name := string(text)
				t.name[last] = &name
				return
			}
		}
		t.put(string(text))
	case jsontext.KindNumber:
		t.put(json.Number(text))
	case jsontext.KindTrue, jsontext.KindFalse:
		t.put(kind == jsontext.KindTrue)
	case jsontext.KindNull:
		t.put(nil)
	case jsontext.KindInvalid:
		panic("no token")
	}
}

// put takes a whole value.
func (t *tree) put(v any) {
	last := len(t.open) - 1
	if last < 0 {
		if t.root != nil {
			panic("two values")
		}
		t.root = v
		return
	}
	switch in := t.open[last].(type) {
	case []any:
		t.open[last] = append(in, v)
	case map[string]any:
		if _, twice := in[*t.name[last]]; twice {
			panic("a member twice")
		}
		in[*t.name[last]], t.name[last] = v, nil
	}
}

// assertLikeStandard checks that encoding/json reads the same tree.
func assertLikeStandard(t *testing.T, b []byte, value any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var want any
	require.NoError(t, d.Decode(&want))
	assert.Equal(t, want, value)
}

func TestNoTokenIsHandedOnBehindAFault(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       string // kinds of the tokens
	}{
		{"a document that is not UTF-8", "[\"\xff\"]", ``},
		{"a byte order mark", "\xef\xbb\xbf[]", ``},
		{"a lone surrogate", `["a","\ud800"]`, `["`},
		{"a duplicate member", `{"a":1,"a":2}`, `{"0`},
		{"bad syntax", `[1,tru]`, `[0`},
		{"a level too many", nest(3), `[[`},
		{"a long number", `[1,1e309]`, `[0`},
		{"trailing data behind an object", `{"a":1} x`, `{"0`},
		{"trailing data behind a scalar", `1 x`, ``},
		{"a truncated document", `[1`, `[0`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var kinds []byte
			v := payload.ReadJSON([]byte(c.text), 2, func(kind jsontext.Kind, _ []byte) bool {
				kinds = append(kinds, byte(kind))
				return true
			})
			assert.Equal(t, policy.Deny, v.Effect)
			assert.Equal(t, c.want, string(kinds))
		})
	}
	count := 0
	v := payload.ReadJSON([]byte(members(payload.MaxMembers+1)), 2, func(jsontext.Kind, []byte) bool { count++; return true })
	assert.Equal(t, policy.JSONTooManyMembers, v.Reason)
	assert.Equal(t, 1+2*payload.MaxMembers, count)
}

func TestWhoeverStopsListeningDoesNotChangeTheVerdict(t *testing.T) {
	for _, text := range []string{`{"a":[1,{"b":"\u0063"}],"d":null}`, `[1,[2,{"a":1,"a":2}]]`, `[1] x`, `[[[[1]]]]`, `["\ud800"]`} {
		want := payload.ReadJSON([]byte(text), 3, nil)
		for stop := range 8 {
			count := 0
			v := payload.ReadJSON([]byte(text), 3, func(jsontext.Kind, []byte) bool { count++; return count <= stop })
			assert.Equal(t, want, v, "%s after %d", text, stop)
			assert.LessOrEqual(t, count, stop+1)
		}
	}
}

func TestJSONDetailsNameBoundsAndPlaces(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"syntax is told by offset", `{"a": x}`, "offset 6"},
		{"an early end is told without offset when there is nothing", ``, "truncated"},
		{"a lone surrogate is told by offset", `["\ud800"]`, "offset 2"},
		{"a duplicate is told by offset", `{"a":1,"a":2}`, "offset 7"},
		{"depth is told by its bound", nest(65), "limit 64"},
		{"an exponent is told by its bound", `1e309`, "exponent, limit 308"},
		{"a long number is told by its bound", strings.Repeat("1", 41), "length, limit 40"},
		{"members are told by their bound", members(payload.MaxMembers + 1), "limit 100000"},
		{"trailing data is told by offset", `{} x`, "offset 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := payload.ReadJSON([]byte(c.text), depth, nil)
			assert.Equal(t, c.want, v.Detail)
		})
	}
}

func TestNoJSONDetailHoldsWhatWasSent(t *testing.T) {
	const c = policytest.Canary
	for _, text := range []string{
		c, `"` + c, `{"` + c + `":1,"` + c + `":2}`, `{"` + c + `":` + c + `}`, `{} ` + c, `["\ud800` + c + `"]`,
		`{"` + c + `":[` + nest(99) + `]}`, `{"` + c + `":1e999}`, "[\"" + c + "\xff\"]", `{"` + c + `" 1}`,
	} {
		v := payload.ReadJSON([]byte(text), depth, nil)
		require.Equal(t, policy.Deny, v.Effect, text)
		assert.NotContains(t, v.Detail, c)
	}
}

func FuzzJSON(f *testing.F) {
	for _, c := range jsonCases {
		if len(c.text) < 1000 {
			f.Add([]byte(c.text))
		}
	}
	// Whatever we accept, the strictest decoder accepts, its tokens are exactly the tree
	// that encoding/json reads, and what that writes of the tree is accepted again as
	// the same. What we refuse for its syntax, the strictest decoder refuses.
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<16 {
			return
		}
		before := bytes.Clone(b)
		value, v := readTree(b, depth)
		require.Equal(t, v, payload.ReadJSON(b, depth, nil))
		require.Equal(t, before, b, "the body was changed")
		if !v.Passes() {
			require.Equal(t, policy.Deny, v.Effect)
			require.NotEmpty(t, v.Reason)
			if v.Reason != policy.JSONTooDeep && v.Reason != policy.JSONTooManyMembers && v.Reason != policy.JSONNumber {
				require.False(t, jsontext.Value(b).IsValid(), v.Reason)
			}
			return
		}
		require.True(t, jsontext.Value(b).IsValid())
		assertLikeStandard(t, b, value)
		written, err := json.Marshal(value)
		require.NoError(t, err)
		again, v := readTree(written, depth)
		require.True(t, v.Passes())
		require.Equal(t, value, again)
	})
}
