package proxy_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	logged "go.uber.org/zap/zaptest/observer"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// takes is a Stripper of fixed names.
type takes []string

func (names takes) Strip(*policy.Request) []string { return names }

// stripping is a policy that takes fields away.
func stripping(names ...string) *policy.Policy {
	p := policyOf(stages{}, rule(policy.InHdr, policy.Denied(policy.HeaderTrailer, "")))
	p.Unmatched.Rules[0].Reports = []policy.Reason{policy.HeaderTrailer}
	p.Unmatched.Strip = takes(names)
	return p
}

func TestFactsOfTheHop(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		head string
		want policy.Hop
	}{
		"none":       {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", policy.Hop{}},
		"connection": {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nconnection: X-A, b\r\nX-A: 1\r\n\r\n", policy.Hop{Connection: []string{"close", "X-A, b"}}},
		"upgrade":    {"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nUpgrade: a, b\r\n\r\n", policy.Hop{Upgrade: []string{"h2c", "a, b"}}},
		"trailers": {
			"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-B\r\nTrailer: x-a\r\n\r\n0\r\nX-A: 1\r\n\r\n",
			policy.Hop{Trailer: []string{"X-A", "X-B"}},
		},
		"trailers without chunks": {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTrailer: x-a\r\n\r\n1", policy.Hop{Trailer: []string{"x-a"}}},
	} {
		s := start(t, policyOf(stages{}), record(t).Addr)
		raw(t, s.addr, c.head)
		assert.Equal(t, c.want, s.observer.one(t).request.Hop, name)
	}
}

func TestStrippedFieldsDoNotReachTheBackend(t *testing.T) {
	t.Parallel()
	message := "POST / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: a\r\nX-Keep: k\r\nX-Gone: 1\r\nX-Gone: 2\r\nConnection: Upgrade\r\nUpgrade: echo\r\n" +
		"Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n"
	for _, hold := range []policy.Mode{policy.Shadow, policy.Enforce} {
		rec := record(t)
		p := stripping("X-Forwarded-For", "X-Gone", "Upgrade", "Trailer")
		p.Unmatched.HoldIn = hold == policy.Enforce
		s := start(t, p, rec.Addr)
		assert.Equal(t, 200, raw(t, s.addr, message).StatusCode)
		require.Len(t, rec.Requests(), 1)
		got := rec.Requests()[0]
		for _, gone := range []string{"X-Forwarded-For", "X-Gone", "Upgrade", "Connection", "Trailer", "X-Sum"} {
			assert.NotContains(t, got, gone, hold)
		}
		assert.Contains(t, got, "X-Keep: k")
		o := s.observer.one(t)
		assert.Equal(t, 4, o.outcome.Stripped)
		assert.Equal(t, policy.Allowed, o.outcome.Disposition)
		assert.Equal(t, []string{"1", "2"}, o.request.Header["X-Gone"], "the facts are what the client sent")
	}
}

// Who is excepted may send what others may not.
func TestAnExceptionLeavesFieldsAlone(t *testing.T) {
	t.Parallel()
	rec := record(t)
	p := stripping("X-Gone").WithExceptions([]policy.Exception{{ID: "EX-1", Control: policy.InHdr, Until: time.Now().Add(time.Hour)}})
	s := start(t, p, rec.Addr)
	raw(t, s.addr, "GET / HTTP/1.1\r\nHost: h\r\nX-Gone: 1\r\n\r\n")
	require.Len(t, rec.Requests(), 1)
	assert.Contains(t, rec.Requests()[0], "X-Gone: 1")
	assert.Zero(t, s.observer.one(t).outcome.Stripped)
}

// A backend that switches although it was not asked to gets no tunnel.
func TestNobodyTunnelsWhereTheUpgradeWasStripped(t *testing.T) {
	t.Parallel()
	s := start(t, stripping("Upgrade"), proxytest.Script(t, tunnelled))
	assert.Equal(t, http.StatusBadGateway, raw(t, s.addr, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n").StatusCode)
	assert.Equal(t, policy.Failed, s.observer.one(t).outcome.Disposition)
}

func TestConnectionAuthenticationIsCountedAndWarnedAboutOnce(t *testing.T) {
	t.Parallel()
	core, logs := logged.New(zap.WarnLevel)
	addr := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Www-Authenticate"] = r.Header["X-Ask"]
		w.WriteHeader(http.StatusUnauthorized)
	})
	s := start(t, policyOf(stages{}), addr, func(o *proxy.Options, _ *proxy.Backend) { o.Log = zap.New(core) })
	asks := func(lines ...string) {
		raw(t, s.addr, "GET / HTTP/1.1\r\nHost: h\r\nX-Ask: "+strings.Join(lines, "\r\nX-Ask: ")+"\r\n\r\n")
	}
	asks(`Bearer realm="NTLM, Negotiate"`, "Basic", "Negotiated")
	assert.Equal(t, map[string]uint64{"ntlm": 0, "negotiate": 0}, s.handler.Stats().ConnectionAuth)
	assert.Zero(t, logs.Len())
	asks("Negotiate", "NTLM")
	asks(`Basic realm="a", ntlm`)
	asks("Negotiate oYG2MIGz")
	assert.Equal(t, map[string]uint64{"ntlm": 2, "negotiate": 2}, s.handler.Stats().ConnectionAuth)
	assert.Equal(t, 1, logs.Len(), "every answer to a client without credential says it")
}
