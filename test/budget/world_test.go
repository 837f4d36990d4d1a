// Package budget_test holds the request path to what it may cost: every stage to
// a time and a number of allocations, the whole path to counts that do not depend
// on the machine. docs/performance.md tells how they were found.
package budget_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/audit/metrics"
	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
	"github.com/sidewarden/sidewarden/proxy"
)

const (
	issuer   = "https://idp.example.net"
	audience = "https://api.example.net"
	get      = http.MethodGet
	post     = http.MethodPost
)

func noon() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// clock goes on by a microsecond with every look, so that limits refill whatever
// the machine's speed.
type clock struct{ looks atomic.Int64 }

func (c *clock) now() time.Time { return noon().Add(time.Duration(c.looks.Add(1)) * time.Microsecond) }

// world is a policy with all that learns from requests, as serve puts it together.
type world struct {
	policy    *policy.Policy
	recorder  *audit.Recorder // keeps records to itself
	full      *audit.Recorder // with log, metrics and evidence
	metrics   *metrics.Metrics
	evidence  *evidence.Store
	census    *evidence.Census
	endpoints *evidence.Endpoints
	clock     *clock
	token     string
}

func compiled(t testing.TB, folder, mode string) *compile.Output {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"openapi.yaml", "sidewarden.yaml"} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		changed := strings.ReplaceAll(string(text), "@mode@", mode)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(changed), 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "jwks.json"), tokentest.JWKS(tokentest.EC()), 0o600))
	env := map[string]string{"BACKEND": "http://127.0.0.1:9", "AUDIT": "unused", "PSEUDONYM": "0123456789abcdef"}
	cfg, err := config.Load(filepath.Join(dir, "sidewarden.yaml"), config.Env{
		LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	})
	require.NoError(t, err)
	out, err := compile.Compile(compile.Input{Config: cfg, Now: noon})
	require.NoError(t, err)
	return out
}

func newWorld(t testing.TB, mode string) *world {
	t.Helper()
	out := compiled(t, "testdata", mode)
	pseudonyms, err := audit.NewPseudonymizer([]byte("0123456789abcdef"), "1", "orders")
	require.NoError(t, err)
	w := &world{policy: out.Policy, clock: &clock{}, metrics: metrics.New(metrics.Options{Version: "budget"})}
	w.metrics.Use(out.Policy)
	w.evidence = evidence.New(evidence.Options{
		Policy: out.Policy.Digest, Operations: evidence.OperationsOf(out.Policy),
		Gateway: evidence.Gateway{Present: true}, Since: noon(),
	})
	w.census = evidence.NewCensus(evidence.CensusOptions{Issuers: []string{issuer}, Since: noon()})
	w.endpoints = evidence.NewEndpoints(evidence.EndpointOptions{Policy: out.Policy, Since: noon()})
	options := audit.Options{
		Product: "orders", Environment: "budget", Instance: "i-1", Version: "1", RequestIDHeader: "X-Request-Id",
		Pseudonyms: pseudonyms, Contract: audit.Contract{
			Operations: out.Policy.Operations, Parameters: []string{"expand"}, Issuers: []string{issuer},
			Scopes:    []string{"orders:read", "orders:write"},
			Selectors: []audit.Selector{{In: "path", Name: "accountId"}, {In: "query", Name: "account"}, {In: "body", Name: "/accountId"}},
		},
	}
	w.recorder = audit.NewRecorder(options)
	options.Log = audit.NewLog(io.Discard, 1<<16)
	options.Consumers = []audit.Consumer{w.metrics, w.evidence, w.census, w.endpoints}
	w.full = audit.NewRecorder(options)
	w.token = tokentest.EC().Token(tokentest.Claims(issuer, audience, noon(), map[string]any{
		"client_id": "shop", "scope": "orders:read orders:write", "account_id": []string{"acct-1"},
	}))
	return w
}

// order is a body of about 1 KB.
func order() []byte {
	var b strings.Builder
	b.WriteString(`{"accountId":"acct-1","reference":"PO-2026-1107","lines":[`)
	for i := range 9 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"product":"port","quantity":%d,"site":"Munich, Marienplatz 8","note":"second floor, rack %d, no key"}`, i+1, i)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

func target(method string) string {
	if method == post {
		return "/v1/accounts/acct-1/orders"
	}
	return "/v1/accounts/acct-1/orders/o-4711?expand=true"
}

func (w *world) header(method string) http.Header {
	h := http.Header{
		"Authorization": {"Bearer " + w.token},
		"Accept":        {"application/json"},
		"User-Agent":    {"orders-client/3.2"},
		"Traceparent":   {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
		"X-Request-Id":  {"gw-20261122-000417"},
	}
	if method == post {
		h["Content-Type"] = []string{"application/json"}
	}
	return h
}

// request is what the proxy knows after it read the head.
func (w *world) request(method string) *policy.Request {
	path, query, _ := strings.Cut(target(method), "?")
	return &policy.Request{
		ID: "01K54Z0000000000000000000D", Time: w.clock.now(), Peer: policy.Peer{Addr: netip.MustParseAddr("10.1.2.3")},
		Source: netip.MustParseAddr("10.1.2.3"),
		Method: method, Target: target(method), Path: path, RawQuery: query, Host: "api.example.net", Proto: "HTTP/1.1",
		Query: policy.ParseQuery(query), Header: w.header(method),
		Frame: policy.Frame{Head: policy.Permitted(), Body: policy.Inapplicable()},
	}
}

// incoming is the same request before the proxy saw it, over HTTP/2: no connection is
// there whose bytes could be followed.
func (w *world) incoming(t testing.TB, method string) func() *http.Request {
	t.Helper()
	u, err := url.ParseRequestURI(target(method))
	require.NoError(t, err)
	header, body := w.header(method), order()
	ctx := t.Context()
	return func() *http.Request {
		r := (&http.Request{
			Method: method, URL: u, RequestURI: target(method), Proto: "HTTP/2.0", ProtoMajor: 2,
			Header: header, Host: "api.example.net", RemoteAddr: "10.1.2.3:40312", Body: http.NoBody,
		}).Clone(ctx)
		if method == post {
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		}
		return r
	}
}

// handler forwards to a backend within the process.
func (w *world) handler() *proxy.Handler {
	return proxy.New(proxy.Options{
		Policy: w.policy, Observer: w.full, Backend: &url.URL{Scheme: "http", Host: "backend.test"},
		Transport: backend{}, InstanceHeader: "X-Instance", MaxHeldBytes: 1 << 24, BodyTimeout: 10 * time.Second,
		Now: w.clock.now, NewID: func() string { return "01K54Z0000000000000000000D" }, Log: zap.NewNop(),
	})
}

// backend answers every request with the same document.
type backend struct{}

func (backend) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
		if err := r.Body.Close(); err != nil {
			return nil, err
		}
	}
	status := http.StatusOK
	if r.Method == post {
		status = http.StatusCreated
	}
	const document = `{"id":"o-4711","state":"placed","lines":[]}`
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{
			"Content-Type": {"application/json"}, "Content-Length": {"43"}, "X-Instance": {"orders-2"},
			"Date": {"Sun, 22 Nov 2026 12:00:00 GMT"},
		},
		Body: io.NopCloser(strings.NewReader(document)), ContentLength: int64(len(document)),
	}, nil
}

// answer is the client's side.
type answer struct {
	header http.Header
	status int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return len(b), nil }
func (a *answer) Flush()                      {}

// SetReadDeadline is there because net/http's writers have it.
func (a *answer) SetReadDeadline(time.Time) error { return nil }
