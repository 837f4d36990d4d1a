package proxy_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// framing are the rules of in.frame: they say what the connection tells.
func framing(m policy.Mode) []*policy.Rule {
	return []*policy.Rule{
		{Control: policy.InFrame, Phase: policy.HeadPhase, Mode: m, Check: checkFunc(func(r *policy.Request) policy.Verdict { return r.Frame.Head })},
		{Control: policy.InFrame, Phase: policy.BodyPhase, Mode: m, Check: checkFunc(func(r *policy.Request) policy.Verdict { return r.Frame.Body })},
	}
}

// framed is a policy with in.frame, which holds no body.
func framed(m policy.Mode) *policy.Policy {
	p := policyOf(stages{}, framing(m)...)
	p.Unmatched.HoldIn = false
	return p
}

// finding returns the first denial of in.frame.
func (o *seen) finding() policy.Verdict {
	for _, f := range o.decision.Findings {
		if f.Rule.Control == policy.InFrame && f.Verdict.Effect != policy.Permit && f.Verdict.Effect != policy.NotApplicable {
			return f.Verdict
		}
	}
	return policy.Permitted()
}

// rawCase is a line of proxy/frame/testdata/raw.txt.
type rawCase struct{ name, want, bytes string }

func rawCases(t *testing.T) []rawCase {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("frame", "testdata", "raw.txt"))
	require.NoError(t, err)
	var all []rawCase
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		want, escaped, _ := strings.Cut(rest, " ")
		// Every escape of the file but one is one of Go.
		for i := strings.Index(escaped, `\*`); i >= 0; i = strings.Index(escaped, `\*`) {
			open, end := strings.IndexByte(escaped[i:], '{')+i, strings.IndexByte(escaped[i:], '}')+i
			n, err := strconv.Atoi(escaped[i+2 : open])
			require.NoError(t, err, line)
			escaped = escaped[:i] + strings.Repeat(escaped[open+1:end], n) + escaped[end+1:]
		}
		bytes, err := strconv.Unquote(`"` + strings.ReplaceAll(escaped, `"`, `\"`) + `"`)
		require.NoError(t, err, line)
		all = append(all, rawCase{name, want, bytes})
	}
	require.Greater(t, len(all), 120)
	return all
}

// talk sends bytes and then nothing more, and returns what comes until the server
// closes, or has been silent for long although the client is done.
func talk(t *testing.T, addr, bytes string) []answer {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	require.NoError(t, c.SetDeadline(time.Now().Add(30*time.Second)))
	go func() {
		_, _ = io.WriteString(c, bytes)
		// The last request of every conversation, so that the server has a reason to close.
		_, _ = io.WriteString(c, "GET /the-last-one HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	}()
	var all []answer
	in := bufio.NewReader(c)
	for {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return all
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.Close { // net/http takes the field away
			resp.Header.Set("Connection", "close")
		}
		if resp.StatusCode >= 200 {
			all = append(all, answer{resp.StatusCode, resp.Header, string(body)})
		}
		if err != nil {
			return all
		}
	}
}

// several waits for a number of observations and returns them.
func (o *observer) several(t *testing.T, n int) []seen {
	t.Helper()
	require.Eventually(t, func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return len(o.seen) >= n
	}, 30*time.Second, time.Millisecond)
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]seen(nil), o.seen...)
}

// meets checks the invariant for one conversation: the backend gets no more than is
// answered by it, each as its record says, and what enforce refuses it does not get.
func (c rawCase) meets(t *testing.T, m policy.Mode) {
	t.Helper()
	rec := record(t)
	s := start(t, framed(m), rec.Addr)
	answers := talk(t, s.addr, c.bytes)
	require.NotEmpty(t, answers, "%s: something is answered", c.name)
	records := s.observer.several(t, len(answers))
	require.Len(t, records, len(answers), "%s: a record for each answer", c.name)
	got := whole(rec.Requests())
	forwarded, denied := 0, policy.Reason("ok")
	for i, o := range records {
		assert.NotEqual(t, http.StatusBadGateway, answers[i].StatusCode, c.name)
		assert.Equal(t, answers[i].StatusCode, o.outcome.Status, c.name)
		if v := o.finding(); v.Effect == policy.Deny {
			denied = v.Reason
			if m == policy.Enforce {
				assert.Equal(t, policy.Blocked, o.outcome.Disposition, c.name)
				assert.Equal(t, i, len(records)-1, "%s: nothing behind it is a request", c.name)
				assert.Contains(t, []int{400, 417}, answers[i].StatusCode, c.name)
				assert.Equal(t, "close", answers[i].Header.Get("Connection"), c.name)
				assert.Equal(t, "application/problem+json", answers[i].Header.Get("Content-Type"), c.name)
				if !strings.HasPrefix(c.bytes, "HEAD ") {
					assert.Contains(t, answers[i].body, `"code":"`+string(v.Reason)+`"`, c.name)
				}
			}
		}
		if o.outcome.BackendStatus == 0 {
			continue
		}
		require.Less(t, forwarded, len(got), "%s: a record of what the backend did not get", c.name)
		o.is(t, got[forwarded], c.name)
		forwarded++
	}
	assert.Len(t, got, forwarded, "%s: the backend gets what is answered and no more: %q", c.name, got)
	assert.Equal(t, c.want, string(denied), "%s: %+v", c.name, answers)
}

// whole returns the messages that came whole. What was cut is no request.
func whole(messages []string) []string {
	var all []string
	for _, message := range messages {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(message)))
		if err != nil {
			continue
		}
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			all = append(all, message)
		}
	}
	return all
}

// is checks that the bytes at the backend are the request of the record.
func (o *seen) is(t *testing.T, message, name string) {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(message)))
	require.NoError(t, err, name)
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err, name)
	assert.Equal(t, o.request.Method, r.Method, name)
	target := o.request.Path
	if o.request.RawQuery != "" {
		target += "?" + o.request.RawQuery
	}
	if strings.HasPrefix(o.request.Target, "/") && !strings.Contains(o.request.Target, "#") {
		assert.Equal(t, target, r.RequestURI, name)
	}
	assert.EqualValues(t, o.request.Body.Size, len(body), name)
}

func meet(t *testing.T, prefixes ...string) {
	t.Helper()
	for _, c := range rawCases(t) {
		for _, p := range prefixes {
			if strings.HasPrefix(c.name, p) {
				for _, m := range []policy.Mode{policy.Shadow, policy.Enforce} {
					t.Run(c.name+"/"+m.String(), func(t *testing.T) { t.Parallel(); c.meets(t, m) })
				}
			}
		}
	}
}

func TestThreatDesyncOfLengthAndCoding(t *testing.T) {
	t.Parallel()
	meet(t, "both", "length", "coding")
}

func TestThreatChunkSmuggling(t *testing.T) {
	t.Parallel()
	meet(t, "chunk", "trailer")
	for _, c := range rawCases(t) {
		if strings.HasPrefix(c.name, "endless") { // in shadow the client waits for an answer, as it does without us
			c.meets(t, policy.Enforce)
		}
	}
}

func TestThreatHeaderSmuggling(t *testing.T) {
	t.Parallel()
	meet(t, "fold", "lf", "cr", "nul", "control", "name", "line", "host", "expect")
}

// Rejecting everything odd is a failure, too.
func TestThreatSplittingAndWhatIsMerelyOdd(t *testing.T) {
	t.Parallel()
	meet(t, "get", "post", "pipelined", "close", "http10", "value", "fields", "method", "options", "connect", "absolute", "target", "upgrade")
}

// The connection of a client that sends a bad chunk is not the only one that ends: what
// the backend got of it is no whole request, and nothing else follows it there.
func TestABackendConnectionWithABrokenBodyIsNotReused(t *testing.T) {
	t.Parallel()
	const bad = "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nGET /admin HTTP/1.1\r\nHost: h\r\n\r\n"
	for _, m := range []policy.Mode{policy.Shadow, policy.Enforce} {
		connections := make(chan string, 10)
		s := start(t, framed(m), proxytest.Script(t, func(c net.Conn, in *bufio.Reader) {
			for {
				r, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					connections <- c.RemoteAddr().String() + " broken"
					return
				}
				connections <- c.RemoteAddr().String()
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
		}))
		assert.Equal(t, 200, raw(t, s.addr, get).StatusCode)
		first := <-connections
		assert.Equal(t, 400, raw(t, s.addr, bad).StatusCode, m)
		assert.Equal(t, first+" broken", <-connections, m)
		assert.Equal(t, 200, raw(t, s.addr, get).StatusCode)
		assert.NotContains(t, first, <-connections, m)
	}
}

// A body that is held is judged before the backend hears of it.
func TestABrokenBodyThatIsHeldNeverReachesTheBackend(t *testing.T) {
	t.Parallel()
	for _, m := range []policy.Mode{policy.Shadow, policy.Enforce} {
		rec := record(t)
		s := start(t, policyOf(stages{}, append(framing(m), wellformed(policy.Enforce))...), rec.Addr)
		a := raw(t, s.addr, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
		assert.Equal(t, 400, a.StatusCode, m)
		assert.Empty(t, rec.Requests(), m)
		o := s.observer.one(t)
		assert.Equal(t, policy.FrameChunk, o.finding().Reason, m)
		if m == policy.Enforce {
			assert.Equal(t, policy.Blocked, o.outcome.Disposition)
			assert.Contains(t, a.body, policy.FrameChunk)
		} else {
			assert.Equal(t, policy.Failed, o.outcome.Disposition)
		}
		assert.Zero(t, s.handler.Stats().HeldBytes)
	}
}

// In shadow what cannot be followed goes on, is counted once, and its requests say so.
func TestABlindConnectionIsCountedAndGoesOn(t *testing.T) {
	t.Parallel()
	rec := record(t)
	s := start(t, framed(policy.Shadow), rec.Addr)
	answers := talk(t, s.addr, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\nHost: h\n\nGET /3 HTTP/1.1\r\nHost: h\r\n\r\n")
	require.Len(t, answers, 4)
	records := s.observer.several(t, 4)
	for i, want := range []policy.Verdict{
		policy.Permitted(), policy.Denied(policy.FrameLineEnding, "in the request line"),
		policy.Undecided(policy.FrameBlind, nil), policy.Undecided(policy.FrameBlind, nil),
	} {
		assert.Equal(t, want, records[i].finding(), i)
	}
	assert.EqualValues(t, 1, s.refusals.Blind())
	assert.Len(t, rec.Requests(), 4)
}

// What net/http refuses on a blind connection is not put down to the fault before it.
func TestARefusalOnABlindConnectionHasNoFinding(t *testing.T) {
	t.Parallel()
	s := start(t, framed(policy.Shadow), record(t).Addr)
	answers := talk(t, s.addr, "GET /1 HTTP/1.1\nHost: h\n\nGET /2 HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n")
	require.Len(t, answers, 2)
	assert.Equal(t, 400, answers[1].StatusCode)
	refused := s.observer.several(t, 2)[1]
	assert.Equal(t, policy.Failed, refused.outcome.Disposition)
	assert.Empty(t, refused.decision.Findings)
}

// What passes although in.frame enforces for everything else is the last of its
// connection.
func TestAFaultThatIsLetThroughIsTheLastOfItsConnection(t *testing.T) {
	t.Parallel()
	rec := record(t)
	p := framed(policy.Enforce).WithExceptions([]policy.Exception{{ID: "EX-1", Control: policy.InFrame, Until: time.Now().Add(time.Hour)}})
	s := start(t, p, rec.Addr)
	answers := talk(t, s.addr, "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok")
	require.Len(t, answers, 1)
	assert.Equal(t, 200, answers[0].StatusCode)
	assert.Equal(t, "close", answers[0].Header.Get("Connection"))
	assert.Equal(t, policy.Excepted, s.observer.one(t).outcome.Disposition)
	require.Len(t, rec.Requests(), 1)
	assert.True(t, strings.HasSuffix(rec.Requests()[0], "\r\n\r\nok"), "the body went with it")
}

// An operation in shadow is in shadow, whatever the rest is.
func TestFramingIsJudgedByTheModeOfTheOperation(t *testing.T) {
	t.Parallel()
	for _, m := range []policy.Mode{policy.Shadow, policy.Enforce} {
		other := map[policy.Mode]policy.Mode{policy.Shadow: policy.Enforce, policy.Enforce: policy.Shadow}[m]
		op := &policy.Operation{ID: "op", Rules: framing(m)}
		p := policyOf(stages{match: func(*policy.Request) policy.Match { return policy.Match{Operation: op} }}, framing(other)...)
		s := start(t, p, record(t).Addr)
		a := raw(t, s.addr, "GET / HTTP/1.1\nHost: h\n\n")
		assert.Equal(t, map[policy.Mode]int{policy.Shadow: 200, policy.Enforce: 400}[m], a.StatusCode, m)
	}
}

// Each of many good requests gets its own answer, between as many that are refused.
func TestThreatReuseAfterAnError(t *testing.T) {
	t.Parallel()
	addr := backend(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Echo", r.Header.Get("X-Id"))
	})
	var bad []string
	for _, c := range rawCases(t) {
		// Of those left out, one waits for what never comes, and the others begin with a good one.
		if c.want != "ok" && !strings.HasPrefix(c.name, "endless") && !strings.HasPrefix(c.name, "line-empty-") && !strings.HasPrefix(c.name, "line-lf-") {
			bad = append(bad, c.bytes)
		}
	}
	s := start(t, framed(policy.Enforce), addr)
	keep, err := net.Dial("tcp", s.addr)
	require.NoError(t, err)
	defer func() { _ = keep.Close() }()
	require.NoError(t, keep.SetDeadline(time.Now().Add(2*time.Minute)))
	in := bufio.NewReader(keep)
	for i := range 1000 {
		id := strconv.Itoa(i)
		assert.Contains(t, []int{400, 417}, raw(t, s.addr, bad[i%len(bad)]).StatusCode, bad[i%len(bad)])
		_, err := io.WriteString(keep, "GET /ok HTTP/1.1\r\nHost: h\r\nX-Id: "+id+"\r\n\r\n")
		require.NoError(t, err)
		resp, err := http.ReadResponse(in, nil)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, 200, resp.StatusCode)
		require.Equal(t, id, resp.Header.Get("X-Echo"))
	}
}
