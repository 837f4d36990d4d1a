package proxy_test

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// The target in the record and before the matcher is the one at the backend, in
// every form of RFC 9112 3.2 and in those that only net/url accepts.
func TestTargetIsJudgedAsItIsForwarded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ method, target, forwarded string }{
		{"GET", "x:%2fadmin/users?y=1", "%2fadmin/users?y=1"},
		{"GET", "foo:bar/admin", "bar/admin"},
		{"GET", "http:admin?x=1", "admin?x=1"},
		{"GET", "http://h", "/"},
		{"GET", "http://h?x=1", "/?x=1"},
		{"GET", "http://h/a%2Fb?x", "/a%2Fb?x"},
		{"GET", "//a/b?c", "//a/b?c"},
		{"OPTIONS", "*", "*"},
		{"CONNECT", "h:443", "h:443"},
		{"CONNECT", "/a?b", "/a?b"},
	} {
		lines := make(chan string, 1)
		addr := proxytest.Script(t, func(c net.Conn, in *bufio.Reader) {
			line, _ := in.ReadString('\n')
			lines <- line
			_, _ = c.Write([]byte("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
		})
		s := start(t, policyOf(stages{}), addr)
		raw(t, s.addr, c.method+" "+c.target+" HTTP/1.1\r\nHost: h\r\n\r\n")
		assert.Equal(t, c.method+" "+c.forwarded+" HTTP/1.1\r\n", <-lines, c.target)
		r := s.observer.one(t).request
		path, query, _ := strings.Cut(c.forwarded, "?")
		assert.Equal(t, path, r.Path, c.target)
		assert.Equal(t, query, r.RawQuery, c.target)
	}
}

// What the client keeps from the backend by naming it in Connection, no check
// sees either.
func TestHeaderIsJudgedAsItIsForwarded(t *testing.T) {
	t.Parallel()
	rec := record(t)
	var judged http.Header
	look := &policy.Rule{Control: policy.AzAccount, Phase: policy.HeadPhase, Mode: policy.Shadow, Check: checkFunc(func(r *policy.Request) policy.Verdict {
		judged = r.Header.Clone()
		return policy.Permitted()
	})}
	s := start(t, policyOf(stages{}, look), rec.Addr)
	raw(t, s.addr, "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer x\r\nX-Account-Id: a\r\nX-Kept: 1\r\nX-Forwarded-For: 1.2.3.4\r\n"+
		"Te: trailers, gzip\r\nProxy-Authorization: Basic eA==\r\nConnection: x-account-id , te\r\nConnection: authorization, x-forwarded-for\r\n\r\n")
	require.Len(t, rec.Requests(), 1)
	for _, name := range []string{"Authorization", "X-Account-Id", "Proxy-Authorization", "X-Forwarded-For"} {
		assert.NotContains(t, rec.Requests()[0], name)
		assert.NotContains(t, judged, name)
	}
	assert.Contains(t, rec.Requests()[0], "Te: trailers\r\n")
	assert.Contains(t, judged, "Te")
	assert.Equal(t, "1", judged.Get("X-Kept"))
}
