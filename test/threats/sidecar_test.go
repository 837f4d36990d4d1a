package threats_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
	"github.com/sidewarden/sidewarden/proxy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// configured compiles sidewarden.yaml as serve does, in a folder with the given files.
func configured(t *testing.T, files map[string]string) (*compile.Output, error) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	cfg, err := config.Load(filepath.Join(dir, "sidewarden.yaml"), config.Env{})
	require.NoError(t, err)
	return compile.Compile(compile.Input{Config: cfg, Now: time.Now})
}

// forwarding is the transport to a backend. It ends before a backend that was started first.
func forwarding(t *testing.T) *http.Transport {
	t.Helper()
	transport := proxy.NewTransport(proxy.Backend{Connect: time.Minute, Response: time.Minute, Idle: time.Minute, MaxIdle: 8})
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// options are those of a sidecar in front of a backend, an address.
func options(t *testing.T, p *policy.Policy, o policy.Observer, backend string) proxy.Options {
	t.Helper()
	return proxy.Options{
		Policy: p, Observer: o, Backend: &url.URL{Scheme: "http", Host: backend}, Transport: forwarding(t),
		MaxHeldBytes: 64 << 20, BodyTimeout: time.Minute, AnswerTimeout: time.Minute,
		Now: time.Now, NewID: func() string { return "id" }, Log: zap.NewNop(),
	}
}

// serveSidecar serves a handler as the data listener does, over TLS if there are keys.
func serveSidecar(t *testing.T, h *proxy.Handler, o policy.Observer, keys *tls.Config) string {
	t.Helper()
	const headBytes = 256 << 10
	server := proxy.NewServer(h, proxy.Bounds{HeadBytes: headBytes, Head: time.Minute, Idle: time.Minute}, zap.NewNop())
	server.TLSConfig = keys.Clone()
	return serveOn(t, server, func(l net.Listener) net.Listener {
		return &proxy.Listener{
			Listener: l, TLS: keys, HeadBytes: headBytes, Refusals: &proxy.Refusals{}, Observer: o, Policy: h.Policy,
			Now: time.Now, NewID: func() string { return "id" },
		}
	})
}

func serve(t *testing.T, server *http.Server) string {
	t.Helper()
	return serveOn(t, server, func(l net.Listener) net.Listener {
		if server.TLSConfig != nil {
			return tls.NewListener(l, server.TLSConfig)
		}
		return l
	})
}

// serveOn serves on a new listener, as wrap makes it.
func serveOn(t *testing.T, server *http.Server, wrap func(net.Listener) net.Listener) string {
	t.Helper()
	return proxytest.Serve(t, server, wrap(proxytest.Listen(t)))
}

// judged is what the sidecar tells of one request.
type judged struct {
	request  policy.Request
	decision policy.Decision
	outcome  policy.Outcome
}

// witness keeps what the sidecar tells.
type witness struct {
	mu   sync.Mutex
	seen []judged
}

// Observe implements policy.Observer.
func (w *witness) Observe(r *policy.Request, d policy.Decision, o policy.Outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, judged{*r, d, o})
}

// one waits for what is told of a request, the only one since the last call. It is told when
// the request has ended, which the client need not wait for.
func (w *witness) one(t *testing.T, wire string) judged {
	t.Helper()
	require.Eventually(t, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.seen) == 1
	}, time.Minute, time.Millisecond, "%q", wire)
	w.mu.Lock()
	defer w.mu.Unlock()
	told := w.seen[0]
	w.seen = nil
	return told
}

// sent is what became of one request.
type sent struct {
	status  int
	header  http.Header
	body    string
	told    *judged // nil if net/http refused the request before the handler
	arrived []line
}

// exchange sends the bytes of a request, and reads one answer.
func exchange(t *testing.T, addr, wire string) sent {
	t.Helper()
	conn, in := proxytest.Dial(t, addr, wire)
	defer func() { _ = conn.Close() }()
	return answered(t, in, wire)
}

// answered reads the answer to the bytes of a request.
func answered(t *testing.T, in *bufio.Reader, wire string) sent {
	t.Helper()
	method, _, _ := strings.Cut(wire, " ")
	resp, err := http.ReadResponse(in, &http.Request{Method: method})
	require.NoError(t, err, "%q", wire)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return sent{status: resp.StatusCode, header: resp.Header, body: string(body)}
}
