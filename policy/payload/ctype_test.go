package payload_test

import (
	"mime"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/payload"
	"github.com/sidewarden/sidewarden/policy/policytest"
)

func declare(t testing.TB, mediaTypes ...string) payload.Declared {
	t.Helper()
	d, err := payload.Declare(mediaTypes...)
	require.NoError(t, err)
	return d
}

// post returns a request with a body of unknown length to a known operation.
func post(header http.Header) *policy.Request {
	return &policy.Request{
		Method: http.MethodPost, Header: header,
		Match: policy.Match{Operation: &policy.Operation{ID: "create"}},
		Body:  policy.Body{Size: -1},
	}
}

func contentType(values ...string) http.Header { return http.Header{"Content-Type": values} }

var ctypeCases = []struct {
	name, declared, sent string
	want                 policy.Reason
}{
	{"the declared type", "application/json", "application/json", ""},
	{"case does not count", "application/json", "Application/JSON", ""},
	{"case of the declaration does not count", "Application/Json", "application/json", ""},
	{"UTF-8 is the charset of JSON", "application/json", "application/json; charset=utf-8", ""},
	{"a charset may be quoted and in capitals", "application/json", `application/json;charset="UTF-8"`, ""},
	{"other parameters do not count", "application/json", "application/json; version=1", ""},
	{"declared parameters do not count", "application/json; version=2", "application/json", ""},
	{"a trailing semicolon is allowed", "application/json", "application/json;", ""},
	{"every subtype of a declared range", "application/*", "application/json", ""},
	{"any type", "*/*", "text/plain", ""},
	{"a declared suffix", "application/*+json", "application/vnd.a.b+json", ""},
	{"a second declared type", "application/json text/plain", "text/plain", ""},
	{"text in another charset", "text/plain", "text/plain; charset=iso-8859-1", ""},
	{"a form", "application/x-www-form-urlencoded", "application/x-www-form-urlencoded", ""},
	{"multipart with boundary", "multipart/form-data", "multipart/form-data; boundary=x", ""},
	{"another type", "application/json", "text/plain", policy.ContentTypeUndeclared},
	{"another subtype", "application/json", "application/xml", policy.ContentTypeUndeclared},
	{"a suffix does not make it the type", "application/json", "application/problem+json", policy.ContentTypeUndeclared},
	{"the type does not have the suffix", "application/*+json", "application/json", policy.ContentTypeUndeclared},
	{"a range of another type", "text/*", "application/json", policy.ContentTypeUndeclared},
	{"nothing is declared", "", "application/json", policy.ContentTypeUndeclared},
	{"a longer type", "application/json", "application/jsonx", policy.ContentTypeUndeclared},
	{"empty", "*/*", "", policy.ContentTypeMissing},
	{"no subtype", "*/*", "application", policy.ContentTypeMalformed},
	{"an empty subtype", "*/*", "application/", policy.ContentTypeMalformed},
	{"an empty type", "*/*", "/json", policy.ContentTypeMalformed},
	{"a range is no type", "*/*", "application/*", policy.ContentTypeMalformed},
	{"two types in one value", "*/*", "application/json, text/xml", policy.ContentTypeMalformed},
	{"bad parameters", "*/*", "application/json;;;x", policy.ContentTypeMalformed},
	{"a repeated parameter", "*/*", "application/json; charset=utf-8; charset=utf-7", policy.ContentTypeMalformed},
	{"a space in the type", "*/*", "application/ json", policy.ContentTypeMalformed},
	{"a control character", "*/*", "application/json;a=\"\x01\"", policy.ContentTypeMalformed},
	{"a character beyond ASCII", "*/*", "application/jsön", policy.ContentTypeMalformed},
	{"too long", "*/*", "application/json;a=" + strings.Repeat("x", 600), policy.ContentTypeMalformed},
	{"multipart without boundary", "*/*", "multipart/form-data", policy.ContentTypeMalformed},
	{"JSON in UTF-7", "application/json", "application/json;charset=utf-7", policy.ContentTypeCharset},
	{"JSON in UTF-16", "*/*", "application/vnd.x+json; charset=utf-16", policy.ContentTypeCharset},
	{"JSON in an extended charset", "*/*", "application/json; charset*=us-ascii''utf-16", policy.ContentTypeCharset},
	{"JSON in an empty charset", "*/*", `application/json; charset=""`, policy.ContentTypeCharset},
	{"XML in UTF-16", "text/xml", "text/xml; charset=utf-16", policy.ContentTypeCharset},
}

func TestContentTypeOf(t *testing.T) {
	for _, c := range ctypeCases {
		t.Run(c.name, func(t *testing.T) {
			mediaType, v := payload.ContentTypeOf(post(contentType(c.sent)), declare(t, strings.Fields(strings.ReplaceAll(c.declared, "; ", ";"))...))
			if c.want != "" {
				assert.Equal(t, policy.Denied(c.want, ""), v)
				assert.Empty(t, mediaType)
				return
			}
			assert.Equal(t, policy.Permitted(), v)
			assert.Equal(t, strings.ToLower(strings.TrimSpace(strings.Split(c.sent, ";")[0])), mediaType)
		})
	}
}

func TestCtypeBeyondTheValue(t *testing.T) {
	json := declare(t, "application/json")
	coding := func(values ...string) http.Header {
		return http.Header{"Content-Type": {"application/json"}, "Content-Encoding": values}
	}
	noBody, noMatch, noMethod := post(nil), post(nil), post(nil)
	noBody.Body.Size = 0
	noMatch.Match = policy.Match{}
	noMethod.Match = policy.Match{Allow: []string{"GET"}}
	for _, c := range []struct {
		name     string
		r        *policy.Request
		declared payload.Declared
		want     policy.Verdict
	}{
		{"no header", post(nil), json, policy.Denied(policy.ContentTypeMissing, "")},
		{"two headers", post(contentType("application/json", "text/xml")), json, policy.Denied(policy.ContentTypeDuplicate, "")},
		{"two equal headers", post(contentType("application/json", "application/json")), json, policy.Denied(policy.ContentTypeDuplicate, "")},
		{"an operation without body", post(contentType("application/json")), payload.Declared{}, policy.Denied(policy.BodyUndeclared, "")},
		{"gzip", post(coding("gzip")), json, policy.Denied(policy.ContentCoding, "")},
		{"gzip behind identity", post(coding("identity, gzip")), json, policy.Denied(policy.ContentCoding, "")},
		{"gzip in a second header", post(coding("identity", "x-gzip")), json, policy.Denied(policy.ContentCoding, "")},
		{"identity", post(coding("Identity")), json, policy.Permitted()},
		{"an empty coding", post(coding("")), json, policy.Permitted()},
		{"no body", noBody, json, policy.Inapplicable()},
		{"no operation", noMatch, json, policy.UndecidedBy(policy.InRoute)},
		{"no method", noMethod, json, policy.UndecidedBy(policy.InMethod)},
	} {
		t.Run(c.name, func(t *testing.T) {
			check := payload.Ctype{Declared: c.declared}
			assert.Equal(t, c.want, check.Check(t.Context(), c.r))
			policytest.Run(t, check, c.r)
		})
	}
}

func TestDeclareRefusesWhatIsNoMediaType(t *testing.T) {
	for _, key := range []string{"", "json", "*/json", "application/json, text/xml", "application json"} {
		_, err := payload.Declare("text/plain", key)
		assert.ErrorContains(t, err, `media type "`+key+`"`)
	}
}

func TestFormats(t *testing.T) {
	for mediaType, want := range map[string]string{
		"application/json": "json", "text/json": "json", "application/vnd.x+json": "json", "application/jsonp": "",
		"application/xml": "xml", "text/xml": "xml", "image/svg+xml": "xml", "application/xml-dtd": "", "text/plain": "",
	} {
		assert.Equal(t, want == "json", policy.IsJSON(mediaType), mediaType)
		assert.Equal(t, want == "xml", policy.IsXML(mediaType), mediaType)
	}
}

func FuzzContentType(f *testing.F) {
	for _, c := range ctypeCases {
		f.Add(c.sent)
	}
	// Whatever we accept, the mime package reads as the same single type; and the
	// type alone is accepted as itself.
	f.Fuzz(func(t *testing.T, sent string) {
		if len(sent) > 4096 {
			return
		}
		declared := declare(t, "*/*")
		mediaType, v := payload.ContentTypeOf(post(contentType(sent)), declared)
		if !v.Passes() {
			require.Equal(t, policy.Deny, v.Effect)
			require.Empty(t, mediaType)
			require.Empty(t, v.Detail)
			return
		}
		want, _, err := mime.ParseMediaType(sent)
		require.NoError(t, err)
		require.Equal(t, want, mediaType)
		require.Equal(t, 1, strings.Count(mediaType, "/"))
		require.NotContains(t, mediaType, "*")
		if strings.HasPrefix(mediaType, "multipart/") {
			return // needs its boundary
		}
		again, v := payload.ContentTypeOf(post(contentType(mediaType)), declared)
		require.True(t, v.Passes())
		require.Equal(t, mediaType, again)
	})
}
