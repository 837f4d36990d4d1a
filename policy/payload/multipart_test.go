package payload_test

import (
	"bytes"
	"io"
	"mime"
	stdmultipart "mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/payload"
)

const (
	formData = "multipart/form-data"
	boundary = "b"
)

// field is a part with a name; more are header lines.
func field(name, value string, more ...string) string {
	return part(`Content-Disposition: form-data; name="`+name+`"`+"\r\n"+lines(more), value)
}

func lines(all []string) string {
	text := ""
	for _, line := range all {
		text += line + "\r\n"
	}
	return text
}

// part is a delimiter, header lines and a body.
func part(header, body string) string { return "--b\r\n" + header + "\r\n" + body + "\r\n" }

// disposed is a part whose disposition is given.
func disposed(disposition string) string {
	return part("Content-Disposition: "+disposition+"\r\n", "1") + end
}

const end = "--b--"

func TestMultipartIsReadInOneWay(t *testing.T) {
	t.Parallel()
	a := field("a", "1")
	for _, tt := range []struct {
		name, body string
		reason     policy.Reason
		detail     string
	}{
		{"one part", a + end, "", ""},
		{"a line end behind the last delimiter", a + end + "\r\n", "", ""},
		{"a line end before the first delimiter", "\r\n" + a + end, "", ""},
		{"no part", end + "\r\n", "", ""},
		{"a part without a value", field("a", "") + end, "", ""},
		{"a name twice is for the contract", a + a + end, "", ""},
		{"line ends of all kinds in a value", field("a", "1\n2\r3\r\n4\r\n") + end, "", ""},
		{"dashes in a value", field("a", "\r\n--\r\n-b\r\n--c--") + end, "", ""},

		{"no delimiter", "a=1", policy.MultipartOutside, "before the first delimiter"},
		{"a preamble", "x\r\n" + a + end, policy.MultipartOutside, "before the first delimiter"},
		{"an epilogue", a + end + "\r\nx", policy.MultipartOutside, "behind the last delimiter"},
		{"a second body", a + end + "\r\n" + a + end, policy.MultipartOutside, "behind the last delimiter"},
		{"one more line end", a + end + "\r\n\r\n", policy.MultipartOutside, "behind the last delimiter"},
		{"no last delimiter", a, policy.MultipartTruncated, ""},
		{"an end before that of the delimiter", a + "--b-", policy.MultipartBoundary, "offset 55"},
		{"a delimiter that ends with LF", strings.Replace(a, "--b\r\n", "--b\n", 1) + end, policy.MultipartBoundary, "offset 3"},
		{"a space behind a delimiter", strings.Replace(a, "--b\r\n", "--b \r\n", 1) + end, policy.MultipartBoundary, "offset 3"},
		{"a longer delimiter", field("a", "1\r\n--bc\r\n2") + end, policy.MultipartBoundary, "offset 55"},
		{"a delimiter behind LF", field("a", "1\n--b\r\nx") + end, policy.MultipartBoundary, "offset 51"},
		{"a delimiter behind CR", field("a", "1\r--b\r\nx") + end, policy.MultipartBoundary, "offset 51"},
		{"a delimiter within a line", field("a", "1--b2") + end, policy.MultipartBoundary, "offset 50"},
		{"delimiters one behind the other", "--b\r\n--b--", policy.MultipartBoundary, "offset 5"},

		{"no header", part("", "1") + end, policy.MultipartHeaders, "part 1, no disposition"},
		{"no end of the header", "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n--b--", policy.MultipartHeaders, "part 1, without an end"},
		{"LF in a header", "--b\r\nContent-Disposition: form-data; name=\"a\"\nX: y\r\n\r\n1\r\n" + end, policy.MultipartHeaders, "part 1, line"},
		{"a folded header", part("Content-Disposition: form-data;\r\n name=\"a\"\r\n", "1") + end, policy.MultipartHeaders, "part 1, line"},
		{"a space before the colon", part("Content-Disposition : form-data; name=\"a\"\r\n", "1") + end, policy.MultipartHeaders, "part 1, line"},
		{"a line without a colon", field("a", "1", "x") + end, policy.MultipartHeaders, "part 1, line"},
		{"a NUL in a header", field("a", "1", "X: \x00") + end, policy.MultipartHeaders, "part 1, line"},
		{"a header that nobody knows", field("a", "1", "X-Part: 1") + end, "", ""},
		{"two dispositions", field("a", "1", `content-disposition: form-data; name="b"`) + end, policy.MultipartHeaders, "part 1, repeated"},
		{"as many headers as may be", field("a", "1", many(15)...) + end, "", ""},
		{"too many headers", field("a", "1", many(16)...) + end, policy.MultipartHeaders, "part 1, lines, limit 16"},
		{"headers that are too long", field("a", "1", "X: "+strings.Repeat("y", 8192)) + end, policy.MultipartHeaders, "part 1, size, limit 8192"},
		{"a header that is not UTF-8", field("\xe4", "1") + end, policy.MultipartEncoding, "part 1, header"},

		{"no name", disposed("form-data"), policy.MultipartHeaders, "part 1, name"},
		{"an empty name", disposed(`form-data; name=""`), policy.MultipartHeaders, "part 1, name"},
		{"a name without quotes", disposed(`form-data; name=a`), "", ""},
		{"a name in other letters", disposed("Form-Data; NAME=\"a\u00e4\""), "", ""},
		{"a name in single quotes", disposed(`form-data; name='a'`), policy.MultipartHeaders, "part 1, name"},
		{"a name that browsers escape", disposed(`form-data; name="a%22b"`), policy.MultipartHeaders, "part 1, name"},
		{"a name with an escaped line end", disposed(`form-data; name="a%0Db"`), policy.MultipartHeaders, "part 1, name"},
		{"a name of mail", disposed(`form-data; name="=?utf-8?B?YQ==?="`), policy.MultipartHeaders, "part 1, name"},
		{"a name with a backslash", disposed(`form-data; name="a\"b"`), policy.MultipartHeaders, "part 1, disposition"},
		{"a name without an end", disposed(`form-data; name="a`), policy.MultipartHeaders, "part 1, disposition"},
		{"a name twice", disposed(`form-data; name="a"; name="b"`), policy.MultipartHeaders, "part 1, disposition"},
		{"a name twice in other letters", disposed(`form-data; name="a"; Name="b"`), policy.MultipartHeaders, "part 1, disposition"},
		{"an extended name", disposed(`form-data; name*=utf-8''b; name="a"`), policy.MultipartHeaders, "part 1, disposition"},
		{"a name in pieces", disposed(`form-data; name*0="a"; name*1="b"`), policy.MultipartHeaders, "part 1, disposition"},
		{"a filename", disposed(`form-data; name="a"; filename="x.txt"`), "", ""},
		{"a filename and an extended one", disposed(`form-data; name=a; filename=x.txt; filename*=utf-8''x.txt`), "", ""},
		{"a filename twice", disposed(`form-data; name="a"; filename="x"; filename="y"`), policy.MultipartHeaders, "part 1, disposition"},
		{"an extended filename twice", disposed(`form-data; name=a; filename*=utf-8''x; filename*=utf-8''y`), policy.MultipartHeaders, "part 1, disposition"},
		{"a parameter that nobody knows", disposed(`form-data; name="a"; size=1`), policy.MultipartHeaders, "part 1, disposition"},
		{"no space behind the semicolon", disposed(`form-data;name="a"`), "", ""},
		{"a semicolon at the end", disposed(`form-data; name="a";`), policy.MultipartHeaders, "part 1, disposition"},
		{"a space before the equals sign", disposed(`form-data; name ="a"`), policy.MultipartHeaders, "part 1, disposition"},
		{"text behind a quoted name", disposed(`form-data; name="a"b`), policy.MultipartHeaders, "part 1, disposition"},
		{"another disposition", disposed(`attachment; name="a"`), policy.MultipartHeaders, "part 1, disposition"},

		{"encodings that change nothing", field("a", "1", "Content-Transfer-Encoding: 8BIT") + end, "", ""},
		{"base64", field("a", "MQ==", "Content-Transfer-Encoding: base64") + end, policy.MultipartHeaders, "part 1, transfer encoding"},
		{"quoted-printable", field("a", "=31", "Content-Transfer-Encoding: quoted-printable") + end, policy.MultipartHeaders, "part 1, transfer encoding"},
		{"the length that it has", field("a", "123", "Content-Length: 3") + end, "", ""},
		{"another length", field("a", "123", "Content-Length: 1") + end, policy.MultipartHeaders, "part 1, length"},
		{"no media type", field("a", "1", "Content-Type: text") + end, policy.MultipartHeaders, "part 1, content type"},
		{"two media types", field("a", "1", "Content-Type: text/plain, text/xml") + end, policy.MultipartHeaders, "part 1, content type"},
		{"a range", field("a", "1", "Content-Type: text/*") + end, policy.MultipartHeaders, "part 1, content type"},
		{"an extended charset", field("a", "1", "Content-Type: text/plain; charset*=utf-8''utf-7") + end, policy.MultipartHeaders, "part 1, content type"},
		{"a body in a part", field("a", "--c--", "Content-Type: multipart/mixed; boundary=c") + end, policy.MultipartNested, "part 1"},

		{"text that is not UTF-8", field("a", "\xe4") + end, policy.MultipartEncoding, "part 1"},
		{"text with a byte order mark", field("a", "\xef\xbb\xbf1") + end, policy.MultipartEncoding, "part 1"},
		{"text in another charset", field("a", "+AGE-", "Content-Type: text/plain; charset=utf-7") + end, policy.MultipartEncoding, "part 1, charset"},
		{"ASCII in a charset that has it", field("a", "1", "Content-Type: text/plain; charset=ISO-8859-1") + end, "", ""},
		{"letters in such a charset", field("a", "\u00e4", "Content-Type: text/plain; charset=ISO-8859-1") + end, policy.MultipartEncoding, "part 1, charset"},
		{"bytes of another type", field("a", "\xff\x00", "Content-Type: application/octet-stream") + end, "", ""},
		{"a file in another charset", part("Content-Disposition: form-data; name=a; filename=x\r\nContent-Type: text/csv; charset=iso-8859-1\r\n", "\xe4") + end, "", ""},
		{"a field that names another charset", field("_charset_", "utf-7") + a + end, policy.MultipartEncoding, "part 1, _charset_"},
		{"JSON", field("a", `{"b":[1]}`, "Content-Type: application/json") + end, "", ""},
		{"JSON that is none", a + field("b", `{"b":[1}`, "Content-Type: application/json") + end, policy.JSONSyntax, "part 2, offset 7"},
		{"JSON with a member twice", field("a", `{"b":1,"b":2}`, "Content-Type: application/json") + end, policy.JSONDuplicateMember, "part 1, offset 7"},
		{"JSON that is too deep", field("a", strings.Repeat("[", 9)+strings.Repeat("]", 9), "Content-Type: application/json") + end, policy.JSONTooDeep, "part 1, limit 8"},
		{"JSON in another charset", field("a", `1`, "Content-Type: application/json; charset=utf-16") + end, policy.MultipartEncoding, "part 1, charset"},
		{"XML with a document type", field("a", `<!DOCTYPE x><x/>`, "Content-Type: text/xml") + end, policy.XMLDoctype, "part 1"},
		{"XML in another charset", field("a", `<x/>`, "Content-Type: text/xml; charset=utf-16") + end, policy.MultipartEncoding, "part 1, charset"},

		{"as many parts as may be", strings.Repeat(a, 100) + end, "", ""},
		{"too many parts", strings.Repeat(a, 101) + end, policy.MultipartTooManyParts, "limit 100"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := inspected(t, formData+"; boundary=b", tt.body).WellFormed
			assert.Equal(t, tt.reason == "", v.Effect == policy.Permit, "%v", v)
			assert.Equal(t, tt.reason, v.Reason)
			assert.Equal(t, tt.detail, v.Detail)
		})
	}
}

func many(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = "X-" + strconv.Itoa(i) + ": y"
	}
	return all
}

func TestMultipartBoundsAreTheConfigured(t *testing.T) {
	t.Parallel()
	small := func(o *payload.Options) { o.MaxParts, o.MaxPartBytes = 2, 3 }
	judge := func(body string) policy.Verdict {
		return inspected(t, formData+"; boundary=b", body, small).WellFormed
	}
	assert.True(t, judge(field("a", "123")+field("b", "")+end).Passes())
	assert.Equal(t, policy.Denied(policy.MultipartPartTooLarge, "part 2, limit 3"), judge(field("a", "123")+field("b", "1234")+end))
	assert.Equal(t, policy.Denied(policy.MultipartTooManyParts, "limit 2"), judge(strings.Repeat(field("a", "1"), 3)+end))
}

func TestMultipartBoundaryThatNotEverybodyFinds(t *testing.T) {
	t.Parallel()
	declared, err := payload.Declare("multipart/*")
	require.NoError(t, err)
	long := strings.Repeat("x", 70)
	for sent, ok := range map[string]bool{
		"multipart/form-data; boundary=b":                      true,
		"Multipart/Form-Data; Boundary=\"b\"":                  true,
		"multipart/form-data; boundary=" + long:                true,
		"multipart/form-data; boundary=\"a:b=c?(d)\"":          true,
		"multipart/form-data; boundary=----WebKitFormBoundary": true,
		"multipart/mixed;boundary=b":                           true,
		"multipart/form-data":                                  false,
		"multipart/form-data; boundary=":                       false,
		"multipart/form-data; boundary=\"\"":                   false,
		"multipart/form-data; boundary=" + long + "x":          false,
		"multipart/form-data; boundary=\"a b\"":                false,
		"multipart/form-data; boundary=a;b":                    false,
		"multipart/form-data; boundary=a; boundary=b":          false,
		"multipart/form-data; boundary=a; Boundary=b":          false,
		"multipart/form-data; boundary*=utf-8''b":              false,
		"multipart/form-data; boundary*0=a; boundary*1=b":      false,
		"multipart/form-data; boundary=a; boundary*=utf-8''b":  false,
		"multipart/form-data; boundary=\"a\\\"b\"":             false,
		"multipart/form-data; boundary='b'":                    true, // the quotes are part of it by every grammar
		"multipart/form-data; boundary=\"b":                    false,
		"multipart/form-data; boundary=b;":                     false,
		"multipart/form-data; boundary = b":                    false,
		"multipart/form-data, boundary=b":                      false,
	} {
		_, v := payload.ContentTypeOf(&policy.Request{Header: http.Header{"Content-Type": {sent}}, Body: policy.Body{Size: 1}}, declared)
		assert.Equal(t, ok, v.Passes(), sent)
		if !ok {
			assert.Equal(t, policy.ContentTypeMalformed, v.Reason, sent)
		}
	}
	// Whoever keeps the quotes sees other parts than the rest.
	quoted := field("a", "1\r\n--\"b\"\r\nContent-Disposition: form-data; name=\"c\"\r\n\r\n2") + end
	assert.Equal(t, policy.Denied(policy.MultipartBoundary, "quoted"), inspected(t, formData+`; boundary="b"`, quoted).WellFormed)
	assert.True(t, inspected(t, formData+`; boundary=b`, quoted).WellFormed.Passes())
}

func TestMultipartTokens(t *testing.T) {
	t.Parallel()
	body := field("a", "1") + field("b", `{"c":[true,"\u00e4"]}`, "Content-Type: Application/JSON") +
		part("Content-Disposition: form-data; name=\"f\"; filename=\"x\"\r\nContent-Type: image/png\r\n", "\xff\x00") +
		part("Content-Disposition: form-data; name=g; filename=blob\r\nContent-Type: application/json\r\n", "[]") +
		part("Content-Disposition: form-data; name=h; filename*=utf-8''x\r\n", "1") + end
	kinds, texts, v := payload.Fields(http.Header{"Content-Type": {"multipart/form-data; boundary=b"}}, formData, []byte(body))
	require.True(t, v.Passes(), "%v", v)
	var got []string
	for i, kind := range kinds {
		got = append(got, string(rune(kind))+texts[i])
	}
	assert.Equal(t, []string{
		"{", `"a`, "mtext/plain", `"1`,
		`"b`, "mapplication/json", `b{"c":[true,"\u00e4"]}`, "{", `"c`, "[", "t", "\"\u00e4", "]", "}",
		`"f`, "mimage/png", "F", "\"\xff\x00",
		`"g`, "mapplication/json", "F", "b[]", "[", "]",
		`"h`, "mtext/plain", "F", `"1`, "}",
	}, got)
}

func TestMultipartOfAnotherTypeHasTokensOnlyOfFields(t *testing.T) {
	t.Parallel()
	h := http.Header{"Content-Type": {"multipart/mixed; boundary=b"}}
	kinds, _, v := payload.Fields(h, "multipart/mixed", []byte(field("a", "1")+end))
	assert.True(t, v.Passes())
	assert.Len(t, kinds, 5)
	for _, body := range []string{part("", "1") + end, field("a", "1") + part("Content-Type: text/plain\r\n", "1") + end, disposed("attachment; filename=x"), end} {
		kinds, _, v = payload.Fields(h, "multipart/mixed", []byte(body))
		assert.True(t, v.Passes(), "%v", v)
		assert.Empty(t, kinds)
	}
	_, _, v = payload.Fields(h, "multipart/mixed", []byte(field("a", "1")))
	assert.Equal(t, policy.MultipartTruncated, v.Reason)
}

func TestTextIsOneStringInUTF8(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]int{"text/plain": 1, "text/plain; charset=UTF-8": 1, "text/plain; charset=us-ascii": 1, "text/plain; charset=iso-8859-1": 0} {
		kinds, texts, v := payload.Fields(http.Header{"Content-Type": {sent}}, "text/plain", []byte("abc"))
		assert.Equal(t, policy.NotApplicable, v.Effect)
		assert.Len(t, kinds, want, sent)
		if want > 0 {
			assert.Equal(t, []string{"abc"}, texts)
		}
	}
	kinds, _, _ := payload.Fields(http.Header{"Content-Type": {"text/plain"}}, "text/plain", []byte("\xff"))
	assert.Empty(t, kinds)
	kinds, _, _ = payload.Fields(http.Header{"Content-Type": {"text/csv; charset=iso-8859-1"}}, "text/csv", []byte("abc"))
	assert.Empty(t, kinds)
	_, texts, v := payload.Fields(http.Header{"Content-Type": {"text/csv"}}, "text/csv", []byte("abc"))
	assert.Equal(t, []string{"abc"}, texts)
	assert.Equal(t, policy.NotApplicable, v.Effect)
}

func TestBytesAreOneString(t *testing.T) {
	t.Parallel()
	_, texts, v := payload.Fields(http.Header{"Content-Type": {"image/png"}}, "image/png", []byte("a\xff"))
	assert.Equal(t, []string{"a\xff"}, texts)
	assert.Equal(t, policy.NotApplicable, v.Effect)
}

// A browser sends a part for a file that was not chosen (HTML, 4.10.22.4).
func TestAFileThatWasNotChosenIsNoField(t *testing.T) {
	t.Parallel()
	file := func(disposition, value string) string {
		return part("Content-Disposition: form-data; "+disposition+"\r\nContent-Type: application/octet-stream\r\n", value)
	}
	for _, row := range []struct{ name, sent, want string }{
		{"no filename and no content", file(`name="a"; filename=""`, ""), "{}"},
		{"beside others", field("b", "1") + file(`name="a"; filename=""`, ""), `{bm1}`},
		{"a filename", file(`name="a"; filename="x"`, ""), "{amF}"},
		{"content", file(`name="a"; filename=""`, "1"), "{amF1}"},
		{"an extended filename", file(`name="a"; filename=""; filename*=utf-8''x`, ""), "{amF}"},
		{"first", file(`name="a"; filename*=utf-8''x; filename=""`, ""), "{amF}"},
		{"an empty text", field("a", ""), "{am}"},
	} {
		kinds, texts, v := payload.Fields(http.Header{"Content-Type": {formData + "; boundary=" + boundary}}, formData, []byte(row.sent+end))
		require.True(t, v.Passes(), "%s: %v", row.name, v)
		got := ""
		for i, kind := range kinds {
			if kind == jsontext.KindString {
				got += texts[i]
			} else {
				got += string(rune(kind))
			}
		}
		assert.Equal(t, row.want, got, row.name)
	}
}

// A body may hold as many false beginnings of a delimiter as fit.
func TestMultipartOfFalseBeginnings(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 69) + "b"
	body := []byte("--" + long + "\r\nContent-Disposition: form-data; name=x\r\n\r\n" + strings.Repeat("--"+long[:69], 14_000) + "\r\n--" + long + "--")
	_, texts, v := payload.Fields(http.Header{"Content-Type": {"multipart/form-data; boundary=" + long}}, formData, body)
	assert.True(t, v.Passes(), "%v", v)
	assert.Len(t, texts[3], 71*14_000)
}

// FuzzMultipart: what is accepted, mime/multipart reads in the same way.
func FuzzMultipart(f *testing.F) {
	a := field("a", "1")
	for _, seed := range []string{
		a + end, a + a + end + "\r\n", "\r\n" + a + end, end, a, "x" + a + end, field("b", `{"c":1}`, "Content-Type: application/json") + end,
		disposed(`form-data; name=a; filename=x; filename*=utf-8''x`), field("a", "\n--b") + end, part("", "") + end,
		field("a", "1", "Content-Transfer-Encoding: quoted-printable") + end, field("a", "<x/>", "Content-Type: text/xml; charset=utf-8") + end,
	} {
		f.Add([]byte(seed))
	}
	h := http.Header{"Content-Type": {formData + "; boundary=" + boundary}}
	f.Fuzz(func(t *testing.T, body []byte) {
		kinds, texts, v := payload.Fields(h, formData, body)
		if !v.Passes() {
			require.Equal(t, policy.Deny, v.Effect)
			require.Empty(t, kinds)
			return
		}
		require.Equal(t, jsontext.KindBeginObject, kinds[0])
		require.Equal(t, jsontext.KindEndObject, kinds[len(kinds)-1])
		r := stdmultipart.NewReader(bytes.NewReader(body), boundary)
		depth := 0
		for i, kind := range kinds {
			if kind == jsontext.KindBeginObject || kind == jsontext.KindBeginArray {
				depth++
			}
			if kind == jsontext.KindEndObject || kind == jsontext.KindEndArray {
				depth--
			}
			if kind == policy.PartType {
				require.Equal(t, 1, depth)
				value := i + 1
				if kinds[value] == policy.PartFile {
					value++
				}
				sameAsPart(t, r, texts[i-1], texts[i], texts[value], value > i+1)
			}
		}
		_, err := r.NextRawPart()
		require.ErrorIs(t, err, io.EOF, "we see fewer parts")
	})
}

// sameAsPart compares a field with the next part of the other reader.
func sameAsPart(t *testing.T, r *stdmultipart.Reader, name, mediaType, content string, file bool) {
	t.Helper()
	p, err := r.NextRawPart()
	require.NoError(t, err)
	require.Equal(t, p.FormName(), name)
	require.True(t, file || p.FileName() == "", "a file to them is no field to us")
	read, err := io.ReadAll(p)
	require.NoError(t, err)
	require.Equal(t, string(read), content)
	theirs := "text/plain"
	if sent := p.Header.Get("Content-Type"); sent != "" {
		theirs, _, err = mime.ParseMediaType(sent)
		require.NoError(t, err)
	}
	require.Equal(t, theirs, mediaType)
}
