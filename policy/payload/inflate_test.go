package payload_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/payload"
	"github.com/sidewarden/sidewarden/policy/policytest"
)

// The bounds of these tests: 100 bytes, and 20 times as many as were sent.
const (
	maxBytes     = 100
	maxInflation = 20
)

// zip returns one gzip member.
func zip(t testing.TB, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func deflated(t testing.TB, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, err := io.WriteString(w, content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// changed returns the bytes with one of them, counted from the end if it is negative,
// combined with a mask.
func changed(b []byte, at int, mask byte) []byte {
	b = bytes.Clone(b)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= mask
	return b
}

func unpacking(t testing.TB, bytes int64, schema payload.Judge, selectors ...string) *payload.Inspector {
	t.Helper()
	in, err := payload.NewInspector(payload.Options{
		Declared: declare(t, "application/json", "application/xml", "text/plain").Unpacking(maxInflation),
		MaxBytes: bytes, MaxDepth: 4, Selectors: selectors, Schema: schema,
	})
	require.NoError(t, err)
	return in
}

func coded(mediaType string, codings ...string) http.Header {
	return http.Header{"Content-Type": {mediaType}, "Content-Encoding": codings}
}

func TestInspectTakesACodingOff(t *testing.T) {
	json := zip(t, `{"a":"x"}`)
	bomb := zip(t, strings.Repeat(" ", 1<<20))
	malformed := func(detail string) policy.Verdict { return policy.Denied(policy.CodingMalformed, detail) }
	permit, none, bySize := policy.Permitted(), policy.Inapplicable(), policy.UndecidedBy(policy.InSize)
	for _, c := range []struct {
		name, sent string
		body       []byte
		form, size policy.Verdict
		inflated   int
	}{
		{"JSON", "application/json", json, permit, permit, 9},
		{"XML", "application/xml", zip(t, `<a/>`), permit, permit, 4},
		{"text", "text/plain", zip(t, "text"), none, permit, 4},
		{"no text", "text/plain", zip(t, ""), none, permit, 0},
		{"JSON that is none", "application/json", zip(t, `{"a"}`), policy.Denied(policy.JSONSyntax, "offset 4"), permit, 5},
		{"no JSON", "application/json", zip(t, ""), policy.Denied(policy.JSONSyntax, "truncated"), permit, 0},
		{"XML that is none", "application/xml", zip(t, `<a>`), policy.Denied(policy.XMLSyntax, "offset 3"), permit, 3},
		{"content at the bound", "text/plain", zip(t, strings.Repeat("ab", 50)), none, permit, 100},
		{"content over the bound", "text/plain", zip(t, strings.Repeat("a", 101)), bySize, policy.Denied(policy.InflatedTooLarge, "limit 100"), 101},
		{"plain text that says it is coded", "text/plain", []byte("no coding at all"), malformed("header"), permit, 0},
		{"JSON that says it is coded", "application/json", []byte(`{"a":"x"}`), malformed("truncated"), permit, 0},
		{"deflate that says it is gzip", "application/json", deflated(t, `{"a":"x"}`), malformed("header"), permit, 0},
		{"another method", "application/json", changed(json, 2, 1), malformed("header"), permit, 0},
		{"a reserved flag", "application/json", changed(json, 3, 0x80), malformed("header"), permit, 0},
		{"a wrong checksum", "application/json", changed(json, -8, 1), malformed("checksum"), permit, 9},
		{"a wrong length", "application/json", changed(json, -1, 1), malformed("checksum"), permit, 9},
		{"a block of no type", "application/json", changed(json, 10, 6), malformed("data"), permit, 0},
		{"a missing end", "application/json", json[:len(json)-1], malformed("truncated"), permit, 9},
		{"a head alone", "application/json", json[:10], malformed("truncated"), permit, 0},
		{"half a head", "application/json", json[:5], malformed("truncated"), permit, 0},
		{"a second member", "application/json", append(bytes.Clone(json), json...), malformed("trailing data"), permit, 9},
		{"an empty second member", "application/json", append(bytes.Clone(json), zip(t, "")...), malformed("trailing data"), permit, 9},
		{"zeros behind the member", "application/json", append(bytes.Clone(json), 0, 0), malformed("trailing data"), permit, 9},
		{"the second of two codings", "application/json", zip(t, string(json)), policy.Denied(policy.JSONEncoding, ""), permit, len(json)},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := &judge{verdict: fault}
			r := post(coded(c.sent, "gzip"))
			r.Body = unpacking(t, maxBytes, j, "/a").Inspect(r, c.body, -1, true)
			assert.Equal(t, c.form, r.Body.WellFormed)
			assert.Equal(t, c.body, r.Body.Bytes, "what is forwarded is what was sent")
			assert.EqualValues(t, len(c.body), r.Body.Size)
			assert.EqualValues(t, c.inflated, r.Body.Inflated)
			assert.True(t, r.Body.Unpacked)
			size := payload.Size{MaxBytes: maxBytes, MaxInflation: maxInflation}
			assert.Equal(t, c.size, size.Check(t.Context(), r))
			policytest.Run(t, size, r)
			if c.form == permit && c.sent == "application/json" {
				assert.Equal(t, map[string]any{"a": "x"}, j.value, "the judge reads the content")
				assert.Equal(t, [][]string{{"x"}}, r.Body.Selected)
			}
			if !c.form.Passes() {
				assert.Equal(t, policy.Indeterminate, r.Body.Schema.Effect)
				assert.Nil(t, r.Body.Selected)
			}
		})
	}
	r := post(coded("text/plain", "gzip"))
	r.Body = unpacking(t, 1<<20, nil).Inspect(r, bomb, -1, true)
	assert.Equal(t, bySize, r.Body.WellFormed)
	assert.EqualValues(t, maxInflation*len(bomb)+1, r.Body.Inflated, "nothing is unpacked beyond the bound")
	assert.Equal(t, policy.Denied(policy.InflatedTooLarge, "ratio, limit 20"),
		payload.Size{MaxBytes: 1 << 20, MaxInflation: maxInflation}.Check(t.Context(), r))
}

func TestOnlyACodingThatIsTakenOffIsAllowed(t *testing.T) {
	for _, c := range []struct {
		name    string
		codings []string
		want    policy.Verdict
	}{
		{"gzip", []string{"gzip"}, policy.Permitted()},
		{"case does not count", []string{"GZip"}, policy.Permitted()},
		{"identity", []string{"identity"}, policy.Permitted()},
		{"twice", []string{"gzip, gzip"}, policy.Denied(policy.ContentCoding, "")},
		{"twice in two lines", []string{"gzip", "gzip"}, policy.Denied(policy.ContentCoding, "")},
		{"identity beside it", []string{"gzip, identity"}, policy.Denied(policy.ContentCoding, "")},
		{"an old name", []string{"x-gzip"}, policy.Denied(policy.ContentCoding, "")},
		{"deflate", []string{"deflate"}, policy.Denied(policy.ContentCoding, "")},
		{"br", []string{"br"}, policy.Denied(policy.ContentCoding, "")},
		{"zstd", []string{"zstd"}, policy.Denied(policy.ContentCoding, "")},
		{"an unknown one", []string{"gzip2"}, policy.Denied(policy.ContentCoding, "")},
	} {
		declared := declare(t, "application/json").Unpacking(maxInflation)
		_, v := payload.ContentTypeOf(post(coded("application/json", c.codings...)), declared)
		assert.Equal(t, c.want, v, c.name)
	}
	_, v := payload.ContentTypeOf(post(coded("application/json", "gzip")), declare(t, "application/json"))
	assert.Equal(t, policy.Denied(policy.ContentCoding, ""), v, "none is, unless it is configured")
	_, v = payload.ContentTypeOf(post(coded("text/csv", "gzip")), declare(t, "application/json").Unpacking(maxInflation))
	assert.Equal(t, policy.Denied(policy.ContentTypeUndeclared, ""), v, "the type counts under a coding too")
}

func TestSizeOfACodedBody(t *testing.T) {
	tooLarge := policy.Denied(policy.BodyTooLarge, "limit 100")
	unread := policy.Undecided(policy.NotInspected, nil)
	for _, c := range []struct {
		name, coding string
		body         policy.Body
		want         policy.Verdict
	}{
		{"the body itself is too large", "gzip", policy.Body{Size: 101}, tooLarge},
		{"a body that nobody unpacked", "gzip", policy.Body{Size: 50}, unread},
		{"a body of unknown length", "gzip", policy.Body{Size: -1}, unread},
		{"a coding that nobody takes off", "br", policy.Body{Size: 50}, policy.Permitted()},
		{"both at their bounds", "gzip", policy.Body{Size: 5, Unpacked: true, Inflated: 100}, policy.Permitted()},
		{"too much of a small body", "gzip", policy.Body{Size: 4, Unpacked: true, Inflated: 81}, policy.Denied(policy.InflatedTooLarge, "ratio, limit 20")},
		{"too much of any body", "gzip", policy.Body{Size: 4, Unpacked: true, Inflated: 101}, policy.Denied(policy.InflatedTooLarge, "limit 100")},
	} {
		r := &policy.Request{Header: coded("text/plain", c.coding), Body: c.body}
		check := payload.Size{MaxBytes: maxBytes, MaxInflation: maxInflation}
		assert.Equal(t, c.want, check.Check(t.Context(), r), c.name)
		policytest.Run(t, check, r)
	}
}

func TestACodedBodyThatWasNotReadWholeIsNotUnpacked(t *testing.T) {
	b := zip(t, "text")
	body := unpacking(t, maxBytes, nil).Inspect(post(coded("text/plain", "gzip")), b[:5], int64(len(b)), false)
	assert.False(t, body.Unpacked)
	assert.Equal(t, policy.Undecided(policy.NotInspected, nil), body.WellFormed)
}

func TestATypeThatIsRefusedIsRefusedUnderACoding(t *testing.T) {
	body := unpacking(t, maxBytes, nil).Inspect(post(coded("text/csv", "gzip")), zip(t, "a,b"), -1, true)
	assert.Equal(t, policy.UndecidedBy(policy.InCtype), body.WellFormed)
	assert.EqualValues(t, 3, body.Inflated, "its size is judged all the same")
}

func TestABombCostsNoMoreThanItsBound(t *testing.T) {
	in := unpacking(t, 1<<20, nil)
	bomb := zip(t, strings.Repeat("\x00", 16<<20))
	r := post(coded("text/plain", "gzip"))
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			in.Inspect(r, bomb, -1, true)
		}
	})
	assert.Less(t, result.AllocedBytesPerOp(), int64(fatness*2*maxInflation*len(bomb)))
}

// FuzzInspectCoded inspects arbitrary bytes that are said to be gzip. Nothing is unpacked
// beyond the bounds; whatever passes as coded, the standard library reads as one member
// to its end, and its content is judged as if it had come without the coding.
func FuzzInspectCoded(f *testing.F) {
	for _, content := range []string{`{"a":"x"}`, `[1,2`, ``, strings.Repeat("[", 1000), strings.Repeat(" ", 1<<14) + "1"} {
		f.Add(zip(f, content))
		f.Add(append(zip(f, content), zip(f, content)...))
	}
	f.Add(deflated(f, "{}"))
	f.Add([]byte("\x1f\x8b\x08\x1f\x00\x00\x00\x00\x00\x03\x02\x00ab\x00c\x00"))
	const most = 4096
	size := payload.Size{MaxBytes: most, MaxInflation: maxInflation}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 || len(b) > most {
			return
		}
		in := unpacking(t, most, &judge{verdict: fault}, "/a")
		r := post(coded("application/json", "gzip"))
		r.Body = in.Inspect(r, b, -1, true)
		require.LessOrEqual(t, r.Body.Inflated, min(most, int64(maxInflation*len(b)))+1)
		if r.Body.WellFormed.Reason == policy.CodingMalformed {
			require.Equal(t, policy.Permitted(), size.Check(t.Context(), r))
			return
		}
		if v := size.Check(t.Context(), r); !v.Passes() {
			require.Equal(t, policy.InflatedTooLarge, v.Reason)
			require.Equal(t, policy.UndecidedBy(policy.InSize), r.Body.WellFormed)
			return
		}
		z, err := gzip.NewReader(bytes.NewReader(b))
		require.NoError(t, err)
		content, err := io.ReadAll(z)
		require.NoError(t, err)
		require.EqualValues(t, len(content), r.Body.Inflated)
		if len(content) == 0 {
			return
		}
		plain := in.Inspect(post(contentType("application/json")), content, -1, true)
		require.Equal(t, plain.WellFormed, r.Body.WellFormed)
		require.Equal(t, plain.Schema, r.Body.Schema)
		require.Equal(t, plain.Selected, r.Body.Selected)
	})
}
