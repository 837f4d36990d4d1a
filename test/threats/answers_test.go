package threats_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
)

// secret is in every answer that must not reach a client.
const secret = "internal-host-7"

const answering = `paths:
  /orders/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses:
        '200': {description: ok, content: {application/json: {schema: {type: object, required: [id], properties: {id: {type: integer}, note: {type: string}, pin: {type: string, writeOnly: true}}}}}}
        '404': {description: none, content: {application/problem+json: {schema: {type: object}}}}
`

// sends answers with one body.
func sends(status int, mediaType, body string, more ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Set-Cookie", "session="+secret)
		for i := 0; i < len(more); i += 2 {
			w.Header().Set(more[i], more[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// endless answers with a document that begins well and goes on until nobody reads it, or
// until it is n bytes long.
func endless(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		begun, more := `{"id":1,"note":"`+secret, []byte(strings.Repeat("x", 32<<10))
		for sent, err := io.WriteString(w, begun); err == nil && (n == 0 || sent < n); {
			var wrote int
			wrote, err = w.Write(more)
			sent += wrote
		}
		if n > 0 {
			_, _ = io.WriteString(w, `"}`)
		}
	}
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, text)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.String()
}

// TestThreatAnswersThatBreakTheContract: under enforce nothing of them reaches the client,
// neither a byte of the body nor a header field, and the status is not theirs; in shadow
// they go through, with the same finding.
func TestThreatAnswersThatBreakTheContract(t *testing.T) {
	t.Parallel()
	const trace = "java.lang.NullPointerException\n\tat com.example.Orders(" + secret + ".java:7)"
	const large = 50 << 20
	const asked = 1 << 20 // read of an endless answer
	for _, row := range []struct {
		name    string
		answer  http.HandlerFunc
		control policy.Control
		reason  policy.Reason
		status  int
		begins  string // of what shadow lets through
	}{
		{"a wrong type", sends(200, "application/json", `{"id":"`+secret+`"}`), policy.OutSchema, policy.SchemaMismatch, 502, `{"id":"` + secret},
		{"no object", sends(200, "application/json", `["`+secret+`"]`), policy.OutSchema, policy.SchemaMismatch, 502, `["` + secret},
		{"a member is missing", sends(200, "application/json", `{"note":"`+secret+`"}`), policy.OutSchema, policy.SchemaMismatch, 502, `{"note"`},
		{"a wrong status", sends(201, "application/json", `{"id":1,"note":"`+secret+`"}`), policy.OutSchema, policy.StatusUndeclared, 502, `{"id":1`},
		{"a wrong status of an error", sends(500, "application/problem+json", `{"detail":"`+secret+`"}`), policy.OutSchema, policy.StatusUndeclared, 502, `{"detail"`},
		{"a wrong content type", sends(200, "text/html", "<html>"+secret), policy.OutSchema, policy.ContentTypeUndeclared, 502, "<html>"},
		{"the content type of another status", sends(200, "application/problem+json", `{"id":1,"note":"`+secret+`"}`), policy.OutSchema, policy.ContentTypeUndeclared, 502, `{"id":1`},
		{"an extra field", sends(200, "application/json", `{"id":1,"card":"`+secret+`"}`), policy.OutSchema, policy.UndeclaredProperty, 502, `{"id":1`},
		{"a writeOnly field", sends(200, "application/json", `{"id":1,"pin":"`+secret+`"}`), policy.OutSchema, policy.SchemaMismatch, 502, `{"id":1`},
		{"a stack trace", sends(500, "text/plain", trace), policy.OutSchema, policy.StatusUndeclared, 502, "java"},
		{"a stack trace with a good status", sends(200, "text/plain", trace), policy.OutSchema, policy.ContentTypeUndeclared, 502, "java"},
		{"a stack trace behind the document", sends(200, "application/json", `{"id":1}`+trace), policy.OutSchema, policy.JSONTrailingData, 502, `{"id":1}java`},
		{"a member twice", sends(200, "application/json", `{"id":1,"id":"`+secret+`"}`), policy.OutSchema, policy.JSONDuplicateMember, 502, `{"id":1`},
		{"50 MB", sends(200, "application/json", `{"id":1,"note":"`+secret+strings.Repeat("x", large)+`"}`), policy.OutSize, policy.BodyTooLarge, 502, `{"id":1`},
		{"50 MB without a length", endless(large), policy.OutSize, policy.BodyTooLarge, 502, `{"id":1`},
		{"an endless stream", endless(0), policy.OutSize, policy.BodyTooLarge, 502, `{"id":1`},
		{"a coding that nobody asked for", sends(200, "application/json", zipped(t, `{"id":1,"note":"`+secret+`"}`), "Content-Encoding", "gzip"), policy.OutSchema, policy.ContentCoding, 503, "\x1f\x8b"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			worlds := both(t, plan{
				contract: document("3.0.3", answering), answer: row.answer,
				settings: "schema: {undeclared_properties: deny}\npayload: {max_response_bytes: 64KiB}\n",
			})
			for mode, w := range worlds {
				m := message{name: row.name, method: http.MethodGet, target: "/orders/1", header: []string{"Accept-Encoding: identity"}}
				a := w.client(t).send(t, m, asked)
				_, seen := w.take(t, 1)
				f, judged := seen[0].decision.Find(row.control)
				require.True(t, judged, mode)
				assert.Equal(t, row.reason, f.Verdict.Reason, "%s: %s", mode, f.Verdict.Detail)
				if mode == policy.Shadow {
					assert.True(t, strings.HasPrefix(a.body, row.begins), "%.40q", a.body)
					assert.NotEqual(t, policy.Blocked, seen[0].outcome.Disposition)
					continue
				}
				assert.Equal(t, row.status, a.status)
				assert.False(t, a.cut)
				assert.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
				assert.NotContains(t, a.body, secret)
				assert.Empty(t, a.header.Get("Set-Cookie"))
				assert.Empty(t, a.header.Get("Content-Encoding"))
				assert.Equal(t, policy.Blocked, seen[0].outcome.Disposition)
				assert.Less(t, len(a.body), 1<<10)
			}
		})
	}
}

// TestAnswersThatKeepToTheContract passes what the others are changed from.
func TestAnswersThatKeepToTheContract(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"an order":       sends(200, "application/json", `{"id":1,"note":"`+secret+`"}`),
		"a declared 404": sends(404, "application/problem+json", `{"note":"`+secret+`"}`),
	} {
		for mode, w := range both(t, plan{contract: document("3.0.3", answering), answer: answer}) {
			a, _, seen := w.meets(t, message{name: name, method: http.MethodGet, target: "/orders/1"})
			assert.Contains(t, a.body, secret, "%s, %s", mode, name)
			assert.Equal(t, policy.Allowed, seen.outcome.Disposition, "%s, %s", mode, name)
		}
	}
}
