package proxy_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// stages are the facts of a test policy; nil functions find nothing.
type stages struct {
	match        func(*policy.Request) policy.Match
	authenticate func(*policy.Request) policy.Authentication
	spend        func(*policy.Request) []policy.Verdict
}

func (s stages) Match(r *policy.Request) policy.Match {
	if s.match == nil {
		return policy.Match{}
	}
	return s.match(r)
}

func (s stages) Authenticate(_ context.Context, r *policy.Request) policy.Authentication {
	if s.authenticate == nil {
		return policy.Authentication{}
	}
	return s.authenticate(r)
}

func (s stages) Spend(_ context.Context, r *policy.Request, _ policy.Decision) []policy.Verdict {
	if s.spend == nil {
		return nil
	}
	return s.spend(r)
}

type checkFunc func(*policy.Request) policy.Verdict

func (f checkFunc) Check(_ context.Context, r *policy.Request) policy.Verdict { return f(r) }

// says is a check of one verdict.
func says(v policy.Verdict) checkFunc { return func(*policy.Request) policy.Verdict { return v } }

// textInspector finds a body that contains "bad" malformed.
type textInspector struct{}

func (textInspector) Inspect(_ *policy.Request, b []byte, size int64, whole bool) policy.Body {
	body := policy.Body{Bytes: b, Size: size, Whole: whole, WellFormed: policy.Permitted()}
	switch {
	case !whole:
		body.WellFormed = policy.Undecided(policy.NotInspected, nil)
	case strings.Contains(string(b), "bad"):
		body.WellFormed = policy.Denied(policy.JSONSyntax, "")
	}
	return body
}

const maxIn = 1 << 10

func wellformed(m policy.Mode) *policy.Rule {
	return &policy.Rule{
		Control: policy.InWellformed, Phase: policy.BodyPhase, Mode: m,
		Check: checkFunc(func(r *policy.Request) policy.Verdict { return r.Body.WellFormed }),
	}
}

func size(m policy.Mode) *policy.Rule {
	return &policy.Rule{
		Control: policy.InSize, Phase: policy.BodyPhase, Mode: m,
		Check: checkFunc(func(r *policy.Request) policy.Verdict {
			if r.Body.Size > maxIn {
				return policy.Denied(policy.BodyTooLarge, "")
			}
			return policy.Permitted()
		}),
	}
}

// policyOf returns a policy whose every request has the given plan.
func policyOf(s stages, rules ...*policy.Rule) *policy.Policy {
	hold := false
	for _, r := range rules {
		hold = hold || (r.Phase == policy.BodyPhase && r.Mode == policy.Enforce)
	}
	return &policy.Policy{
		Digest: "sha256:test", Matcher: s, Authenticator: s, Spender: s,
		Unmatched: &policy.Operation{ID: policy.UnmatchedID, Rules: rules, In: textInspector{}, HoldIn: hold, MaxIn: maxIn},
	}
}

// seen is one call of the observer.
type seen struct {
	request  policy.Request
	decision policy.Decision
	outcome  policy.Outcome
}

type observer struct {
	mu   sync.Mutex
	seen []seen
}

func (o *observer) Observe(r *policy.Request, d policy.Decision, out policy.Outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = append(o.seen, seen{*r, d, out})
}

// one waits for the only observation.
func (o *observer) one(t *testing.T) seen {
	t.Helper()
	require.Eventually(t, func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return len(o.seen) > 0
	}, 30*time.Second, time.Millisecond, "nothing was observed")
	o.mu.Lock()
	defer o.mu.Unlock()
	require.Len(t, o.seen, 1)
	return o.seen[0]
}

type sidecar struct {
	handler  *proxy.Handler
	observer *observer
	addr     string
	refusals *proxy.Refusals
}

// start serves a sidecar in front of backend, an address.
func start(t *testing.T, p *policy.Policy, backend string, tune ...func(*proxy.Options, *proxy.Backend)) *sidecar {
	t.Helper()
	obs := &observer{}
	b := proxy.Backend{Connect: time.Second, Response: 2 * time.Second, Idle: 500 * time.Millisecond, MaxIdle: 8}
	o := proxy.Options{
		Policy: p, Observer: obs, Backend: &url.URL{Scheme: "http", Host: backend}, InstanceHeader: "X-Instance",
		MaxHeldBytes: 1 << 20, Now: time.Now, Log: zap.NewNop(),
		NewID: func() string { return "id" },
	}
	for _, f := range tune {
		f(&o, &b)
	}
	transport := proxy.NewTransport(b)
	o.Transport = transport
	h := proxy.New(o)
	refusals := &proxy.Refusals{}
	addr := guarded(t, h, obs, refusals, proxy.Bounds{HeadBytes: 64 << 10, Head: 5 * time.Second, Idle: time.Minute}, h.Policy)
	t.Cleanup(transport.CloseIdleConnections)
	return &sidecar{handler: h, observer: obs, addr: addr, refusals: refusals}
}

func serve(t *testing.T, server *http.Server) string {
	t.Helper()
	return proxytest.Serve(t, server, proxytest.Listen(t))
}

// answer is what a client got.
type answer struct {
	StatusCode int
	Header     http.Header
	body       string
}

// raw sends the bytes of one request and returns its final answer.
func raw(t *testing.T, addr, request string) answer {
	t.Helper()
	c, in := proxytest.Dial(t, addr, request)
	defer func() { _ = c.Close() }()
	method, _, _ := strings.Cut(request, " ")
	for {
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		if resp.StatusCode != http.StatusContinue {
			return answer{resp.StatusCode, resp.Header, string(body)}
		}
	}
}

// record starts a backend that answers 200 to each request.
func record(t *testing.T) *proxytest.Recorder {
	t.Helper()
	return proxytest.Record(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Instance: a-1\r\n\r\nok")
}

func backend(t *testing.T, f http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// refusing serves h behind a Listener that tells the same observer.
func refusing(t *testing.T, h http.Handler, obs policy.Observer) (string, *proxy.Refusals) {
	t.Helper()
	refusals := &proxy.Refusals{}
	bounds := proxy.Bounds{HeadBytes: 8 << 10, Head: time.Second, Idle: time.Second}
	return guarded(t, h, obs, refusals, bounds, func() *policy.Policy { return policyOf(stages{}) }), refusals
}

// guarded serves h behind a Listener.
func guarded(t *testing.T, h http.Handler, obs policy.Observer, refusals *proxy.Refusals, b proxy.Bounds, current func() *policy.Policy) string {
	t.Helper()
	l := proxytest.Listen(t)
	return proxytest.Serve(t, proxy.NewServer(h, b, zap.NewNop()), &proxy.Listener{
		Listener: l, HeadBytes: b.HeadBytes, Refusals: refusals, Observer: obs, Policy: current,
		Now: time.Now, NewID: func() string { return "id" },
	})
}
