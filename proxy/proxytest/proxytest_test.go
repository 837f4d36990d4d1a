package proxytest_test

import (
	"bufio"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// What comes in one piece is kept in as many as it has requests, with all that http.Request
// forgets: the case of names, the framing, and what stands in a chunk or behind the last.
func TestARecorderKeepsEveryByteOfEachRequest(t *testing.T) {
	t.Parallel()
	messages := []string{
		"GET /a%2fb?c HTTP/1.1\r\nhOST:  h\r\n\r\n",
		"GET 443%zz HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n\r\n\r",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n02;x=y\r\nok\r\n1\r\n\n\r\n0\r\nX-Trailer: 1\r\n\r\n",
		"GET /last HTTP/1.0\n\n",
	}
	r := proxytest.Record(t, answer)
	_, in := proxytest.Dial(t, r.Addr, strings.Join(messages, ""))
	for i := range messages {
		resp, err := http.ReadResponse(in, nil)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, "ok", string(body))
		assert.GreaterOrEqual(t, len(r.Requests()), i+1, "what is answered is kept before")
	}
	assert.Equal(t, messages, r.Requests())
	assert.Equal(t, messages, r.Take())
	assert.Empty(t, r.Requests(), "what is taken is gone")
	assert.Empty(t, r.Take())
}

func TestWhatIsNoRequestIsKeptAndNotAnswered(t *testing.T) {
	t.Parallel()
	for _, message := range []string{
		"GET / HTTP/1.1\r\nHost:",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabc",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\na",
		"GET / HTTP/1.1\r\nHost : h\r\n\r\n",
		"GET /  HTTP/1.1 HTTP/1.1 \r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		r := proxytest.Record(t, answer)
		c, in := proxytest.Dial(t, r.Addr, message)
		require.NoError(t, c.CloseWrite())
		all, _ := io.ReadAll(in) // a reset says the same
		assert.Empty(t, all, "%q", message)
		assert.Equal(t, []string{message}, r.Requests())
	}
	r := proxytest.Record(t, answer)
	c, in := proxytest.Dial(t, r.Addr, "")
	require.NoError(t, c.CloseWrite())
	_, err := in.ReadByte()
	require.ErrorIs(t, err, io.EOF)
	assert.Empty(t, r.Requests(), "nothing is no request")
}

func TestARecorderTellsWhoExpectsItToGoOn(t *testing.T) {
	t.Parallel()
	const head, body = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", "hi"
	r := proxytest.Record(t, answer)
	c, in := proxytest.Dial(t, r.Addr, head)
	for _, want := range []int{http.StatusContinue, http.StatusOK} {
		resp, err := http.ReadResponse(in, nil)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, want, resp.StatusCode)
		if want == http.StatusContinue {
			_, err = io.WriteString(c, body)
			require.NoError(t, err)
		}
	}
	assert.Equal(t, []string{head + body}, r.Requests())
}

func TestAScriptTalksOverEachConnection(t *testing.T) {
	t.Parallel()
	addr := proxytest.Script(t, func(c net.Conn, in *bufio.Reader) {
		line, _ := in.ReadString('\n')
		_, _ = io.WriteString(c, "you said "+line)
	})
	_, first := proxytest.Dial(t, addr, "")
	_, second := proxytest.Dial(t, addr, "two\n")
	said, err := io.ReadAll(second)
	require.NoError(t, err, "nobody waits for another one")
	assert.Equal(t, "you said two\n", string(said))
	assert.Zero(t, first.Buffered())
}

// watched is a test that fails without ours, and that ends when it is told to.
type watched struct {
	testing.TB
	failed  []string
	cleanup []func()
}

func (w *watched) Errorf(format string, args ...any) {
	w.failed = append(w.failed, fmt.Sprintf(format, args...))
}
func (w *watched) Cleanup(f func()) { w.cleanup = append(w.cleanup, f) }

func (w *watched) end() {
	for _, f := range slices.Backward(w.cleanup) {
		f()
	}
}

func TestWhoConnectsToASilentListenerFailsTheTest(t *testing.T) {
	t.Parallel()
	for connections := range 2 {
		inner := &watched{TB: t}
		addr := proxytest.Silent(inner)
		for range connections {
			proxytest.Dial(t, addr, "")
		}
		inner.end()
		assert.Len(t, inner.failed, connections)
	}
}

func TestNobodyListensAtAFreeAddress(t *testing.T) {
	t.Parallel()
	_, err := net.Dial("tcp", proxytest.FreeAddress(t))
	require.Error(t, err)
}

func TestACertificateIsSignedByWhoIsAsked(t *testing.T) {
	t.Parallel()
	authority, pool := proxytest.Authority(t)
	_, others := proxytest.Authority(t)
	other := func(c *x509.Certificate) { c.DNSNames = []string{"other.example.net"} }
	for _, c := range []struct {
		name string
		leaf *x509.Certificate
		pool *x509.CertPool
		good bool
	}{
		{"of the authority", proxytest.Issue(t, authority, nil).Leaf, pool, true},
		{"of another one", proxytest.Issue(t, authority, nil).Leaf, others, false},
		{"of its own", proxytest.Issue(t, nil, nil).Leaf, pool, false},
		{"changed", proxytest.Issue(t, authority, other).Leaf, pool, false},
	} {
		_, err := c.leaf.Verify(x509.VerifyOptions{Roots: c.pool, DNSName: "localhost"})
		assert.Equal(t, c.good, err == nil, "%s: %v", c.name, err)
	}
}
