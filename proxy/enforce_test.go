package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// conversation sends a request and returns everything until the peer closes.
func conversation(t *testing.T, addr, request string) string {
	t.Helper()
	c, _ := proxytest.Dial(t, addr, request)
	defer func() { _ = c.Close() }()
	b, err := io.ReadAll(c)
	if err != nil {
		// A server that refuses a request may reset the connection over what it did
		// not read.
		require.ErrorIs(t, err, syscall.ECONNRESET)
	}
	return string(b)
}

func rule(c policy.Control, v policy.Verdict) *policy.Rule {
	return &policy.Rule{Control: c, Phase: policy.HeadPhase, Mode: policy.Enforce, Check: says(v)}
}

const get = "GET /v1/a HTTP/1.1\r\nHost: h\r\n\r\n"

// Where no token arrives, a 401 asks for none, and nothing else does either.
func TestTheChallengeOfACredentialThatIsNoToken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule *policy.Rule
		want string
	}{
		{rule(policy.TokPresent, policy.Denied(policy.CredentialMissing, "")), "ApiKey"},
		{rule(policy.KeyValid, policy.Denied(policy.APIKeyUnknown, "")), "ApiKey"},
		{rule(policy.AzScope, policy.Denied(policy.ScopeMissing, "")), ""},
	} {
		p := policyOf(stages{authenticate: func(*policy.Request) policy.Authentication {
			return policy.Authentication{Challenge: "ApiKey"}
		}}, c.rule)
		resp := raw(t, start(t, p, record(t).Addr).addr, get)
		assert.Equal(t, c.want, resp.Header.Get("WWW-Authenticate"), c.rule.Control)
	}
}

func TestBlockedAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule   *policy.Rule
		status int
		header string
		value  string
		code   string
	}{
		{rule(policy.TokPresent, policy.Denied(policy.CredentialMissing, "")), 401, "WWW-Authenticate", "Bearer", ""},
		{rule(policy.TokSig, policy.Denied(policy.TokenSignature, "")), 401, "WWW-Authenticate", `Bearer error="invalid_token"`, ""},
		{rule(policy.AzScope, policy.Denied(policy.ScopeMissing, "")), 403, "WWW-Authenticate", `Bearer error="insufficient_scope"`, "scope-missing"},
		{rule(policy.AzAccount, policy.Denied(policy.AccountNotInToken, "path.accountId")), 403, "", "", "account-not-in-token"},
		{rule(policy.InRoute, policy.Denied(policy.RouteUnknown, "")), 404, "", "", "route-unknown"},
		{rule(policy.InMethod, policy.Denied(policy.MethodNotAllowed, "")), 405, "Allow", "GET, POST", "method-not-allowed"},
		{rule(policy.InCtype, policy.Denied(policy.ContentTypeUndeclared, "")), 415, "", "", "content-type-undeclared"},
		{rule(policy.RateApp, policy.Verdict{Effect: policy.Deny, Reason: policy.RateExceeded, RetryAfter: 1500 * time.Millisecond}), 429, "Retry-After", "2", "rate-exceeded"},
		{rule(policy.TokSig, policy.Undecided(policy.KeySetUnavailable, nil)), 503, "", "", "undecided"},
		{rule(policy.AzScope, policy.Undecided(policy.InternalError, nil)), 500, "", "", "undecided"},
	} {
		rec := record(t)
		p := policyOf(stages{match: func(*policy.Request) policy.Match {
			return policy.Match{Allow: []string{"GET", "POST"}}
		}}, c.rule)
		s := start(t, p, rec.Addr)
		resp := raw(t, s.addr, get)
		name := string(c.rule.Control)
		assert.Equal(t, c.status, resp.StatusCode, name)
		assert.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"), name)
		assert.Equal(t, "id", resp.Header.Get(proxy.DecisionHeader), name)
		if c.header != "" {
			assert.Equal(t, c.value, resp.Header.Get(c.header), name)
		}
		body := resp.body
		if c.code == "" {
			assert.JSONEq(t, `{"type":"about:blank","title":"Unauthorized","status":401}`, body, name)
		} else {
			assert.Contains(t, body, fmt.Sprintf(`"code":%q`, c.code), name)
		}
		assert.Empty(t, rec.Requests(), "%s reached the backend", name)
		o := s.observer.one(t)
		assert.Equal(t, policy.Blocked, o.outcome.Disposition, name)
		assert.Equal(t, c.status, o.outcome.Status, name)
		assert.Equal(t, policy.ClassNone, o.outcome.Class, name)
	}
}

// A held body is forwarded as a bare proxy would forward it: its framing too, and
// of a trailer only that it was announced.
func TestHeldBodyIsForwardedAsItCame(t *testing.T) {
	t.Parallel()
	for name, message := range map[string]string{
		"length":        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
		"chunked":       "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"empty chunked": "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"trailer":       "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n",
		"expect":        "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
	} {
		want, got := record(t), record(t)
		s := start(t, policyOf(stages{}, size(policy.Enforce), wellformed(policy.Enforce)), got.Addr)
		assert.Equal(t, 200, raw(t, s.addr, message).StatusCode, name)
		raw(t, bare(t, want.Addr), message)
		require.Len(t, want.Requests(), 1, name)
		require.Len(t, got.Requests(), 1, name)
		assert.Equal(t, normal(want.Requests()[0]), normal(got.Requests()[0]), name)
		assert.Equal(t, policy.Allowed, s.observer.one(t).outcome.Disposition, name)
	}
}

func TestHeldBodyIsRefusedBeforeTheBackendSeesIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, message string
		status        int
	}{
		{"malformed", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nbad", 400},
		{"declared too long, not sent", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999\r\n\r\n", 413},
		{"chunked too long", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n" + strings.Repeat("x", 0x800) + "\r\n0\r\n\r\n", 413},
		{"broken chunk", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n", 400},
	} {
		rec := record(t)
		s := start(t, policyOf(stages{}, size(policy.Enforce), wellformed(policy.Enforce)), rec.Addr)
		assert.Equal(t, c.status, raw(t, s.addr, c.message).StatusCode, c.name)
		s.observer.one(t)
		assert.Empty(t, rec.Requests(), c.name)
		assert.Zero(t, s.handler.Stats().HeldBytes, c.name)
	}
}

// An exception on the size lets a body through that is too long to hold.
func TestExceptedBodyIsForwardedWhole(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 5000)
	for _, message := range []string{
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n" + long,
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n" + long + "\r\n0\r\n\r\n",
	} {
		rec := record(t)
		p := policyOf(stages{}, size(policy.Enforce)).WithExceptions([]policy.Exception{
			{ID: "EX-1", Control: policy.InSize, Until: time.Now().Add(time.Hour)},
		})
		s := start(t, p, rec.Addr)
		assert.Equal(t, 200, raw(t, s.addr, message).StatusCode)
		o := s.observer.one(t)
		assert.Equal(t, policy.Excepted, o.outcome.Disposition)
		assert.EqualValues(t, 5000, o.request.Body.Size, "what was not held is counted")
		require.Len(t, rec.Requests(), 1)
		assert.Equal(t, 5000, strings.Count(rec.Requests()[0], "x"))
	}
}

// The rest of a body that was too long to hold is the client's to break.
func TestExceptedBodyThatBreaksIsNotTheBackendsFault(t *testing.T) {
	t.Parallel()
	addr := backend(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	p := policyOf(stages{}, size(policy.Enforce)).WithExceptions([]policy.Exception{
		{ID: "EX-1", Control: policy.InSize, Until: time.Now().Add(time.Hour)},
	})
	s := start(t, p, addr)
	message := "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n" + strings.Repeat("x", 5000) + "\r\nzz\r\n"
	assert.Equal(t, 400, raw(t, s.addr, message).StatusCode)
	assert.Equal(t, policy.ClassNone, s.observer.one(t).outcome.Class)
}

// A control that could not decide because another one denies answers as that one
// would, in whatever mode it is.
func TestUndecidedAnswersWithTheStatusOfItsCause(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		cause  policy.Verdict
		status int
	}{
		{"the cause denies", policy.Denied(policy.IssuerUnknown, ""), 401},
		{"the cause is undecided", policy.Undecided(policy.KeySetUnavailable, nil), 503},
	} {
		rec := record(t)
		s := start(t, policyOf(stages{}, rule(policy.TokSig, policy.UndecidedBy(policy.TokIss)), &policy.Rule{
			Control: policy.TokIss, Phase: policy.HeadPhase, Mode: policy.Shadow, Check: says(c.cause),
		}), rec.Addr)
		got := raw(t, s.addr, get)
		assert.Equal(t, c.status, got.StatusCode, c.name)
		if c.status == http.StatusUnauthorized {
			assert.Equal(t, `Bearer error="invalid_token"`, got.Header.Get("WWW-Authenticate"))
			assert.JSONEq(t, `{"type":"about:blank","title":"Unauthorized","status":401}`, got.body)
		}
		assert.Empty(t, rec.Requests(), c.name)
	}
}

func TestEnforceWithoutMemoryIsUndecided(t *testing.T) {
	t.Parallel()
	rec := record(t)
	s := start(t, policyOf(stages{}, wellformed(policy.Enforce)), rec.Addr,
		func(o *proxy.Options, _ *proxy.Backend) { o.MaxHeldBytes = 1 })
	assert.Equal(t, 503, raw(t, s.addr, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc").StatusCode)
	assert.Empty(t, rec.Requests())
}

func TestThreatPanicInAStage(t *testing.T) {
	t.Parallel()
	boom := func() { panic("secret-of-a-client") }
	undecided := checkFunc(func(r *policy.Request) policy.Verdict {
		if r.Match.Err != nil || r.Auth.Proof.Reason == policy.InternalError || r.Spent == nil {
			return policy.Undecided(policy.InternalError, nil)
		}
		return policy.Permitted()
	})
	ok := func(*policy.Request) []policy.Verdict { return []policy.Verdict{} }
	for name, s := range map[string]stages{
		"match":        {match: func(*policy.Request) policy.Match { boom(); return policy.Match{} }, spend: ok},
		"authenticate": {authenticate: func(*policy.Request) policy.Authentication { boom(); return policy.Authentication{} }, spend: ok},
		"spend":        {spend: func(*policy.Request) []policy.Verdict { boom(); return nil }},
	} {
		for mode, status := range map[policy.Mode]int{policy.Shadow: 200, policy.Enforce: 500} {
			rec := record(t)
			p := policyOf(s, &policy.Rule{Control: policy.InRoute, Phase: policy.LimitPhase, Mode: mode, Check: undecided})
			sidecar := start(t, p, rec.Addr)
			assert.Equal(t, status, raw(t, sidecar.addr, get).StatusCode, "%s %s", name, mode)
			f, _ := sidecar.observer.one(t).decision.Find(policy.InRoute)
			assert.Equal(t, policy.InternalError, f.Verdict.Reason, "%s %s", name, mode)
		}
	}
}

func TestBackendFailures(t *testing.T) {
	t.Parallel()
	slow := backend(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(5 * time.Second):
		}
	})
	for _, c := range []struct {
		name, addr string
		status     int
	}{{"down", proxytest.FreeAddress(t), 502}, {"slow", slow, 504}} {
		s := start(t, policyOf(stages{}), c.addr, func(_ *proxy.Options, b *proxy.Backend) { b.Response = 200 * time.Millisecond })
		resp := raw(t, s.addr, get)
		assert.Equal(t, c.status, resp.StatusCode, c.name)
		body := resp.body
		assert.NotContains(t, body, "127.0.0.1", c.name)
		assert.JSONEq(t, fmt.Sprintf(`{"type":"about:blank","title":%q,"status":%d}`, http.StatusText(c.status), c.status), body)
		o := s.observer.one(t)
		assert.Equal(t, policy.Failed, o.outcome.Disposition, c.name)
		assert.Equal(t, policy.ClassAbort, o.outcome.Class, c.name)
		assert.Equal(t, 0, o.outcome.BackendStatus, c.name)
	}
}

func TestTruncatedAnswerIsAnAbort(t *testing.T) {
	t.Parallel()
	addr := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = rw.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
		_ = rw.Flush()
		_ = c.Close()
	})
	s := start(t, policyOf(stages{}), addr)
	assert.NotContains(t, conversation(t, s.addr, get), "Content-Length: 5", "a cut answer must not look whole")
	o := s.observer.one(t)
	assert.Equal(t, policy.ClassAbort, o.outcome.Class)
	assert.Equal(t, policy.Failed, o.outcome.Disposition)
}

// A backend that closes idle connections after one second must not cost a client
// its request: the sidecar's own idle time is shorter.
func TestIdleBackendConnectionsGiveNo502(t *testing.T) {
	t.Parallel()
	server := &http.Server{
		ReadHeaderTimeout: time.Second, IdleTimeout: time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }),
	}
	s := start(t, policyOf(stages{}), serve(t, server))
	client := &http.Client{Timeout: 5 * time.Second}
	// Pauses around the second at which the backend closes.
	for _, pause := range []time.Duration{0, 990, 995, 999, 1000, 1001, 1005} {
		time.Sleep(pause * time.Millisecond)
		for range 5 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.addr+"/", strings.NewReader("x"))
			require.NoError(t, err)
			resp, err := client.Do(req)
			require.NoError(t, err)
			assert.Equal(t, 200, resp.StatusCode)
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	}
}
