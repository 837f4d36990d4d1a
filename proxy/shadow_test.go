package proxy_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// normal sorts the header lines of a raw message: their order is the one
// difference that net/http makes and that docs/rationale.md lists.
func normal(message string) string {
	head, body, _ := strings.Cut(message, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	sort.Strings(lines[1:])
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

// bare is a reverse proxy with Host and forwarded headers preserved, in front of a
// backend below a path, if there is one.
func bare(t *testing.T, backend string, below ...string) string {
	t.Helper()
	target, err := url.Parse("http://" + backend + strings.Join(below, ""))
	require.NoError(t, err)
	p := &httputil.ReverseProxy{
		Transport: proxy.NewTransport(proxy.Backend{Connect: time.Second, Response: time.Second, Idle: time.Second, MaxIdle: 2}),
		ErrorLog:  log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.Out.URL.RawQuery = r.In.URL.RawQuery
			for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
				if v, ok := r.In.Header[name]; ok {
					r.Out.Header[name] = v
				}
			}
		},
	}
	return serve(t, &http.Server{Handler: p, ReadHeaderTimeout: time.Second})
}

func TestShadowSendsWhatABareProxySends(t *testing.T) {
	t.Parallel()
	for name, message := range map[string]string{
		"get":                  "GET /v1/sites?limit=2 HTTP/1.1\r\nHost: api.example\r\n\r\n",
		"no user agent":        "GET / HTTP/1.1\r\nHost: api.example\r\nX-A: 1\r\nX-A: 2\r\n\r\n",
		"escapes":              "GET /a%2Fb/%7Euser/c;x=1 HTTP/1.1\r\nHost: api.example\r\n\r\n",
		"dot segments":         "GET /a/../b/./c//d HTTP/1.1\r\nHost: api.example\r\n\r\n",
		"double slash":         "GET //a/b HTTP/1.1\r\nHost: api.example\r\n\r\n",
		"odd query":            "GET /a?x=1;y=2&%zz&=&b HTTP/1.1\r\nHost: api.example\r\n\r\n",
		"empty query":          "GET /a? HTTP/1.1\r\nHost: api.example\r\n\r\n",
		"absolute form":        "GET http://other.example/a?b HTTP/1.1\r\nHost: api.example\r\n\r\n",
		"own method":           "FROB /a HTTP/1.1\r\nHost: api.example\r\n\r\n",
		"head":                 "HEAD /a HTTP/1.1\r\nHost: api.example\r\n\r\n",
		"forwarded":            "GET /a HTTP/1.1\r\nHost: api.example\r\nForwarded: for=1.2.3.4\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: h\r\n\r\n",
		"traceparent":          "GET /a HTTP/1.1\r\nHost: api.example\r\nTraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n",
		"length body":          "POST /a HTTP/1.1\r\nHost: api.example\r\nContent-Length: 5\r\n\r\nbad!!",
		"chunked body":         "POST /a HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"get with body":        "GET /a HTTP/1.1\r\nHost: api.example\r\nContent-Length: 3\r\n\r\nbad",
		"expect":               "POST /a HTTP/1.1\r\nHost: api.example\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
		"body over the limit":  "POST /a HTTP/1.1\r\nHost: api.example\r\nContent-Length: 3000\r\n\r\n" + strings.Repeat("x", 3000),
		"cookies and language": "GET /a HTTP/1.1\r\nHost: api.example\r\nCookie: a=1\r\nCookie: b=2\r\nAccept-Language: de\r\nAccept-Encoding: br\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, got := record(t), record(t)
			p := policyOf(stages{}, size(policy.Shadow), wellformed(policy.Shadow),
				&policy.Rule{Control: policy.InRoute, Mode: policy.Shadow, Check: says(policy.Denied(policy.RouteUnknown, ""))})
			s := start(t, p, got.Addr)
			assert.Equal(t, http.StatusOK, raw(t, s.addr, message).StatusCode)
			raw(t, bare(t, want.Addr), message)
			s.observer.one(t)
			require.Len(t, want.Requests(), 1)
			require.Len(t, got.Requests(), 1)
			assert.Equal(t, normal(want.Requests()[0]), normal(got.Requests()[0]))
		})
	}
}

// net/http answers this one by itself unless it is told not to.
func TestOptionsAsteriskIsForwarded(t *testing.T) {
	t.Parallel()
	rec := record(t)
	s := start(t, policyOf(stages{}), rec.Addr)
	assert.Equal(t, 200, raw(t, s.addr, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").StatusCode)
	require.Len(t, rec.Requests(), 1)
	assert.True(t, strings.HasPrefix(rec.Requests()[0], "OPTIONS * HTTP/1.1\r\n"))
}

// A bare proxy rewrites these targets; the sidecar forwards what it judged.
func TestTargetIsForwardedByteForByte(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/a#/admin", `/a"b<c>`, "/a|b^c`", "/%e4%2e%2E/", "/a%00", "/\u00e9", "/a?b#c"} {
		rec := record(t)
		s := start(t, policyOf(stages{}), rec.Addr)
		raw(t, s.addr, "GET "+target+" HTTP/1.1\r\nHost: h\r\n\r\n")
		require.Len(t, rec.Requests(), 1)
		line, _, _ := strings.Cut(rec.Requests()[0], "\r\n")
		assert.Equal(t, "GET "+target+" HTTP/1.1", line)
		path, _, _ := strings.Cut(target, "?")
		assert.Equal(t, path, s.observer.one(t).request.Path)
	}
}

func TestShadowJudgesABodyThatStreamedThrough(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, message string
		control       policy.Control
		reason        policy.Reason
	}{
		{"malformed", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nbad", policy.InWellformed, policy.JSONSyntax},
		{"malformed chunked", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\n\r\n", policy.InWellformed, policy.JSONSyntax},
		{"too large", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\n\r\n" + strings.Repeat("x", 2000), policy.InSize, policy.BodyTooLarge},
	} {
		rec := record(t)
		s := start(t, policyOf(stages{}, size(policy.Shadow), wellformed(policy.Shadow)), rec.Addr)
		assert.Equal(t, 200, raw(t, s.addr, c.message).StatusCode, c.name)
		o := s.observer.one(t)
		f, ok := o.decision.Find(c.control)
		require.True(t, ok, c.name)
		assert.Equal(t, c.reason, f.Verdict.Reason, c.name)
		assert.Equal(t, policy.WouldBlock, o.outcome.Disposition, c.name)
		assert.Equal(t, "a-1", o.outcome.Instance, c.name)
		assert.Zero(t, s.handler.Stats().HeldBytes, c.name)
	}
}

func TestShadowShedsInspectionNotRequests(t *testing.T) {
	t.Parallel()
	rec := record(t)
	s := start(t, policyOf(stages{}, wellformed(policy.Shadow)), rec.Addr,
		func(o *proxy.Options, _ *proxy.Backend) { o.MaxHeldBytes = 1 })
	resp := raw(t, s.addr, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nbad")
	assert.Equal(t, 200, resp.StatusCode)
	f, _ := s.observer.one(t).decision.Find(policy.InWellformed)
	assert.Equal(t, policy.NotInspected, f.Verdict.Reason)
	assert.EqualValues(t, 1, s.handler.Stats().PartialInspections)
}

func TestUpgradePassesInShadow(t *testing.T) {
	t.Parallel()
	addr := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		line, _ := rw.ReadString('\n')
		_, _ = rw.WriteString("echo " + line)
		_ = rw.Flush()
	})
	s := start(t, policyOf(stages{}), addr)
	c, in := proxytest.Dial(t, s.addr, "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	head, err := in.ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "HTTP/1.1 101 Switching Protocols\r\n", head)
	_, err = io.WriteString(c, "hello\n")
	require.NoError(t, err)
	rest, err := io.ReadAll(in)
	require.NoError(t, err)
	assert.Contains(t, string(rest), "echo hello")
	require.NoError(t, c.Close())
	assert.Equal(t, policy.ClassUpgrade, s.observer.one(t).outcome.Class)
}

func TestEarlyHintsAndTrailersPass(t *testing.T) {
	t.Parallel()
	addr := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "body")
		_ = http.NewResponseController(w).Flush()
		w.Header().Set("X-Sum", "42")
	})
	s := start(t, policyOf(stages{}), addr)
	answer := conversation(t, s.addr, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	assert.Contains(t, answer, "103 Early Hints")
	assert.Contains(t, answer, "X-Sum: 42")
	assert.Equal(t, 200, s.observer.one(t).outcome.Status)
}

// net/http would guess a Content-Type. A Date it may add: RFC 9110 6.6.1 asks a
// recipient with a clock to.
func TestAnswersGetNoHeaderThatTheBackendDidNotSend(t *testing.T) {
	t.Parallel()
	rec := record(t)
	s := start(t, policyOf(stages{}), rec.Addr)
	got := raw(t, s.addr, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	assert.NotEmpty(t, got.Header.Get("Date"))
	got.Header.Del("Date")
	assert.Equal(t, http.Header{"Content-Length": {"2"}, "X-Instance": {"a-1"}}, got.Header)
}

// The first bytes of a stream arrive while the backend still writes it.
func TestAnswersStream(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	addr := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	s := start(t, policyOf(stages{}), addr)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.addr+"/", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	first := make([]byte, 9)
	_, err = io.ReadFull(resp.Body, first)
	require.NoError(t, err)
	assert.Equal(t, "data: 1\n\n", string(first))
	close(release)
	_, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, policy.Allowed, s.observer.one(t).outcome.Disposition)
}

// A prefix is put before the path and changes nothing else of what a bare proxy
// with the same prefix sends.
func TestShadowWithAPrefixSendsWhatABareProxySends(t *testing.T) {
	t.Parallel()
	for name, message := range map[string]string{
		"get":           "GET /v1/sites?limit=2 HTTP/1.1\r\nHost: api.example\r\n\r\n",
		"the root":      "GET / HTTP/1.1\r\nHost: api.example\r\n\r\n",
		"escapes":       "GET /a%2Fb/%7Euser/c;x=1 HTTP/1.1\r\nHost: api.example\r\n\r\n",
		"dot segments":  "GET /a/../b/./c//d HTTP/1.1\r\nHost: api.example\r\n\r\n",
		"double slash":  "GET //a/b HTTP/1.1\r\nHost: api.example\r\n\r\n",
		"odd query":     "GET /a?x=1;y=2&%zz&=&b HTTP/1.1\r\nHost: api.example\r\n\r\n",
		"empty query":   "GET /a? HTTP/1.1\r\nHost: api.example\r\n\r\n",
		"absolute form": "GET http://other.example/a%2Fb?b HTTP/1.1\r\nHost: api.example\r\n\r\n",
		"head":          "HEAD /a HTTP/1.1\r\nHost: api.example\r\n\r\n",
		"chunked body":  "POST /a HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, got := record(t), record(t)
			s := start(t, policyOf(stages{}, size(policy.Shadow)), got.Addr, prefixed)
			assert.Equal(t, http.StatusOK, raw(t, s.addr, message).StatusCode)
			raw(t, bare(t, want.Addr, prefix), message)
			assert.NotContains(t, s.observer.one(t).request.Path, prefix, "the prefix is no part of what was asked for")
			require.Len(t, want.Requests(), 1)
			require.Len(t, got.Requests(), 1)
			assert.Equal(t, normal(want.Requests()[0]), normal(got.Requests()[0]))
		})
	}
}

const prefix = "/legacy/a%2Fb;v=1"

func prefixed(o *proxy.Options, _ *proxy.Backend) { o.PathPrefix = prefix }

func TestAPrefixIsPutBeforeTheRawPath(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"/a#/admin":              prefix + "/a#/admin",
		`/a"b<c>`:                prefix + `/a"b<c>`,
		"/%e4%2e%2E/":            prefix + "/%e4%2e%2E/",
		"/a%00":                  prefix + "/a%00",
		"/..%2f../admin":         prefix + "/..%2f../admin",
		"//":                     prefix + "//",
		"///a":                   prefix + "///a",
		"http://h":               prefix + "/",
		"http://h//a?b":          prefix + "//a?b",
		"*":                      "*",
		"/legacy/a%2Fb;v=1/back": prefix + "/legacy/a%2Fb;v=1/back",
	} {
		rec := record(t)
		s := start(t, policyOf(stages{}), rec.Addr, prefixed)
		raw(t, s.addr, "OPTIONS "+target+" HTTP/1.1\r\nHost: h\r\n\r\n")
		require.Len(t, rec.Requests(), 1, target)
		line, _, _ := strings.Cut(rec.Requests()[0], "\r\n")
		assert.Equal(t, "OPTIONS "+want+" HTTP/1.1", line)
	}
}

func TestAHealthCheckIsForwardedAndNotJudged(t *testing.T) {
	t.Parallel()
	rec := record(t)
	var asked []string
	note := func(what string) { asked = append(asked, what) }
	p := policyOf(stages{
		match: func(r *policy.Request) policy.Match {
			return policy.Match{Operation: &policy.Operation{ID: policy.HealthID, Method: r.Method, Template: r.Path}}
		},
		authenticate: func(*policy.Request) policy.Authentication { note("who"); return policy.Authentication{} },
		spend:        func(*policy.Request) []policy.Verdict { note("how often"); return nil },
	}, &policy.Rule{Control: policy.InRoute, Mode: policy.Enforce, Check: says(policy.Denied(policy.RouteUnknown, ""))})
	s := start(t, p, rec.Addr)
	assert.Equal(t, http.StatusOK, raw(t, s.addr, "GET /health HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer x\r\n\r\n").StatusCode)
	o := s.observer.one(t)
	assert.Empty(t, asked)
	assert.Empty(t, o.decision.Findings)
	assert.Equal(t, policy.Allowed, o.outcome.Disposition)
	assert.Equal(t, http.StatusOK, o.outcome.BackendStatus)
	require.Len(t, rec.Requests(), 1)
}
