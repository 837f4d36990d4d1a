package payload_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/payload"
)

const formType = "application/x-www-form-urlencoded"

// inspected returns what an inspector that takes everything finds in a body.
func inspected(t testing.TB, contentType, body string, change ...func(*payload.Options)) policy.Body {
	t.Helper()
	declared, err := payload.Declare("*/*")
	require.NoError(t, err)
	o := payload.Options{Declared: declared, MaxBytes: 1 << 20, MaxDepth: 8}
	for _, c := range change {
		c(&o)
	}
	in, err := payload.NewInspector(o)
	require.NoError(t, err)
	r := &policy.Request{Header: http.Header{"Content-Type": {contentType}}}
	return in.Inspect(r, []byte(body), int64(len(body)), true)
}

func TestFormIsReadInOneWay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body string
		reason     policy.Reason
		detail     string
	}{
		{"fields", "a=1&b=two+words&c=%2B%26%3D%3b", "", ""},
		{"a name twice is for the contract", "a=1&a=2", "", ""},
		{"no value", "a=&b=", "", ""},
		{"an equals sign in a value", "a=b=c", "", ""},
		{"empty fields are none", "&a=1&&b=2&", "", ""},
		{"nothing but separators", "&&", "", ""},
		{"letters of UTF-8, escaped or not", "n%C3%A4me=\u00fc%E2%82%AC", "", ""},
		{"line ends in a value", "a=1%0D%0A2", "", ""},
		{"brackets", "a[b]=1&a[]=2", "", ""},
		{"a semicolon is a separator for some", "a=1;b=2", policy.FormSeparator, "offset 3"},
		{"a semicolon in a name", "a;b=2", policy.FormSeparator, "offset 1"},
		{"half an escape", "a=1&b=%4", policy.FormEscape, "offset 6"},
		{"no escape", "a=100%", policy.FormEscape, "offset 5"},
		{"no hexadecimal digits", "a=%zz", policy.FormEscape, "offset 2"},
		{"an escape of some servers", "a=%u0041", policy.FormEscape, "offset 2"},
		{"a NUL", "a=1%00", policy.FormEscape, "offset 3"},
		{"a NUL in a name", "a%00b=1", policy.FormEscape, "offset 1"},
		{"a raw space", "a=1 2", policy.FormEscape, "offset 3"},
		{"a raw line end", "a=1\r\n", policy.FormEscape, "offset 3"},
		{"a raw control character", "a=\x7f", policy.FormEscape, "offset 2"},
		{"bytes that are not UTF-8", "a=1&b=%ff", policy.FormEncoding, "offset 4"},
		{"an overlong slash", "a=%c0%af", policy.FormEncoding, "offset 0"},
		{"a name that is not UTF-8", "%ff=1", policy.FormEncoding, "offset 0"},
		{"raw bytes that are not UTF-8", "a=\xe4", policy.FormEncoding, "offset 0"},
		{"half a letter on each side of the equals sign", "a%c3=%a4", policy.FormEncoding, "offset 0"},
		{"a byte order mark", "\xef\xbb\xbfa=1", policy.FormEncoding, "byte order mark"},
		{"another charset by a field", "_charset_=utf-7&a=1", policy.FormEncoding, "_charset_"},
		{"another charset by a field in other letters", "a=1&_CHARSET_=iso-8859-1", policy.FormEncoding, "_charset_"},
		{"the charset that it is", "_charset_=UTF-8&a=1", "", ""},
		{"a name alone", "a=1&b", policy.FormField, "offset 4"},
		{"a value alone", "=1", policy.FormField, "offset 0"},
		{"nothing around an equals sign", "a=1&=", policy.FormField, "offset 4"},
		{"a line end in a name", "a%0a=1", policy.FormField, "offset 0"},
		{"too many fields", strings.Repeat("a=1&", 1000) + "hidden=y", policy.FormTooManyFields, "limit 1000"},
		{"as many as may be", strings.Repeat("a=1&", 1000), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := inspected(t, formType, tt.body).WellFormed
			assert.Equal(t, tt.reason == "", v.Effect == policy.Permit, "%v", v)
			assert.Equal(t, tt.reason, v.Reason)
			assert.Equal(t, tt.detail, v.Detail)
		})
	}
}

func TestFormBoundIsTheConfigured(t *testing.T) {
	t.Parallel()
	two := func(o *payload.Options) { o.MaxFields = 2 }
	assert.True(t, inspected(t, formType, "a=1&b=2&", two).WellFormed.Passes())
	assert.Equal(t, policy.Denied(policy.FormTooManyFields, "limit 2"), inspected(t, formType, "a=1&b=2&c=3", two).WellFormed)
}

func TestFormTokenIsAFact(t *testing.T) {
	t.Parallel()
	named := "--b\r\nContent-Disposition: form-data; name=\"access_token\"\r\n\r\nx\r\n--b--"
	for _, tt := range []struct {
		name, contentType, body string
		want                    policy.Effect
		cause                   policy.Control
	}{
		{"none", formType, "a=access_token", policy.Permit, ""},
		{"one", formType, "a=1&access_token=x", policy.Deny, ""},
		{"one with an escaped name", formType, "a=1&%61ccess_token=x", policy.Deny, ""},
		{"one in a part", "multipart/form-data; boundary=b", named, policy.Deny, ""},
		{"a form that nobody can read", formType, "access_token", policy.Indeterminate, policy.InWellformed},
		{"a form of a type that is not clear", "application/x-www-form-urlencoded; charset=utf-7", "a=1", policy.Indeterminate, policy.InCtype},
		{"a form that is too large", formType, "a=" + strings.Repeat("x", 1<<20), policy.Indeterminate, policy.InSize},
		{"no form", "application/json", `{"access_token":"x"}`, policy.NotApplicable, ""},
		{"no form and too large", "application/json", strings.Repeat(" ", 1<<20) + "1", policy.NotApplicable, ""},
		{"no body", formType, "", policy.NotApplicable, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := inspected(t, tt.contentType, tt.body).FormToken
			assert.Equal(t, tt.want, v.Effect)
			assert.Equal(t, tt.cause, v.Cause)
		})
	}
	declared, err := payload.Declare("application/json")
	require.NoError(t, err)
	only := func(o *payload.Options) { o.Declared = declared }
	assert.Equal(t, policy.NotApplicable, inspected(t, formType, "access_token=x", only).FormToken.Effect,
		"in.ctype denies a form where none is declared")
}

func TestFormCharsetIsJudged(t *testing.T) {
	t.Parallel()
	declared, err := payload.Declare(formType, "multipart/form-data", "text/plain")
	require.NoError(t, err)
	for sent, want := range map[string]policy.Reason{
		formType + "; charset=UTF-8": "", formType + "; charset=iso-8859-1": policy.ContentTypeCharset,
		"multipart/form-data; boundary=b; charset=utf-16": policy.ContentTypeCharset,
		"multipart/form-data; boundary=b; charset=utf-8":  "",
		"text/plain; charset=iso-8859-1":                  "", // nobody looks into it
	} {
		_, v := payload.ContentTypeOf(&policy.Request{
			Header: http.Header{"Content-Type": {sent}}, Body: policy.Body{Size: 1},
		}, declared)
		assert.Equal(t, want, v.Reason, sent)
	}
}

// FuzzForm: what is accepted, net/url reads in the same way, and reading costs a
// bounded number of tokens.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{
		"a=1&b=2", "a=1;b=2", "a=%", "a=%zz", "=", "&&", "a", "a=b=c", "_charset_=utf-7", "%ff=1", "a=1%00", "\xef\xbb\xbfa=1", "a+b=c%20d", "access_token=x",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		kinds, texts, v := payload.Fields(http.Header{"Content-Type": {formType}}, formType, body)
		if !v.Passes() {
			require.Equal(t, policy.Deny, v.Effect)
			require.Empty(t, kinds)
			return
		}
		require.LessOrEqual(t, len(texts), 2*payload.DefaultMaxFields+2)
		want, err := url.ParseQuery(string(body))
		require.NoError(t, err)
		require.Equal(t, jsontext.KindBeginObject, kinds[0])
		require.Equal(t, jsontext.KindEndObject, kinds[len(kinds)-1])
		got := url.Values{}
		for i := 1; i < len(texts)-1; i += 2 {
			got.Add(texts[i], texts[i+1])
		}
		require.Equal(t, want, got)
	})
}
