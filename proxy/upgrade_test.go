package proxy_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
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

const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"

// tunnelled accepts every upgrade, says hello, and ends with its client.
func tunnelled(c net.Conn, in *bufio.Reader) {
	req, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, req.Body)
	_, _ = io.WriteString(c, switching+"hello\n")
	_, _ = io.Copy(io.Discard, in)
}

// tunnel opens a tunnel and waits for its first line.
func tunnel(t *testing.T, addr, head, body string) (*net.TCPConn, *bufio.Reader) {
	t.Helper()
	c, in := proxytest.Dial(t, addr, head+" HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n"+body)
	resp, err := http.ReadResponse(in, nil)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
	line, err := in.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "hello\n", line)
	return c, in
}

func TestUpgradeWithABodyIsObservedAndGivesItsMemoryBack(t *testing.T) {
	t.Parallel()
	s := start(t, policyOf(stages{}, wellformed(policy.Shadow)), proxytest.Script(t, tunnelled))
	c, _ := tunnel(t, s.addr, "POST /x", "Content-Length: 5\r\n\r\nbad!!")
	assert.Eventually(t, func() bool { return s.handler.Stats().HeldBytes == 0 }, 5*time.Second, time.Millisecond,
		"no memory is held while a tunnel is open")
	require.NoError(t, c.Close())
	o := s.observer.one(t)
	assert.Equal(t, policy.ClassUpgrade, o.outcome.Class)
	assert.Equal(t, 101, o.outcome.Status)
	assert.Equal(t, policy.WouldBlock, o.outcome.Disposition)
	assert.Zero(t, s.handler.Stats().HeldBytes)
}

func TestUpgradeThatNobodyAskedForIsABadGateway(t *testing.T) {
	t.Parallel()
	s := start(t, policyOf(stages{}), proxytest.Script(t, tunnelled))
	assert.Equal(t, http.StatusBadGateway, raw(t, s.addr, get).StatusCode)
	o := s.observer.one(t)
	assert.Equal(t, policy.ClassAbort, o.outcome.Class)
	assert.Equal(t, policy.Failed, o.outcome.Disposition)
	assert.Equal(t, 502, o.outcome.Status)
	assert.Equal(t, 101, o.outcome.BackendStatus)
}

// An upgrade to a protocol that ReverseProxy refuses never reaches the backend,
// which therefore is not to blame.
func TestUpgradeToAnInvalidProtocolIsNotTheBackendsFault(t *testing.T) {
	t.Parallel()
	rec := record(t)
	s := start(t, policyOf(stages{}), rec.Addr)
	assert.Equal(t, 502, raw(t, s.addr, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: \x80\r\n\r\n").StatusCode)
	assert.Empty(t, rec.Requests())
	assert.Equal(t, policy.ClassNone, s.observer.one(t).outcome.Class)
}

// A half-close passes a tunnel in both directions, through a Listener too.
func TestTunnelPassesAHalfClose(t *testing.T) {
	t.Parallel()
	rest := make(chan string, 1)
	s := start(t, policyOf(stages{}), proxytest.Script(t, func(c net.Conn, in *bufio.Reader) {
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		_, _ = io.WriteString(c, switching+"hello\n")
		_ = c.(*net.TCPConn).CloseWrite() //nolint:errcheck // a TCP listener accepts nothing else
		all, _ := io.ReadAll(in)
		rest <- string(all)
	}))
	addr, _ := refusing(t, s.handler, s.observer)
	c, in := tunnel(t, addr, "GET /x", "\r\n")
	_, err := in.ReadByte()
	require.ErrorIs(t, err, io.EOF, "the backend is done sending")
	_, err = io.WriteString(c, "late data")
	require.NoError(t, err)
	require.NoError(t, c.CloseWrite())
	assert.Equal(t, "late data", <-rest)
	assert.Equal(t, policy.ClassUpgrade, s.observer.one(t).outcome.Class)
}

// http.Server does not wait for tunnels; the handler can be waited for.
func TestWaitJoinsTunnels(t *testing.T) {
	t.Parallel()
	s := start(t, policyOf(stages{}), proxytest.Script(t, tunnelled))
	server := proxy.NewServer(s.handler, proxy.Bounds{HeadBytes: 64 << 10, Head: time.Second, Idle: time.Second}, zap.NewNop())
	base, cancel := context.WithCancel(t.Context())
	defer cancel()
	server.BaseContext = func(net.Listener) context.Context { return base }
	require.NoError(t, s.handler.Wait(t.Context()), "nothing began")
	tunnel(t, serve(t, server), "GET /x", "\r\n")
	require.NoError(t, server.Shutdown(t.Context()))
	short, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	require.ErrorIs(t, s.handler.Wait(short), context.DeadlineExceeded)
	cancel()
	require.NoError(t, s.handler.Wait(t.Context()))
	s.observer.mu.Lock()
	defer s.observer.mu.Unlock()
	require.Len(t, s.observer.seen, 1, "observed before Wait returns")
	assert.Equal(t, policy.ClassUpgrade, s.observer.seen[0].outcome.Class)
}

// panickyFlush is a connection whose flush panics.
type panickyFlush struct {
	http.ResponseWriter
}

func (panickyFlush) FlushError() error { panic("flush") }

// Whatever fails at the end, the request is observed and no memory is kept.
func TestPanicAtTheEnd(t *testing.T) {
	t.Parallel()
	rec := record(t)
	s := start(t, policyOf(stages{}, wellformed(policy.Shadow)), rec.Addr)
	addr := serve(t, &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.handler.ServeHTTP(panickyFlush{w}, r)
	})})
	assert.Equal(t, 200, raw(t, addr, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nbad").StatusCode)
	o := s.observer.one(t)
	assert.Equal(t, policy.WouldBlock, o.outcome.Disposition, "the body was judged all the same")
	assert.Equal(t, policy.ClassOK, o.outcome.Class)
	assert.Zero(t, s.handler.Stats().HeldBytes)
}

// A client that went away is not put down to the backend, which was still at work.
func TestClientThatGoesAwayIsNotTheBackendsFault(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*net.TCPConn) error{
		"closes": (*net.TCPConn).Close, "closes its side only": (*net.TCPConn).CloseWrite,
	} {
		arrived := make(chan struct{})
		addr := backend(t, func(_ http.ResponseWriter, r *http.Request) {
			close(arrived)
			<-r.Context().Done()
		})
		s := start(t, policyOf(stages{}), addr)
		c, _ := proxytest.Dial(t, s.addr, get)
		<-arrived
		require.NoError(t, leave(c))
		o := s.observer.one(t)
		assert.Equal(t, policy.ClassNone, o.outcome.Class, name)
		assert.Equal(t, policy.Failed, o.outcome.Disposition, name)
		assert.Zero(t, o.outcome.Status, name)
		assert.Zero(t, o.outcome.BackendStatus, name)
		all, _ := io.ReadAll(c)
		assert.Empty(t, strings.TrimSpace(string(all)), name)
		_ = c.Close()
	}
}

// A client can ask for an upgrade, and behind it nobody judges an answer. Where a
// rule about answers enforces, it is one that is withheld like any other.
func TestThreatAnUpgradeAroundAnswersThatAreJudged(t *testing.T) {
	t.Parallel()
	upgraded := func(v policy.Verdict) *policy.Rule {
		return &policy.Rule{Control: policy.OutSchema, Phase: policy.ResponsePhase, Mode: policy.Enforce, Check: says(v)}
	}
	closed := make(chan error, 1)
	s := start(t, answers(upgraded(policy.Denied(policy.StatusUndeclared, ""))), proxytest.Script(t, func(c net.Conn, in *bufio.Reader) {
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nSet-Cookie: secret=1\r\n\r\nhello\n")
		_, err := in.ReadByte()
		closed <- err
	}))
	a := raw(t, s.addr, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	assert.Equal(t, http.StatusBadGateway, a.StatusCode)
	assert.Contains(t, a.body, policy.StatusUndeclared)
	assert.NotContains(t, a.body, "hello")
	assert.NotContains(t, a.Header, "Set-Cookie")
	require.ErrorIs(t, <-closed, io.EOF, "the connection to the backend is not left open")
	o := s.observer.one(t)
	assert.Equal(t, policy.Blocked, o.outcome.Disposition)
	assert.Equal(t, 101, o.outcome.BackendStatus)

	s = start(t, answers(upgraded(policy.Permitted())), proxytest.Script(t, tunnelled))
	c, _ := tunnel(t, s.addr, "GET /x", "\r\n")
	require.NoError(t, c.Close())
	assert.Equal(t, policy.Allowed, s.observer.one(t).outcome.Disposition)
}
