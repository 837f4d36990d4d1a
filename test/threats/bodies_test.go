package threats_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// bodies takes anything that is JSON or XML, an order, and forms of scalars.
const bodies = `paths:
  /free: {post: {requestBody: {content: {application/json: {}, application/xml: {}, multipart/form-data: {}}}, responses: {'200': {description: ok}}}}
  /json: {post: {requestBody: {content: {application/json: {}}}, responses: {'200': {description: ok}}}}
  /orders: {post: {requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}, responses: {'200': {description: ok}}}}
components:
  schemas:
    Order:
      type: object
      properties:
        product: {type: string}
        id: {type: string, readOnly: true}
        pin: {type: string, writeOnly: true}
        site: {type: object, properties: {name: {type: string}, since: {type: string, readOnly: true}}}
`

// inUTF16 writes a text of the plane that everybody knows, most significant byte first or
// last.
func inUTF16(text string, big bool) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		if big {
			b.Write([]byte{byte(unit >> 8), byte(unit)})
		} else {
			b.Write([]byte{byte(unit), byte(unit >> 8)})
		}
	}
	return b.String()
}

// TestThreatJSONThatParsersReadDifferently: what one of two parsers may take for something
// else is refused, and what passes arrives as it was sent.
func TestThreatJSONThatParsersReadDifferently(t *testing.T) {
	t.Parallel()
	worlds := both(t, plan{contract: document("3.1.0", bodies), settings: "schema: {undeclared_properties: deny}\npayload: {max_json_depth: 16}\n"})
	for _, row := range []struct {
		name, body string
		reason     policy.Reason // "" passes
	}{
		{"y_names_of_both_cases", `{"a":1,"A":2}`, ""},
		{"y_an_escaped_name", `{"\u0061":1}`, ""},
		{"y_white_space_and_escapes", "\t{ \"\\u00e9\" :\r\n[1E+2,-0.0,\"\\ud83d\\ude00\"] }\n", ""},
		{"y_a_number_beyond_a_float", `[9007199254740993,0.1000000000000000055511151231257827]`, ""},
		{"y_depth_at_the_bound", strings.Repeat("[", 16) + strings.Repeat("]", 16), ""},
		{"y_a_mark_within_a_string", "[\"\ufeff\"]", ""},
		{"n_duplicate_names", `{"a":1,"a":2}`, policy.JSONDuplicateMember},
		{"n_duplicate_names_and_values", `{"a":1,"a":1}`, policy.JSONDuplicateMember},
		{"n_duplicate_names_by_escape", `{"a":1,"\u0061":2}`, policy.JSONDuplicateMember},
		{"n_duplicate_names_deep_within", `[{"x":[{"a":1,"b":2,"\u0061":3}]}]`, policy.JSONDuplicateMember},
		{"n_a_byte_order_mark", "\ufeff{}", policy.JSONEncoding},
		{"n_utf16_with_mark", "\xfe\xff" + inUTF16(`{"a":1}`, true), policy.JSONEncoding},
		{"n_utf16_with_mark_little_endian", "\xff\xfe" + inUTF16(`{"a":1}`, false), policy.JSONEncoding},
		{"n_utf16", inUTF16(`{"a":1}`, true), policy.JSONSyntax},
		{"n_utf16_little_endian", inUTF16(`{"a":1}`, false), policy.JSONSyntax},
		{"n_a_lone_high_surrogate", `["\uD800"]`, policy.JSONEncoding},
		{"n_a_lone_low_surrogate", `["\uDC00"]`, policy.JSONEncoding},
		{"n_surrogates_in_turn", `["\uDC00\uD800"]`, policy.JSONEncoding},
		{"n_a_lone_surrogate_in_a_name", `{"\uD800":1}`, policy.JSONEncoding},
		{"n_a_raw_surrogate", "[\"\xed\xa0\x80\"]", policy.JSONEncoding},
		{"n_an_overlong_form", "[\"\xc0\xaf\"]", policy.JSONEncoding},
		{"n_latin1", "[\"\xe9\"]", policy.JSONEncoding},
		{"n_depth_beyond_the_bound", strings.Repeat("[", 17) + strings.Repeat("]", 17), policy.JSONTooDeep},
		{"n_depth_of_objects", strings.Repeat(`{"a":`, 17) + "1" + strings.Repeat("}", 17), policy.JSONTooDeep},
		{"n_a_second_value", `{"a":1}{"a":2}`, policy.JSONTrailingData},
		{"n_a_second_line", "{\"a\":1}\n{\"a\":2}", policy.JSONTrailingData},
		{"n_garbage_behind", `{"a":1}]`, policy.JSONTrailingData},
		{"n_a_nul_behind", "{}\x00", policy.JSONTrailingData},
		{"n_a_comment", `{"a":1/**/}`, policy.JSONSyntax},
		{"n_a_trailing_comma", `{"a":1,}`, policy.JSONSyntax},
		{"n_single_quotes", `{'a':1}`, policy.JSONSyntax},
		{"n_not_a_number", `[NaN]`, policy.JSONSyntax},
		{"n_a_leading_zero", `[01]`, policy.JSONSyntax},
		{"n_a_raw_newline", "[\"a\nb\"]", policy.JSONSyntax},
		{"i_a_number_beyond_any_float", `[1e400]`, policy.JSONNumber},
	} {
		m := message{name: row.name, target: "/json", header: typed("application/json"), body: row.body}
		if row.reason == "" {
			permitted(t, worlds, m)
			continue
		}
		refused(t, worlds, m, 400, policy.InWellformed, row.reason)
	}
	// A parser that does not look at the case takes another member for a declared one.
	order := message{target: "/orders", header: typed("application/json")}
	for name, body := range map[string]string{
		"another case": `{"Product":"port"}`, "another case beside it": `{"product":"port","PRODUCT":"cable"}`,
		"a letter that folds to one": `{"produ` + "\u017f" + `t":"port"}`, "another case within": `{"site":{"NAME":"ber-1"}}`,
	} {
		order.name, order.body = name, body
		refused(t, worlds, order, 400, policy.InSchema, policy.UndeclaredProperty)
	}
	order.name, order.body = "an escaped name is the same", `{"\u0070roduct":"port"}`
	permitted(t, worlds, order)
}

// TestThreatContentTypeConfusion: a body that two parties could take for two things.
func TestThreatContentTypeConfusion(t *testing.T) {
	t.Parallel()
	worlds := both(t, plan{contract: document("3.0.3", bodies)})
	for _, row := range []struct {
		name   string
		header []string
		target string
		reason policy.Reason
	}{
		{"JSON as text", typed("text/plain"), "/json", policy.ContentTypeUndeclared},
		{"JSON as a form", typed("application/x-www-form-urlencoded"), "/json", policy.ContentTypeUndeclared},
		{"another type with the suffix", typed("application/vnd.x+json"), "/json", policy.ContentTypeUndeclared},
		{"XML where JSON is declared", typed("application/xml"), "/json", policy.ContentTypeUndeclared},
		{"UTF-7", typed("application/JSON;charset=utf-7"), "/json", policy.ContentTypeCharset},
		{"UTF-16", typed("application/json; charset=utf-16le"), "/json", policy.ContentTypeCharset},
		{"UTF-7 in another word", typed("application/json; charset*=us-ascii''utf-7"), "/json", policy.ContentTypeCharset},
		{"a charset twice", typed("application/json; charset=utf-8; charset=utf-7"), "/json", policy.ContentTypeMalformed},
		{"EBCDIC XML", typed("application/xml; charset=cp037"), "/free", policy.ContentTypeCharset},
		{"two fields", append(typed("application/json"), typed("text/xml")...), "/json", policy.ContentTypeDuplicate},
		{"two equal fields", append(typed("application/json"), typed("application/json")...), "/json", policy.ContentTypeDuplicate},
		{"none", nil, "/json", policy.ContentTypeMissing},
		{"an empty one", []string{"Content-Type:"}, "/json", policy.ContentTypeMissing},
		{"a list", typed("application/json, text/xml"), "/json", policy.ContentTypeMalformed},
		{"a range", typed("*/*"), "/json", policy.ContentTypeMalformed},
		{"no subtype", typed("json"), "/json", policy.ContentTypeMalformed},
		{"a form without a boundary", typed("multipart/form-data"), "/free", policy.ContentTypeMalformed},
		{"a form with an empty boundary", typed(`multipart/form-data; boundary=""`), "/free", policy.ContentTypeMalformed},
		{"a form with two boundaries", typed("multipart/form-data; boundary=a; boundary=b"), "/free", policy.ContentTypeMalformed},
		{"a coding", append(typed("application/json"), "Content-Encoding: gzip"), "/json", policy.ContentCoding},
		{"two codings", append(typed("application/json"), "Content-Encoding: gzip, gzip"), "/json", policy.ContentCoding},
		{"a coding nobody knows", append(typed("application/json"), "Content-Encoding: utf-7"), "/json", policy.ContentCoding},
	} {
		refused(t, worlds, message{name: row.name, target: row.target, header: row.header, body: `{"a":1}`}, 415, policy.InCtype, row.reason)
	}
	permitted(t, worlds, message{name: "another case", target: "/json", header: typed("Application/JSON; charset=UTF-8"), body: `{"a":1}`})
}

// TestThreatMassAssignment: a member that the contract neither names nor forbids is denied
// where the configuration says so, and one that only an answer may have is denied anyway.
func TestThreatMassAssignment(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"3.0.3", "3.1.0"} {
		for _, undeclared := range []string{"deny", "contract"} {
			worlds := both(t, plan{contract: document(version, bodies), settings: "schema: {undeclared_properties: " + undeclared + "}\n"})
			order := func(name, body string) message {
				return message{name: name, target: "/orders", header: typed("application/json"), body: body}
			}
			permitted(t, worlds, order("declared", `{"product":"port","pin":"1","site":{"name":"a"}}`))
			for _, m := range []message{order("more", `{"product":"port","approved":true}`), order("more within", `{"site":{"name":"a","owner":"b"}}`)} {
				if undeclared == "deny" {
					refused(t, worlds, m, 400, policy.InSchema, policy.UndeclaredProperty)
				} else {
					permitted(t, worlds, m)
				}
			}
			refused(t, worlds, order("readOnly", `{"id":"o-1"}`), 400, policy.InSchema, policy.SchemaMismatch)
			refused(t, worlds, order("readOnly within", `{"site":{"since":"2026"}}`), 400, policy.InSchema, policy.SchemaMismatch)
		}
	}
}

// TestThreatXML: what makes a parser fetch, copy or recurse is refused over the wire, soon,
// and nobody is asked for the entity.
func TestThreatXML(t *testing.T) {
	worlds := both(t, plan{contract: document("3.0.3", bodies)})
	bait := "http://" + proxytest.Silent(t)
	laughs := `<!ENTITY l0 "lol">`
	for i := range 9 {
		laughs += fmt.Sprintf(`<!ENTITY l%d "%s">`, i+1, strings.Repeat(fmt.Sprintf("&l%d;", i), 10))
	}
	var attributes strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&attributes, ` a%d=""`, i)
	}
	for _, row := range []struct {
		name, body string
		reason     policy.Reason
	}{
		{"a document type", `<!DOCTYPE a SYSTEM "` + bait + `/a.dtd"><a/>`, policy.XMLDoctype},
		{"a billion laughs", `<!DOCTYPE a [` + laughs + `]><a>&l9;</a>`, policy.XMLDoctype},
		{"an external entity", `<!DOCTYPE a [<!ENTITY x SYSTEM "` + bait + `/x">]><a>&x;</a>`, policy.XMLDoctype},
		{"an external file", `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`, policy.XMLDoctype},
		{"a parameter entity", `<!DOCTYPE a [<!ENTITY % x SYSTEM "` + bait + `/x"> %x;]><a/>`, policy.XMLDoctype},
		{"XInclude", `<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="` + bait + `/x"/></a>`, policy.XMLSyntax},
		{"10 000 levels", strings.Repeat("<a>", 10_000) + strings.Repeat("</a>", 10_000), policy.XMLTooDeep},
		{"100 000 attributes", "<a" + attributes.String() + "/>", policy.XMLTooDeep},
		{"two roots", `<a/><b/>`, policy.XMLSyntax},
		{"an instruction", `<?xml-stylesheet href="` + bait + `/x.xsl"?><a/>`, policy.XMLSyntax},
		{"a declared encoding that it has not", `<?xml version="1.0" encoding="UTF-16"?><a/>`, policy.XMLSyntax},
		{"another encoding", "\xff\xfe" + inUTF16(`<a/>`, false), policy.XMLSyntax},
	} {
		before := spent(t)
		refused(t, worlds, message{name: row.name, target: "/free", header: typed("application/xml"), body: row.body}, 400, policy.InWellformed, row.reason)
		// For client, proxy and backend, twice: the bound of the reader alone is tighter.
		assert.Less(t, spent(t)-before, slowness*500*time.Millisecond, row.name)
	}
	permitted(t, worlds, message{name: "a document", target: "/free", header: typed("application/xml"), body: `<?xml version="1.0" encoding="UTF-8"?><a>&lt;</a>`})
}
