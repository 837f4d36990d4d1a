package proxy_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

func TestRefusalsOfNetHTTPAreCountedAndObserved(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, message, reason, status string }{
		{"head too large", "GET / HTTP/1.1\r\nHost: h\r\nX-A: " + strings.Repeat("x", 20000) + "\r\n\r\n", "head-too-large", "431"},
		{"no host", "GET / HTTP/1.1\r\n\r\n", "malformed", "400"},
		{"not http", "hello\r\n\r\n", "malformed", "400"},
		{"two lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "malformed", "400"},
		{"odd coding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", "other", "501"},
		{"odd expectation", "GET / HTTP/1.1\r\nHost: h\r\nExpect: banana\r\n\r\n", "expectation", "417"},
		{"odd expectation, HEAD", "HEAD / HTTP/1.1\r\nHost: h\r\nExpect: banana\r\n\r\n", "expectation", "417"},
	} {
		obs := &observer{}
		addr, refusals := refusing(t, http.NotFoundHandler(), obs)
		answer := conversation(t, addr, c.message)
		assert.True(t, strings.HasPrefix(answer, "HTTP/1.1 "+c.status), "%s: %s", c.name, answer)
		assert.EqualValues(t, 1, refusals.Counts()[c.reason], c.name)
		o := obs.one(t)
		assert.Equal(t, policy.Failed, o.outcome.Disposition, c.name)
		assert.Equal(t, c.status, strconv.Itoa(o.outcome.Status), c.name)
		assert.True(t, o.request.Peer.Addr.IsLoopback(), c.name)
	}
}

// An answer that passed the handler is observed by it and is no refusal of
// net/http, however much it looks like one.
func TestAnswersOfHandlersAreNotRefusals(t *testing.T) {
	t.Parallel()
	none := map[string]uint64{"head-too-large": 0, "malformed": 0, "expectation": 0, "handshake": 0, "other": 0}
	for _, c := range []struct{ name, answer, message string }{
		{"400", "400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\nno", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"},
		{"400 to HEAD", "400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"},
		{"417", "417 Expectation Failed\r\nConnection: close\r\nDate: Sun, 22 Nov 2026 03:40:39 GMT\r\nContent-Length: 0\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"},
	} {
		s := start(t, policyOf(stages{}), proxytest.Script(t, func(conn net.Conn, in *bufio.Reader) {
			_, _ = http.ReadRequest(in)
			_, _ = io.WriteString(conn, "HTTP/1.1 "+c.answer)
		}))
		addr, refusals := refusing(t, s.handler, s.observer)
		assert.True(t, strings.HasPrefix(conversation(t, addr, c.message), "HTTP/1.1 "+c.name[:3]), c.name)
		assert.Equal(t, c.name[:3], strconv.Itoa(s.observer.one(t).outcome.BackendStatus), c.name)
		assert.Equal(t, none, refusals.Counts(), c.name)
	}
}

// What goes through a tunnel is not ours, even if it is what net/http says.
func TestBytesOfATunnelAreNotRefusals(t *testing.T) {
	t.Parallel()
	const refusal = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"
	s := start(t, policyOf(stages{}), proxytest.Script(t, func(c net.Conn, in *bufio.Reader) {
		_, _ = http.ReadRequest(in)
		_, _ = io.WriteString(c, switching+"hello\n")
		_, _ = in.ReadByte()
		_, _ = io.WriteString(c, refusal)
	}))
	addr, refusals := refusing(t, s.handler, s.observer)
	c, in := tunnel(t, addr, "GET /x", "\r\n")
	_, err := c.Write([]byte("x"))
	require.NoError(t, err)
	got, err := io.ReadAll(in)
	require.NoError(t, err)
	assert.Equal(t, refusal, string(got))
	require.NoError(t, c.Close())
	s.observer.one(t)
	assert.Zero(t, refusals.Counts()["malformed"])
}
