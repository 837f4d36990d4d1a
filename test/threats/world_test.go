// Package threats_test does to whole policies what docs/threats.md names under "Bodies
// and contracts": a contract and a configuration are compiled as serve compiles them,
// and real sockets lead from a client that repairs nothing, through the proxy, to a
// backend that keeps what it gets.
package threats_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
	"github.com/sidewarden/sidewarden/proxy"
)

// modes are the two ways in which every threat is met.
func modes() []policy.Mode { return []policy.Mode{policy.Shadow, policy.Enforce} }

// plan says what a world is made of.
type plan struct {
	contract string
	settings string // more lines of the configuration
	mode     policy.Mode
	answer   http.HandlerFunc     // of the backend; nil answers 200
	damage   func(*policy.Policy) // to the policy; nil does none
	listen   string               // of the configuration, with its field; "" is plain
	keys     *proxy.ListenKeys    // of the listener; nil is plain
	now      func() time.Time     // nil is the clock
}

// world is a client, a sidecar and a backend.
type world struct {
	addr    string
	handler *proxy.Handler
	tls     *proxy.ListenTLS // nil of a plain listener

	mu   sync.Mutex
	got  []received
	seen []observed
}

// received is what the backend got of one request.
type received struct {
	target string
	body   []byte
	// header has the trailer, too, and what of the head is for one connection.
	header http.Header
}

// observed is what the sidecar tells of one request.
type observed struct {
	decision policy.Decision
	outcome  policy.Outcome
}

// compiled returns the policy of a plan, as serve makes it.
func compiled(t *testing.T, p plan) (*compile.Output, error) {
	t.Helper()
	return configured(t, map[string]string{"openapi.yaml": p.contract, "sidewarden.yaml": fmt.Sprintf(`version: 1
product: threats
listen: {address: "127.0.0.1:0"%s}
backend: {url: "http://127.0.0.1:9"}
mode: %s
spec: {file: openapi.yaml}
controls: {tok: off, az: off}
%s`, p.listen, p.mode, p.settings)})
}

func newWorld(t *testing.T, p plan) *world {
	t.Helper()
	out, err := compiled(t, p)
	require.NoError(t, err)
	if p.damage != nil {
		p.damage(out.Policy)
	}
	w := &world{}
	backend := serve(t, &http.Server{Handler: w.backend(p.answer), ReadHeaderTimeout: time.Minute})
	o := options(t, out.Policy, w, backend)
	o.MinBodyRate, o.Now, o.Listen = 1<<10, p.clock(), p.listener(w)
	w.handler = proxy.New(o)
	var keys *tls.Config
	if w.tls != nil {
		keys = w.tls.Config()
	}
	w.addr = serveSidecar(t, w.handler, w, keys)
	return w
}

func (p *plan) clock() func() time.Time {
	if p.now == nil {
		return time.Now
	}
	return p.now
}

// listener gives the world the TLS of its listener.
func (p *plan) listener(w *world) *proxy.ListenTLS {
	if p.keys != nil {
		w.tls = proxy.NewListenTLS(*p.keys)
	}
	return w.tls
}

func (w *world) backend(answer http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		w.mu.Lock()
		w.got = append(w.got, received{r.RequestURI, body, headerOf(r)})
		w.mu.Unlock()
		if answer != nil {
			answer(rw, r)
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(rw, `{}`)
	})
}

func headerOf(r *http.Request) http.Header {
	all := r.Header.Clone()
	for name, values := range r.Trailer {
		all[name] = append(all[name], values...)
		all["Trailer"] = append(all["Trailer"], name)
	}
	return all
}

// Observe implements policy.Observer.
func (w *world) Observe(_ *policy.Request, d policy.Decision, o policy.Outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, observed{d, o})
}

// take returns what the backend got since the last call, and what was told of it.
// Requests are told when they have ended, which the client need not wait for.
func (w *world) take(t *testing.T, told int) ([]received, []observed) {
	t.Helper()
	require.Eventually(t, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.seen) >= told
	}, time.Minute, time.Millisecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	got, seen := w.got, w.seen
	w.got, w.seen = nil, nil
	require.Len(t, seen, told)
	return got, seen
}

// message is a request as it goes over the wire.
type message struct {
	name    string
	method  string // POST if empty
	target  string
	header  []string // whole lines
	body    string
	chunked bool
	trailer string // line behind a chunked body; none if empty
}

// typed returns the header of a media type; none for "".
func typed(mediaType string) []string {
	if mediaType == "" {
		return nil
	}
	return []string{"Content-Type: " + mediaType}
}

func (m *message) wire() []byte {
	var b bytes.Buffer
	method := m.method
	if method == "" {
		method = http.MethodPost
	}
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: api.example.net\r\n", method, m.target)
	for _, line := range m.header {
		b.WriteString(line + "\r\n")
	}
	switch {
	case m.chunked:
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		if m.body != "" {
			fmt.Fprintf(&b, "%x\r\n%s\r\n", len(m.body), m.body)
		}
		b.WriteString("0\r\n")
		if m.trailer != "" {
			b.WriteString(m.trailer + "\r\n")
		}
		b.WriteString("\r\n")
	case m.body != "":
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(m.body), m.body)
	default:
		b.WriteString("\r\n")
	}
	return b.Bytes()
}

// answer is what a client gets.
type answer struct {
	status int
	header http.Header
	body   string
	cut    bool // the connection ended before the answer did
}

// client has a connection that is kept while both sides want it.
type client struct {
	addr string
	conn net.Conn
	in   *bufio.Reader
}

func (w *world) client(t *testing.T) *client {
	t.Helper()
	c := &client{addr: w.addr}
	t.Cleanup(c.hangUp)
	return c
}

func (c *client) hangUp() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// send sends a message and reads up to atMost bytes of the answer's body.
func (c *client) send(t *testing.T, m message, atMost int64) answer {
	t.Helper()
	if c.conn == nil {
		conn, err := net.Dial("tcp", c.addr)
		require.NoError(t, err)
		c.conn, c.in = conn, bufio.NewReader(conn)
	}
	require.NoError(t, c.conn.SetDeadline(time.Now().Add(time.Minute)))
	// A server that refuses a body need not read it.
	go func(conn net.Conn, wire []byte) { _, _ = conn.Write(wire) }(c.conn, m.wire())
	resp, err := http.ReadResponse(c.in, &http.Request{Method: m.method})
	require.NoError(t, err, m.name)
	body, err := io.ReadAll(io.LimitReader(resp.Body, atMost))
	a := answer{resp.StatusCode, resp.Header, string(body), err != nil}
	if err != nil || resp.Close || int64(len(body)) == atMost {
		c.hangUp() // closing the body would read an endless one to its end
	}
	_ = resp.Body.Close()
	return a
}

// whole is more than any answer has that is read to its end.
const whole = 1 << 40

// meets sends one message and returns the answer, what the backend got and what was told.
func (w *world) meets(t *testing.T, m message) (answer, []received, observed) {
	t.Helper()
	a := w.client(t).send(t, m, whole)
	got, seen := w.take(t, 1)
	return a, got, seen[0]
}

// passes checks that a message reaches the backend as it was sent.
func (m *message) passes(t *testing.T, got []received) {
	t.Helper()
	require.Len(t, got, 1, m.name)
	assert.Equal(t, m.target, got[0].target, m.name)
	assert.Equal(t, m.body, string(got[0].body), m.name)
}

// refused sends a message in both modes: under enforce it is answered so, for the one
// reason, and nothing of it reaches the backend; in shadow it goes through as it was
// sent, with the same finding.
func refused(t *testing.T, worlds map[policy.Mode]*world, m message, status int, control policy.Control, reason policy.Reason) {
	t.Helper()
	for mode, w := range worlds {
		a, got, seen := w.meets(t, m)
		f, judged := seen.decision.Find(control)
		require.True(t, judged, "%s, %s: %s", mode, m.name, control)
		assert.Equal(t, reason, f.Verdict.Reason, "%s, %s: %s", mode, m.name, f.Verdict.Detail)
		if mode == policy.Shadow {
			assert.Equal(t, http.StatusOK, a.status, m.name)
			assert.Equal(t, policy.WouldBlock, seen.outcome.Disposition, m.name)
			m.passes(t, got)
			continue
		}
		assert.Equal(t, status, a.status, m.name)
		assert.Equal(t, "application/problem+json", a.header.Get("Content-Type"), m.name)
		assert.Contains(t, a.body, `"code":"`+string(reason)+`"`, m.name)
		assert.Equal(t, policy.Blocked, seen.outcome.Disposition, m.name)
		assert.Empty(t, got, m.name)
	}
}

// permitted sends a message in both modes: it goes through as it was sent.
func permitted(t *testing.T, worlds map[policy.Mode]*world, m message) {
	t.Helper()
	for mode, w := range worlds {
		a, got, seen := w.meets(t, m)
		assert.Equal(t, http.StatusOK, a.status, "%s, %s: %s", mode, m.name, a.body)
		assert.Equal(t, policy.Allowed, seen.outcome.Disposition, "%s, %s", mode, m.name)
		m.passes(t, got)
	}
}

// both makes a world of each mode.
func both(t *testing.T, p plan) map[policy.Mode]*world {
	t.Helper()
	worlds := map[policy.Mode]*world{}
	for _, mode := range modes() {
		p.mode = mode
		worlds[mode] = newWorld(t, p)
	}
	return worlds
}

// document is a contract with the given paths and components.
func document(version, rest string) string {
	return "openapi: " + version + "\ninfo: {title: T, version: '1'}\n" + rest
}

// spent returns the processor time of this process. The machine is shared, so that the
// clock on the wall says little.
func spent(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
