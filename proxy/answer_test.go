package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

const maxOut = 2 << 10

// answerInspector judges JSON bodies alone: one that contains "bad" is denied.
type answerInspector struct{}

func (answerInspector) Inspect(r *policy.Request, b []byte, size int64, whole bool) policy.Body {
	body := policy.Body{Bytes: b, Size: size, Whole: whole, Schema: policy.Permitted()}
	switch {
	case r.Response.Bodiless(r.Method), r.Response.Header.Get("Content-Type") != "application/json":
	case !whole:
		body.Schema = policy.Undecided(policy.NotInspected, nil)
	case strings.Contains(string(b), "bad"):
		body.Schema = policy.Denied(policy.SchemaMismatch, "/bad additionalProperties")
	}
	return body
}

func outSchema(m policy.Mode) *policy.Rule {
	return &policy.Rule{
		Control: policy.OutSchema, Phase: policy.ResponsePhase, Mode: m,
		Check: checkFunc(func(r *policy.Request) policy.Verdict {
			if r.Response == nil || r.Response.Status == 0 {
				return policy.Inapplicable()
			}
			return r.Response.Body.Schema
		}),
	}
}

func outSize(m policy.Mode) *policy.Rule {
	return &policy.Rule{
		Control: policy.OutSize, Phase: policy.ResponsePhase, Mode: m,
		Check: checkFunc(func(r *policy.Request) policy.Verdict {
			switch {
			case r.Response.Bodiless(r.Method):
				return policy.Inapplicable()
			case r.Response.Body.Size > maxOut:
				return policy.Denied(policy.BodyTooLarge, "")
			case r.Response.Body.Size < 0:
				return policy.Undecided(policy.NotInspected, nil)
			}
			return policy.Permitted()
		}),
	}
}

// answers returns a policy that judges answers by the given rules.
func answers(rules ...*policy.Rule) *policy.Policy {
	p := policyOf(stages{}, rules...)
	p.Unmatched.Out, p.Unmatched.MaxOut = answerInspector{}, maxOut
	for _, r := range rules {
		p.Unmatched.HoldOut = p.Unmatched.HoldOut || r.Phase == policy.ResponsePhase && r.Mode == policy.Enforce
	}
	return p
}

// replies answers each request with the same bytes and closes the connection.
func replies(t *testing.T, message string) string {
	t.Helper()
	return proxytest.Script(t, func(c net.Conn, in *bufio.Reader) {
		if _, err := http.ReadRequest(in); err == nil {
			_, _ = io.WriteString(c, message)
		}
	})
}

// wire returns every byte of the answer to one request, with the line of the date,
// which net/http adds, taken out.
func wire(t *testing.T, addr, method string) string {
	t.Helper()
	c, _ := proxytest.Dial(t, addr, method+" / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	defer func() { _ = c.Close() }()
	all, err := io.ReadAll(c)
	require.NoError(t, err)
	var kept []string
	for line := range strings.SplitSeq(string(all), "\r\n") {
		if !strings.HasPrefix(line, "Date: ") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\r\n")
}

const (
	jsonHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	chunked  = "Transfer-Encoding: chunked\r\n\r\n"
)

// messages are answers of every framing, none of which is objected to.
func messages() map[string][2]string {
	large := strings.Repeat("x", 3*maxOut)
	return map[string][2]string{
		"declared length":             {"GET", jsonHead + "Content-Length: 2\r\n\r\n{}"},
		"cookies and odd fields":      {"GET", jsonHead + "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nx-odd:  1 \r\nContent-Length: 2\r\n\r\n{}"},
		"chunked":                     {"GET", jsonHead + chunked + "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"},
		"announced trailer":           {"GET", jsonHead + "Trailer: X-Sum\r\n" + chunked + "2\r\n{}\r\n0\r\nX-Sum: 1\r\n\r\n"},
		"trailer without a word":      {"GET", jsonHead + chunked + "2\r\n{}\r\n0\r\nX-Sum: 1\r\n\r\n"},
		"until the connection closes": {"GET", jsonHead + "\r\n{}"},
		"empty":                       {"GET", jsonHead + "Content-Length: 0\r\n\r\n"},
		"head":                        {"HEAD", jsonHead + "Content-Length: 9999\r\n\r\n"},
		"no content":                  {"GET", "HTTP/1.1 204 No Content\r\n\r\n"},
		"not modified":                {"GET", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 9999\r\n\r\n"},
		"coded":                       {"GET", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x00"},
		"a part":                      {"GET", "HTTP/1.1 206 Partial Content\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nab"},
		"early hints":                 {"GET", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + jsonHead + "Content-Length: 2\r\n\r\n{}"},
		"an error":                    {"GET", "HTTP/1.1 500 Oh\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nno"},
		"large and not JSON":          {"GET", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(large), large)},
		"an event stream":             {"GET", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + chunked + "7\r\ndata:x\n\r\n0\r\n\r\n"},
	}
}

func TestAnswersAreThoseOfABareProxy(t *testing.T) {
	t.Parallel()
	for name, m := range messages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := replies(t, m[1])
			want := wire(t, bare(t, addr), m[0])
			shadow := start(t, answers(outSize(policy.Shadow), outSchema(policy.Shadow)), addr)
			assert.Equal(t, want, wire(t, shadow.addr, m[0]), "shadow")
			enforce := start(t, answers(outSchema(policy.Enforce)), addr)
			assert.Equal(t, want, wire(t, enforce.addr, m[0]), "enforce")
			inShadow, inEnforce := shadow.observer.one(t), enforce.observer.one(t)
			assert.Equal(t, policy.Allowed, inEnforce.outcome.Disposition)
			f, _ := inShadow.decision.Find(policy.OutSchema)
			g, _ := inEnforce.decision.Find(policy.OutSchema)
			assert.Equal(t, f.Verdict, g.Verdict)
			assert.Equal(t, inShadow.outcome.Class, inEnforce.outcome.Class)
			assert.Equal(t, inShadow.outcome.Sent, inEnforce.outcome.Sent)
			assert.Zero(t, shadow.handler.Stats().HeldBytes)
			assert.Zero(t, enforce.handler.Stats().HeldBytes)
		})
	}
}

// In shadow the first byte is with the client before the backend has sent the last,
// and so is under enforce what is not JSON.
func TestJudgedAnswersStream(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ mode, media string }{
		"shadow": {"shadow", "application/json"}, "enforce": {"enforce", "text/event-stream"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			more := make(chan struct{})
			addr := backend(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", c.media)
				_, _ = io.WriteString(w, `{"first":1,`)
				_ = http.NewResponseController(w).Flush()
				<-more
				_, _ = io.WriteString(w, `"bad":2}`)
			})
			mode := policy.Shadow
			if c.mode == "enforce" {
				mode = policy.Enforce
			}
			s := start(t, answers(outSchema(mode)), addr)
			resp, err := http.Get("http://" + s.addr)
			require.NoError(t, err)
			defer func() { _ = resp.Body.Close() }()
			first := make([]byte, 11)
			_, err = io.ReadFull(resp.Body, first)
			require.NoError(t, err)
			close(more)
			rest, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			assert.Equal(t, `{"first":1,"bad":2}`, string(first)+string(rest))
			got := s.observer.one(t)
			f, judged := got.decision.Find(policy.OutSchema)
			assert.True(t, judged)
			if c.mode == "shadow" {
				assert.Equal(t, policy.SchemaMismatch, f.Verdict.Reason)
				assert.Equal(t, policy.WouldBlock, got.outcome.Disposition)
			}
		})
	}
}

func TestThreatAnswersAreWithheld(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", maxOut+1)
	for _, c := range []struct {
		name, message string
		rules         []*policy.Rule
		status        int
		code          string
		control       policy.Control
	}{
		{"schema", jsonHead + "Set-Cookie: secret=1\r\nContent-Length: 3\r\n\r\nbad", []*policy.Rule{outSchema(policy.Enforce)}, 502, "schema-mismatch", policy.OutSchema},
		{"schema, chunked", jsonHead + "Set-Cookie: secret=1\r\nTrailer: X-Secret\r\n" + chunked + "3\r\nbad\r\n0\r\nX-Secret: 1\r\n\r\n", []*policy.Rule{outSchema(policy.Enforce)}, 502, "schema-mismatch", policy.OutSchema},
		{"early hints", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + jsonHead + "Set-Cookie: secret=1\r\nContent-Length: 3\r\n\r\nbad", []*policy.Rule{outSchema(policy.Enforce)}, 502, "schema-mismatch", policy.OutSchema},
		{"declared size", "HTTP/1.1 200 OK\r\nSet-Cookie: secret=1\r\nContent-Length: 2049\r\n\r\n", []*policy.Rule{outSize(policy.Enforce)}, 502, "body-too-large", policy.OutSize},
		{"counted size", "HTTP/1.1 200 OK\r\nSet-Cookie: secret=1\r\n" + chunked + "801\r\n" + large + "\r\n0\r\n\r\n", []*policy.Rule{outSize(policy.Enforce)}, 502, "body-too-large", policy.OutSize},
		{"a size beside a schema in shadow", jsonHead + "Set-Cookie: secret=1\r\nContent-Length: 2049\r\n\r\n", []*policy.Rule{outSize(policy.Enforce), outSchema(policy.Shadow)}, 502, "body-too-large", policy.OutSize},
		{"too large for the schema", jsonHead + "Set-Cookie: secret=1\r\nContent-Length: 2049\r\n\r\n", []*policy.Rule{outSchema(policy.Enforce)}, 503, "undecided", policy.OutSchema},
		{"too large for the schema, chunked", jsonHead + "Set-Cookie: secret=1\r\n" + chunked + "801\r\n" + large + "\r\n0\r\n\r\n", []*policy.Rule{outSchema(policy.Enforce)}, 503, "undecided", policy.OutSchema},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, answers(c.rules...), replies(t, c.message))
			all := wire(t, s.addr, "GET")
			assert.Contains(t, all, fmt.Sprintf("HTTP/1.1 %d ", c.status))
			assert.Contains(t, all, `"code":"`+c.code+`"`)
			assert.Contains(t, all, proxy.DecisionHeader+": id\r\n")
			assert.NotContains(t, strings.ToLower(all), "secret", "nothing of a withheld answer is left")
			assert.NotContains(t, all, "bad\"")
			got := s.observer.one(t)
			assert.Equal(t, policy.Blocked, got.outcome.Disposition)
			assert.Equal(t, 200, got.outcome.BackendStatus)
			assert.Equal(t, c.status, got.outcome.Status)
			assert.Equal(t, policy.ClassOK, got.outcome.Class)
			f, blocks := got.decision.Blocking()
			assert.True(t, blocks)
			assert.Equal(t, c.control, f.Rule.Control)
			for _, o := range policy.Classify(got.decision, got.outcome) {
				assert.Equal(t, policy.AtBackend, o.Position)
				assert.Equal(t, policy.Leaked, o.Signal)
			}
			require.Eventually(t, func() bool { return s.handler.Stats().HeldBytes == 0 }, 5*time.Second, time.Millisecond)
		})
	}
}

// A rule that fails open judges what it can read all the same.
func TestHeldAnswersThatFailOpen(t *testing.T) {
	t.Parallel()
	open := outSchema(policy.Enforce)
	open.OnError = policy.Permit
	s := start(t, answers(open), replies(t, jsonHead+"Content-Length: 3\r\n\r\nbad"))
	assert.Contains(t, wire(t, s.addr, "GET"), "502 Bad Gateway")

	large := strings.Repeat("x", 3*maxOut)
	message := jsonHead + chunked + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(large), large)
	s = start(t, answers(open), replies(t, message))
	got := raw(t, s.addr, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	assert.Equal(t, large, got.body, "what was held and what was not")
	seen := s.observer.one(t)
	assert.Equal(t, policy.Allowed, seen.outcome.Disposition)
	assert.EqualValues(t, len(large), seen.request.Response.Body.Size)
	assert.Zero(t, s.handler.Stats().HeldBytes)
}

func TestMemoryForAnAnswerThatIsNotThere(t *testing.T) {
	t.Parallel()
	none := func(o *proxy.Options, _ *proxy.Backend) { o.MaxHeldBytes = 1 }
	message := jsonHead + "Content-Length: 2\r\n\r\n{}"
	s := start(t, answers(outSchema(policy.Enforce)), replies(t, message), none)
	assert.Contains(t, wire(t, s.addr, "GET"), `"code":"undecided"`)
	assert.Equal(t, policy.Blocked, s.observer.one(t).outcome.Disposition)
	assert.EqualValues(t, 1, s.handler.Stats().PartialInspections)

	s = start(t, answers(outSchema(policy.Shadow)), replies(t, message), none)
	assert.Contains(t, wire(t, s.addr, "GET"), "\r\n\r\n{}", "shadow sheds the inspection and not the answer")
	f, _ := s.observer.one(t).decision.Find(policy.OutSchema)
	assert.Equal(t, policy.NotInspected, f.Verdict.Reason)
	assert.EqualValues(t, 1, s.handler.Stats().PartialInspections)

	open := outSchema(policy.Enforce)
	open.OnError = policy.Permit
	s = start(t, answers(open), replies(t, message), none)
	assert.Contains(t, wire(t, s.addr, "GET"), "503 Service Unavailable", "what is gone cannot be sent")
	assert.Equal(t, policy.Failed, s.observer.one(t).outcome.Disposition)
}

func TestThreatAnswersThatDoNotEnd(t *testing.T) {
	t.Parallel()
	stalls := func(t *testing.T, then func(net.Conn)) string {
		return proxytest.Script(t, func(c net.Conn, in *bufio.Reader) {
			if _, err := http.ReadRequest(in); err == nil {
				_, _ = io.WriteString(c, jsonHead+"Set-Cookie: secret=1\r\nContent-Length: 9\r\n\r\n{")
				then(c)
			}
		})
	}
	waits := func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) }
	soon := func(o *proxy.Options, _ *proxy.Backend) { o.AnswerTimeout = 30 * time.Millisecond }

	s := start(t, answers(outSchema(policy.Enforce)), stalls(t, waits), soon)
	all := wire(t, s.addr, "GET")
	assert.Contains(t, all, "504 Gateway Timeout")
	assert.NotContains(t, all, "secret")
	assert.Equal(t, policy.ClassAbort, s.observer.one(t).outcome.Class)

	s = start(t, answers(outSchema(policy.Enforce)), stalls(t, func(net.Conn) {}))
	all = wire(t, s.addr, "GET")
	assert.Contains(t, all, "502 Bad Gateway")
	assert.NotContains(t, all, "secret")
	got := s.observer.one(t)
	assert.Equal(t, policy.ClassAbort, got.outcome.Class)
	assert.Equal(t, policy.Failed, got.outcome.Disposition)

	s = start(t, answers(outSchema(policy.Enforce)), stalls(t, waits))
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr, nil)
	require.NoError(t, err)
	time.AfterFunc(50*time.Millisecond, leave)
	_, err = http.DefaultClient.Do(req) //nolint:bodyclose // there is no answer
	require.Error(t, err)
	got = s.observer.one(t)
	assert.Equal(t, policy.ClassNone, got.outcome.Class, "a client that left says nothing of the backend")
	require.Eventually(t, func() bool { return s.handler.Stats().HeldBytes == 0 }, 5*time.Second, time.Millisecond)
}

// A body that streams through is judged before an answer that is held.
func TestHeldAnswerBehindABodyInShadow(t *testing.T) {
	t.Parallel()
	s := start(t, answers(wellformed(policy.Shadow), outSchema(policy.Enforce)), backend(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "bad")
	}))
	assert.Equal(t, 502, raw(t, s.addr, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nbad").StatusCode)
	var controls []policy.Control
	for _, f := range s.observer.one(t).decision.Findings {
		controls = append(controls, f.Rule.Control)
	}
	assert.Equal(t, []policy.Control{policy.InWellformed, policy.OutSchema}, controls)
}
