package proxy_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// secured is a Listener with TLS that asks for client certificates, and how to reach it.
type secured struct {
	addr     string
	refusals *proxy.Refusals
	client   *tls.Config
	listener *proxy.Listener
	done     <-chan struct{}
}

// secure serves h over TLS. The certificate of the test server serves both sides.
func overTLS(t *testing.T, h http.Handler, obs policy.Observer, p *policy.Policy, handshake time.Duration) *secured {
	t.Helper()
	model := httptest.NewUnstartedServer(nil)
	model.EnableHTTP2 = true
	model.StartTLS()
	t.Cleanup(model.Close)
	s := &secured{refusals: &proxy.Refusals{}}
	serverTLS := &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: model.TLS.Certificates, ClientAuth: tls.RequireAnyClientCert,
		NextProtos: []string{"h2", "http/1.1"},
	}
	transport, ok := model.Client().Transport.(*http.Transport)
	require.True(t, ok)
	s.client = transport.TLSClientConfig.Clone()
	s.client.Certificates, s.client.ServerName, s.client.NextProtos = model.TLS.Certificates, "example.com", nil
	l := proxytest.Listen(t)
	server := proxy.NewServer(h, proxy.Bounds{HeadBytes: 8 << 10, Head: 5 * time.Second, Idle: time.Minute}, zap.NewNop())
	server.TLSConfig = serverTLS
	s.listener = &proxy.Listener{
		Listener: l, TLS: serverTLS.Clone(), Handshake: handshake, HeadBytes: 8 << 10, Refusals: s.refusals, Observer: obs,
		Policy: func() *policy.Policy { return p }, Now: time.Now, NewID: func() string { return "id" },
	}
	s.addr = l.Addr().String()
	done := make(chan struct{})
	s.done = done
	go func() {
		defer close(done)
		if err := server.Serve(s.listener); !errors.Is(err, net.ErrClosed) { // by a test itself
			assert.ErrorIs(t, err, http.ErrServerClosed)
		}
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return s
}

// One listener serves a client certificate over HTTP/2 and over HTTP/1.1, and on the
// latter finds and refuses a frame that is ambiguous.
func TestClientCertificateOverBothProtocolsBehindTheGuard(t *testing.T) {
	t.Parallel()
	for _, m := range []policy.Mode{policy.Shadow, policy.Enforce} {
		p := framed(m)
		plain := start(t, p, record(t).Addr)
		s := overTLS(t, plain.handler, plain.observer, p, 5*time.Second)

		second := &http.Transport{TLSClientConfig: s.client.Clone(), ForceAttemptHTTP2: true}
		t.Cleanup(second.CloseIdleConnections)
		resp, err := (&http.Client{Transport: second, Timeout: 10 * time.Second}).Post("https://"+s.addr+"/h2", "text/plain", strings.NewReader("hello"))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, 200, resp.StatusCode)
		assert.Equal(t, "HTTP/2.0", resp.Proto)
		o := plain.observer.several(t, 1)[0]
		assert.Equal(t, "HTTP/2.0", o.request.Proto)
		assert.Equal(t, policy.Permitted(), o.finding())
		assert.NotEmpty(t, o.request.Peer.Certificate)

		first := s.client.Clone()
		first.NextProtos = []string{"http/1.1"}
		c, err := tls.Dial("tcp", s.addr, first)
		require.NoError(t, err)
		require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
		in := bufio.NewReader(c)
		for i, exchange := range []struct {
			message string
			status  int
			effect  policy.Effect
		}{
			{"POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok", 200, policy.Permit},
			{"POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", map[policy.Mode]int{policy.Shadow: 200, policy.Enforce: 400}[m], policy.Deny},
		} {
			_, err = io.WriteString(c, exchange.message)
			require.NoError(t, err)
			resp, err := http.ReadResponse(in, nil)
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, exchange.status, resp.StatusCode)
			o := plain.observer.several(t, i+2)[i+1]
			assert.Equal(t, "HTTP/1.1", o.request.Proto)
			assert.Equal(t, exchange.effect, o.finding().Effect)
			assert.NotEmpty(t, o.request.Peer.Certificate)
		}
		if m == policy.Enforce {
			_, err = in.ReadByte()
			require.ErrorIs(t, err, io.EOF, "nothing follows what was refused")
		}
		_ = c.Close()
		// What net/http itself refuses is seen above TLS, too.
		c, err = tls.Dial("tcp", s.addr, first)
		require.NoError(t, err)
		_, err = io.WriteString(c, "GET / HTTP/1.1\r\n\r\n")
		require.NoError(t, err)
		resp, err = http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, 400, resp.StatusCode)
		assert.Equal(t, policy.FrameHost, plain.observer.several(t, 4)[3].finding().Reason)
		assert.EqualValues(t, 1, s.refusals.Counts()["malformed"])
		_ = c.Close()
	}
}

// A client that is slow at its handshake, fails at it, or speaks no TLS keeps nobody else
// waiting, is counted, and is gone after its time.
func TestHandshakesHappenBesideEachOther(t *testing.T) {
	t.Parallel()
	var served atomic.Int32
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served.Add(1) })
	s := overTLS(t, h, &observer{}, framed(policy.Shadow), 2*time.Second)
	var silent []net.Conn
	for range 20 {
		c, err := net.Dial("tcp", s.addr)
		require.NoError(t, err)
		silent = append(silent, c)
	}
	c, _ := proxytest.Dial(t, s.addr, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	said, err := io.ReadAll(c)
	require.NoError(t, err)
	assert.Contains(t, string(said), "400 Bad Request", "a client that speaks HTTP is told")

	client := &http.Client{Transport: &http.Transport{TLSClientConfig: s.client}, Timeout: 10 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	resp, err := client.Get("https://" + s.addr + "/")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.EqualValues(t, 1, served.Load())
	for _, c := range silent {
		require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		_ = c.Close()
	}
	assert.Eventually(t, func() bool { return s.refusals.Counts()["handshake"] == 21 }, 10*time.Second, time.Millisecond)
}

// Closing ends the handshakes that are under way, and counts none of them.
func TestClosingTheListenerEndsHandshakes(t *testing.T) {
	t.Parallel()
	s := overTLS(t, http.NotFoundHandler(), &observer{}, framed(policy.Shadow), time.Minute)
	const begun = "\x16\x03\x01\x00\xc8" // a record whose bytes do not come
	c, _ := proxytest.Dial(t, s.addr, begun)
	time.Sleep(20 * time.Millisecond) // most likely it is accepted by now; if not, closing is no less right
	require.NoError(t, s.listener.Close())
	_, err := c.Read(make([]byte, 1))
	require.Error(t, err)
	_, err = s.listener.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	assert.Zero(t, s.refusals.Counts()["handshake"])
}

// What a client sends behind its upgrade belongs to the tunnel, byte for byte, also what
// looks like a request, and what came with the request already.
func TestATunnelGetsEveryByteBehindItsRequest(t *testing.T) {
	t.Parallel()
	const early, late = "GET / HTTP/1.1\nHost: h\n\n", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"
	got := make(chan string, 1)
	s := start(t, framed(policy.Enforce), proxytest.Script(t, func(c net.Conn, in *bufio.Reader) {
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		_, _ = io.WriteString(c, switching)
		all := make([]byte, len(early)+len(late))
		_, _ = io.ReadFull(in, all)
		got <- string(all)
	}))
	c, in := proxytest.Dial(t, s.addr, "GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"+early)
	resp, err := http.ReadResponse(in, nil)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 101, resp.StatusCode)
	_, err = io.WriteString(c, late)
	require.NoError(t, err)
	assert.Equal(t, early+late, <-got)
}
