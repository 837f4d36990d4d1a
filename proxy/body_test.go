package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// dribble sends the head of a request and then piece after piece, and returns the
// connection.
func dribble(t *testing.T, addr, head string, pause time.Duration, pieces ...string) net.Conn {
	t.Helper()
	c, _ := proxytest.Dial(t, addr, "POST / HTTP/1.1\r\nHost: h\r\n"+head+"\r\n\r\n")
	for _, p := range pieces {
		_, err := io.WriteString(c, p)
		require.NoError(t, err)
		time.Sleep(pause)
	}
	return c
}

func within(d time.Duration) func(*proxy.Options, *proxy.Backend) {
	return func(o *proxy.Options, _ *proxy.Backend) { o.BodyTimeout, o.MaxHeldBytes = d, 64<<10 }
}

// Bodies that do not end must not keep the memory from those that do.
func TestHeldBodyHasATimeout(t *testing.T) {
	t.Parallel()
	rec := record(t)
	s := start(t, policyOf(stages{}, wellformed(policy.Enforce)), rec.Addr, within(300*time.Millisecond))
	c := dribble(t, s.addr, "Content-Length: 100", 0, "x")
	answer, err := io.ReadAll(c) // to the end: the connection is closed and not drained
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(answer), "HTTP/1.1 408 "), string(answer))
	assert.Contains(t, string(answer), "Connection: close\r\n")
	assert.Contains(t, string(answer), "application/problem+json")
	o := s.observer.one(t)
	assert.Equal(t, policy.Failed, o.outcome.Disposition)
	assert.Equal(t, policy.ClassNone, o.outcome.Class)
	assert.Equal(t, 408, o.outcome.Status)
	assert.Zero(t, s.handler.Stats().HeldBytes)
	assert.Empty(t, rec.Requests())
}

func TestSlowHeldBodiesDoNotStarveOthers(t *testing.T) {
	t.Parallel()
	rec := record(t)
	s := start(t, policyOf(stages{}, wellformed(policy.Enforce)), rec.Addr, within(300*time.Millisecond))
	for range 64 {
		dribble(t, s.addr, "Transfer-Encoding: chunked", 0, "1\r\nx\r\n")
	}
	assert.Eventually(t, func() bool {
		return raw(t, s.addr, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}").StatusCode == http.StatusOK
	}, 5*time.Second, 50*time.Millisecond)
}

// The deadline is for the body alone: the backend and the next request may take
// longer.
func TestSlowUploadWithinTheTimeoutWorks(t *testing.T) {
	t.Parallel()
	addr := backend(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(600 * time.Millisecond)
		_, _ = io.WriteString(w, "ok")
	})
	s := start(t, policyOf(stages{}, wellformed(policy.Enforce)), addr, within(500*time.Millisecond))
	c := dribble(t, s.addr, "Content-Length: 3", 50*time.Millisecond, "a", "b", "c")
	in := bufio.NewReader(c)
	for range 2 {
		resp, err := http.ReadResponse(in, nil)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, resp.StatusCode)
		_, _ = io.Copy(io.Discard, resp.Body)
		require.NoError(t, resp.Body.Close())
		time.Sleep(550 * time.Millisecond)
		_, err = io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nd")
		require.NoError(t, err)
	}
}

// In shadow a body that does not end costs its inspection and nothing else.
func TestCopyOfASlowBodyIsGivenUp(t *testing.T) {
	t.Parallel()
	rec := record(t)
	s := start(t, policyOf(stages{}, wellformed(policy.Shadow)), rec.Addr, within(200*time.Millisecond))
	c := dribble(t, s.addr, "Content-Length: 3", 0, "b")
	require.Eventually(t, func() bool { return s.handler.Stats().HeldBytes > 0 }, 5*time.Second, time.Millisecond)
	require.Eventually(t, func() bool { return s.handler.Stats().HeldBytes == 0 }, 5*time.Second, time.Millisecond)
	_, err := io.WriteString(c, "ad")
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	f, _ := s.observer.one(t).decision.Find(policy.InWellformed)
	assert.Equal(t, policy.NotInspected, f.Verdict.Reason)
}

// No copy of a request is kept while its answer streams, and the answer's head
// does not wait for the inspection.
func TestNoCopyIsKeptWhileTheAnswerStreams(t *testing.T) {
	t.Parallel()
	for _, mode := range []policy.Mode{policy.Shadow, policy.Enforce} {
		release := make(chan struct{})
		addr := backend(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "text/event-stream")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-release:
			case <-r.Context().Done():
			}
		})
		s := start(t, policyOf(stages{}, wellformed(mode)), addr)
		body := strings.Repeat("y", 1000)
		c := dribble(t, s.addr, "Content-Length: 1000", 0, body)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		assert.Eventually(t, func() bool { return s.handler.Stats().HeldBytes == 0 }, 5*time.Second, time.Millisecond, mode)
		assert.EqualValues(t, 1000, s.handler.Stats().InspectedBytes, "%s", mode)
		close(release)
		_, _ = io.Copy(io.Discard, resp.Body)
		require.NoError(t, resp.Body.Close())
		o := s.observer.one(t)
		assert.Equal(t, policy.Allowed, o.outcome.Disposition, mode)
		assert.EqualValues(t, 1000, o.request.Body.Size, mode)
	}
}

// slowInspector takes its time, as a large body does.
type slowInspector struct {
	textInspector
	pause time.Duration
}

func (i slowInspector) Inspect(r *policy.Request, b []byte, size int64, whole bool) policy.Body {
	time.Sleep(i.pause)
	return i.textInspector.Inspect(r, b, size, whole)
}

func TestAnswersDoNotWaitForInspectionInShadow(t *testing.T) {
	t.Parallel()
	const pause = 5 * time.Second // long beside what a busy machine needs for the answer
	for _, framing := range []string{"Content-Length: 2\r\n\r\nok", "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"} {
		addr := proxytest.Script(t, func(c net.Conn, in *bufio.Reader) {
			if req, err := http.ReadRequest(in); err == nil {
				_, _ = io.Copy(io.Discard, req.Body)
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"+framing)
			}
		})
		p := policyOf(stages{}, wellformed(policy.Shadow))
		p.Unmatched.In = slowInspector{pause: pause}
		s := start(t, p, addr)
		begin := time.Now()
		c := dribble(t, s.addr, "Content-Length: 3", 0, "bad")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		text := make([]byte, 2)
		_, err = io.ReadFull(resp.Body, text)
		require.NoError(t, err)
		assert.Less(t, time.Since(begin), pause/2)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, policy.WouldBlock, s.observer.one(t).outcome.Disposition)
		_ = c.Close()
	}
}

// What a proxy still buffers of a cut answer must not go out as a whole one.
func TestTruncatedAnswerToAJudgedBodyStaysCut(t *testing.T) {
	t.Parallel()
	for _, framing := range []string{"Content-Length: 20\r\n\r\n{}", "Transfer-Encoding: chunked\r\n\r\n5\r\n{}"} {
		addr := proxytest.Script(t, func(c net.Conn, in *bufio.Reader) {
			if req, err := http.ReadRequest(in); err == nil {
				_, _ = io.Copy(io.Discard, req.Body)
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"+framing)
			}
		})
		const message = "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"
		s := start(t, policyOf(stages{}, wellformed(policy.Shadow)), addr)
		want, got := conversation(t, bare(t, addr), message), conversation(t, s.addr, message)
		assert.Equal(t, len(want) > 0, len(got) > 0, "bare %q, ours %q", want, got)
		assert.NotContains(t, got, "0\r\n\r\n")
		o := s.observer.one(t)
		assert.Equal(t, policy.ClassAbort, o.outcome.Class)
		assert.Equal(t, policy.Failed, o.outcome.Disposition)
	}
}

// An answer to a request that was not read whole is not held up by closing.
func TestEarlyAnswerIsPassedOnWithoutDelay(t *testing.T) {
	t.Parallel()
	addr := proxytest.Script(t, func(c net.Conn, in *bufio.Reader) {
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
		_, _ = io.Copy(io.Discard, in)
	})
	s := start(t, policyOf(stages{}), addr)
	front, _ := refusing(t, s.handler, s.observer)
	c := dribble(t, front, fmt.Sprintf("Content-Length: %d", 100<<20), 0)
	var writer sync.WaitGroup
	writer.Go(func() {
		for chunk := make([]byte, 64<<10); ; {
			if _, err := c.Write(chunk); err != nil {
				return
			}
		}
	})
	answer := make([]byte, 4096)
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, nil)
	require.NoError(t, err)
	n, err := io.ReadFull(resp.Body, answer)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, "big", string(answer[:n]))
	_, err = in.ReadByte()
	require.ErrorIs(t, err, io.EOF, "the end of the answer is a FIN, and not a reset over what was not read")
	require.NoError(t, c.Close())
	writer.Wait()
}
