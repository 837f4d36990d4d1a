package threats_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
	"github.com/sidewarden/sidewarden/proxy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// line is what the first lines of a request say.
type line struct{ method, target, host string }

// lines returns those of what a recorder got. They are read from the bytes, of which net/http
// would make others.
func lines(messages []string) []line {
	var all []line
	for _, message := range messages {
		head, _, _ := strings.Cut(message, "\r\n\r\n")
		first, fields, _ := strings.Cut(head, "\r\n")
		var host string
		for field := range strings.SplitSeq(fields, "\r\n") {
			if name, value, _ := strings.Cut(field, ":"); strings.EqualFold(name, "Host") {
				host = strings.TrimSpace(value)
			}
		}
		method, rest, _ := strings.Cut(first, " ")
		all = append(all, line{method, strings.TrimSuffix(rest, " HTTP/1.1"), host})
	}
	return all
}

// watching is a backend that keeps what it gets, and answers with a document.
func watching(t *testing.T) *proxytest.Recorder {
	t.Helper()
	return proxytest.Record(t, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
}

// bare is a reverse proxy without policies that keeps Host and query, in front of a backend.
func bare(t *testing.T, backend string) string {
	t.Helper()
	target := &url.URL{Scheme: "http", Host: backend}
	return serve(t, &http.Server{ReadHeaderTimeout: time.Minute, Handler: &httputil.ReverseProxy{
		Transport: forwarding(t), ErrorLog: log.New(io.Discard, "", 0),
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

// gate is a sidecar with the contract guarded in front of a recorder.
type gate struct {
	addr    string
	backend *proxytest.Recorder
	witness witness
}

// newGate makes a sidecar with more lines of configuration. Hosts is the list of
// listen.hosts.
func newGate(t *testing.T, mode policy.Mode, hosts, more string) *gate {
	t.Helper()
	out, err := configured(t, map[string]string{
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
	})
	require.NoError(t, err)
	g := &gate{backend: watching(t)}
	g.addr = serveSidecar(t, proxy.New(options(t, out.Policy, &g.witness, g.backend.Addr)), &g.witness, nil)
	return g
}

// ask sends the bytes of a request to the gate and returns what became of it.
func (g *gate) ask(t *testing.T, wire string) sent {
	t.Helper()
	s := exchange(t, g.addr, wire)
	told := g.witness.one(t, wire)
	s.arrived = lines(g.backend.Take())
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
