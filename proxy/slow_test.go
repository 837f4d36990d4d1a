package proxy_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// atRate is a grace of a second and a rate of 100 bytes per second.
func atRate(o *proxy.Options, _ *proxy.Backend) { o.BodyTimeout, o.MinBodyRate = time.Second, 100 }

// pacing is a policy whose plan holds bodies, paces those that stream, or does neither.
func pacing(kind string) *policy.Policy {
	if kind == "held" {
		return policyOf(stages{}, wellformed(policy.Enforce))
	}
	p := policyOf(stages{}, wellformed(policy.Shadow))
	p.Unmatched.Paced = kind == "paced"
	return p
}

// slowBody gives a piece after every pause.
type slowBody struct {
	piece string
	pause time.Duration
	times int
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.times == 0 {
		return 0, io.EOF
	}
	b.times--
	time.Sleep(b.pause)
	return copy(p, b.piece), nil
}

// over serves a sidecar over TLS and returns a client of one version of HTTP.
func over(t *testing.T, h http.Handler, two bool) (string, *http.Client) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.Config = proxy.NewServer(h, proxy.Bounds{HeadBytes: 64 << 10, Head: time.Minute, Idle: time.Minute}, zap.NewNop())
	server.EnableHTTP2 = two
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, server.Client()
}

// An honest upload that takes longer than the grace arrives, because it keeps the rate;
// one that is slower is answered 408 where something enforces and passes where nothing
// does. HTTP/2 has the same deadlines for a stream.
func TestAnUploadTakesAsLongAsItNeedsAtTheRate(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"held", "paced", "shadow"} {
		for _, two := range []bool{false, true} {
			for name, c := range map[string]struct {
				body slowBody
				late bool
			}{
				"at 400 bytes a second": {slowBody{strings.Repeat("x", 100), 250 * time.Millisecond, 10}, false},
				"at 8 bytes a second":   {slowBody{"xx", 250 * time.Millisecond, 10}, kind != "shadow"},
			} {
				t.Run(kind+" "+name, func(t *testing.T) {
					t.Parallel()
					rec := record(t)
					s := start(t, pacing(kind), rec.Addr, atRate)
					url, client := over(t, s.handler, two)
					resp, err := client.Post(url, "text/plain", &c.body)
					if err == nil {
						require.NoError(t, resp.Body.Close())
					}
					o := s.observer.one(t)
					assert.Equal(t, two, o.request.Proto == "HTTP/2.0")
					whole := 0
					for _, r := range rec.Requests() {
						if !strings.Contains(r, "chunked") || strings.HasSuffix(r, "\r\n0\r\n\r\n") {
							whole++
						}
					}
					if !c.late {
						require.NoError(t, err)
						assert.Equal(t, http.StatusOK, resp.StatusCode)
						assert.Equal(t, 1, whole)
						return
					}
					// A client that is still sending may see the end of the connection first.
					assert.Equal(t, http.StatusRequestTimeout, o.outcome.Status)
					assert.Equal(t, policy.Failed, o.outcome.Disposition)
					assert.Equal(t, policy.ClassNone, o.outcome.Class, "not the backend's")
					assert.Zero(t, whole)
				})
			}
		}
	}
}

// A body that is not read must not hold an answer that does not wait for it, nor the
// connection: net/http would read on, for as long as it takes.
func TestAnAnswerDoesNotWaitForASlowBody(t *testing.T) {
	t.Parallel()
	s := start(t, policyOf(stages{}, &policy.Rule{
		Control: policy.InRoute, Phase: policy.HeadPhase, Mode: policy.Enforce, Check: says(policy.Denied(policy.RouteUnknown, "")),
	}), "127.0.0.1:9", atRate)
	for _, head := range []string{"Content-Length: 100", "Transfer-Encoding: chunked"} {
		c := dribble(t, s.addr, head, 0)
		began := time.Now()
		answer, err := io.ReadAll(c)
		require.NoError(t, err, head)
		assert.True(t, strings.HasPrefix(string(answer), "HTTP/1.1 404 "), "%s: %s", head, answer)
		assert.Less(t, time.Since(began), 9*time.Second, head)
	}
}

// The deadlines of a body are not those of the next request, nor of the wait for it.
func TestDeadlinesOfABodyEndWithIt(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"held", "paced"} {
		rec := record(t)
		s := start(t, pacing(kind), rec.Addr, within(300*time.Millisecond))
		c := dribble(t, s.addr, "Content-Length: 1", 0, "a")
		in := bufio.NewReader(c)
		for range 3 {
			resp, err := http.ReadResponse(in, nil)
			require.NoError(t, err, kind)
			assert.Equal(t, http.StatusOK, resp.StatusCode, kind)
			_, _ = io.Copy(io.Discard, resp.Body)
			require.NoError(t, resp.Body.Close())
			time.Sleep(400 * time.Millisecond)
			_, err = io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n\r\n")
			require.NoError(t, err)
		}
	}
}

// endless is a backend whose answers do not end.
func endless(t *testing.T) string {
	return backend(t, func(w http.ResponseWriter, r *http.Request) {
		for piece := make([]byte, 32<<10); r.Context().Err() == nil; {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	})
}

// taking serves a sidecar whose clients have to take what is written to them.
func taking(t *testing.T, h http.Handler, timeout time.Duration) *proxy.TakeListener {
	t.Helper()
	l := proxytest.Listen(t)
	tl := &proxy.TakeListener{Listener: l, Timeout: timeout, Now: time.Now}
	proxytest.Serve(t, proxy.NewServer(h, proxy.Bounds{HeadBytes: 64 << 10, Head: time.Minute, Idle: time.Minute}, zap.NewNop()), tl)
	return tl
}

// A client that takes nothing of its answer is cut off, and with it the connection to the
// backend; the record says that the request failed.
func TestAClientThatTakesNothingIsCutOff(t *testing.T) {
	t.Parallel()
	s := start(t, policyOf(stages{}), endless(t))
	l := taking(t, s.handler, 300*time.Millisecond)
	proxytest.Dial(t, l.Addr().String(), "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	o := s.observer.one(t) // it ends, though the backend's answer does not
	assert.Equal(t, policy.Failed, o.outcome.Disposition)
	assert.Equal(t, 200, o.outcome.BackendStatus)
	assert.EqualValues(t, 1, l.Cut())
}

// A client that takes what there is, however slowly it comes, is not.
func TestAnAnswerThatRestsIsNotCutOff(t *testing.T) {
	t.Parallel()
	addr := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for range 3 {
			_, _ = io.WriteString(w, "data: x\n\n")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(400 * time.Millisecond)
		}
	})
	s := start(t, policyOf(stages{}), addr)
	l := taking(t, s.handler, 200*time.Millisecond)
	for range 2 { // also over a connection that has rested
		resp, err := http.Get("http://" + l.Addr().String())
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, strings.Repeat("data: x\n\n", 3), string(body))
		time.Sleep(300 * time.Millisecond)
	}
	assert.Zero(t, l.Cut())
}
