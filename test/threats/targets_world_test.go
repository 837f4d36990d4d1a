package threats_test

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
	"github.com/sidewarden/sidewarden/proxy"
)

// lines is a backend that keeps the request line and the Host of every request, and that
// takes any: a server of net/http would refuse what others serve.
type lines struct {
	addr string
	mu   sync.Mutex
	got  []line
}

type line struct{ method, target, host string }

func newLines(t *testing.T) *lines {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b := &lines{addr: l.Addr().String()}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { b.serve(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return b
}

func (b *lines) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	in := bufio.NewReader(c)
	for {
		_ = c.SetDeadline(time.Now().Add(10 * time.Second)) // a test that forgets it ends
		first, err := in.ReadString('\n')
		if err != nil {
			return
		}
		var host string
		for {
			field, err := in.ReadString('\n')
			if err != nil {
				return
			}
			if field = strings.TrimRight(field, "\r\n"); field == "" {
				break
			}
			if name, value, _ := strings.Cut(field, ":"); strings.EqualFold(name, "Host") {
				host = strings.TrimSpace(value)
			}
		}
		method, rest, _ := strings.Cut(strings.TrimRight(first, "\r\n"), " ")
		b.mu.Lock()
		b.got = append(b.got, line{method, strings.TrimSuffix(rest, " HTTP/1.1"), host})
		b.mu.Unlock()
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
			return
		}
	}
}

// take returns what came since the last call.
func (b *lines) take() []line {
	b.mu.Lock()
	defer b.mu.Unlock()
	got := b.got
	b.got = nil
	return got
}

// bare is a reverse proxy without policies that keeps Host and query, in front of b.
func (b *lines) bare(t *testing.T) string {
	t.Helper()
	target := &url.URL{Scheme: "http", Host: b.addr}
	transport := proxy.NewTransport(proxy.Backend{Connect: time.Minute, Response: time.Minute, Idle: time.Second, MaxIdle: 8})
	t.Cleanup(transport.CloseIdleConnections)
	return serve(t, &http.Server{ReadHeaderTimeout: time.Minute, Handler: &httputil.ReverseProxy{
		Transport: transport, ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.Out.URL.RawQuery = r.In.URL.RawQuery
		},
	}})
}

// guarded is a contract of an operation that asks for a token, and of one that does not.
const guarded = `openapi: 3.0.3
info: {title: T, version: '1'}
components: {securitySchemes: {oauth: {type: http, scheme: bearer}}}
security: [{oauth: []}]
paths:
  /api/secret/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get: {operationId: secret, responses: {'200': {description: ok}}}
    delete: {operationId: forget, responses: {'200': {description: ok}}}
  /api/open/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get: {operationId: open, security: [], responses: {'200': {description: ok}}}
    post: {operationId: post, security: [], responses: {'200': {description: ok}}}
  /admin:
    get: {operationId: admin, security: [], responses: {'200': {description: ok}}}
`

// gate is a sidecar with the contract guarded in front of lines.
type gate struct {
	addr    string
	backend *lines

	mu   sync.Mutex
	seen []judged
}

// judged is what the sidecar tells of one request.
type judged struct {
	request  policy.Request
	decision policy.Decision
	outcome  policy.Outcome
}

// newGate makes a sidecar with more lines of configuration. Hosts is the list of
// listen.hosts.
func newGate(t *testing.T, mode policy.Mode, hosts, more string) *gate {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"openapi.yaml": guarded, "jwks.json": string(tokentest.JWKS(tokentest.RSA())),
		"sidewarden.yaml": fmt.Sprintf(`version: 1
product: targets
listen: {address: "127.0.0.1:0", hosts: [%s]}
backend: {url: "http://127.0.0.1:9"}
mode: %s
spec: {file: openapi.yaml}
token: {issuers: [{issuer: https://idp.example.net, jwks_file: jwks.json, audiences: [https://api.example.net]}]}
controls: {az: off}
%s`, hosts, mode, more),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	cfg, err := config.Load(filepath.Join(dir, "sidewarden.yaml"), config.Env{})
	require.NoError(t, err)
	out, err := compile.Compile(compile.Input{Config: cfg, Now: time.Now})
	require.NoError(t, err)
	g := &gate{backend: newLines(t)}
	transport := proxy.NewTransport(proxy.Backend{Connect: time.Minute, Response: time.Minute, Idle: time.Second, MaxIdle: 8})
	t.Cleanup(transport.CloseIdleConnections)
	h := proxy.New(proxy.Options{
		Policy: out.Policy, Observer: g, Backend: &url.URL{Scheme: "http", Host: g.backend.addr}, Transport: transport,
		MaxHeldBytes: 1 << 20, BodyTimeout: time.Minute, AnswerTimeout: time.Minute,
		Now: time.Now, NewID: func() string { return "id" }, Log: zap.NewNop(),
	})
	g.addr = serveSidecar(t, h, g, nil)
	return g
}

// Observe implements policy.Observer.
func (g *gate) Observe(r *policy.Request, d policy.Decision, o policy.Outcome) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen = append(g.seen, judged{*r, d, o})
}

// sent is what became of one request.
type sent struct {
	status  int
	header  http.Header
	body    string
	told    *judged // nil if net/http refused the request before the handler
	arrived []line
}

// ask sends the bytes of a request to the gate and returns what became of it.
func (g *gate) ask(t *testing.T, wire string) sent {
	t.Helper()
	s := exchange(t, g.addr, wire)
	require.Eventually(t, func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return len(g.seen) == 1
	}, time.Minute, time.Millisecond, "%q", wire)
	g.mu.Lock()
	told := g.seen[0]
	g.seen = nil
	g.mu.Unlock()
	s.arrived = g.backend.take()
	if told.request.Method == "" {
		f, judged := told.decision.Find(policy.InFrame)
		require.True(t, judged, "%q", wire)
		require.Equal(t, policy.Deny, f.Verdict.Effect, "%q", wire)
		require.Empty(t, s.arrived, "%q", wire)
		return s
	}
	s.told = &told
	return s
}

// exchange sends the bytes of a request, and reads one answer.
func exchange(t *testing.T, addr, wire string) sent {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	_, err = io.WriteString(conn, wire)
	require.NoError(t, err)
	method, _, _ := strings.Cut(wire, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	require.NoError(t, err, "%q", wire)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return sent{status: resp.StatusCode, header: resp.Header, body: string(body)}
}

// asking is a request without a body.
func asking(method, target string, fields ...string) string {
	fields = append([]string{"Host: api.example.net"}, fields...)
	return method + " " + target + " HTTP/1.1\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n"
}

// isJudged checks that the target at the backend is the one that was judged, byte for
// byte, for the host that was judged.
func (s *sent) isJudged(t *testing.T, wire string) {
	t.Helper()
	require.Len(t, s.arrived, 1, "%q", wire)
	r := &s.told.request
	want := r.Path
	if strings.Contains(r.Target, "?") {
		want += "?" + r.RawQuery
	}
	assert.Equal(t, line{r.Method, want, r.Host}, s.arrived[0], "%q", wire)
}

// reason is that of the denial of a control, or "".
func (s *sent) reason(control policy.Control) policy.Reason {
	if f, found := s.told.decision.Find(control); found && f.Verdict.Effect == policy.Deny {
		return f.Verdict.Reason
	}
	return ""
}
