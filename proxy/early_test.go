package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// A backend that answers before it has read the body leaves the rest of that on the
// connection. It is no request, in whatever mode.
func TestThreatBodyOfAnEarlyAnswerAsTheNextRequest(t *testing.T) {
	t.Parallel()
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
	body := strings.Repeat(smuggled, 8<<20/len(smuggled))
	for name, p := range map[string]*policy.Policy{
		"no control": policyOf(stages{}), "shadow": framed(policy.Shadow), "enforce": framed(policy.Enforce),
	} {
		targets := make(chan string, 1<<20)
		s := start(t, p, proxytest.Script(t, func(c net.Conn, in *bufio.Reader) {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			targets <- r.RequestURI
			_, _ = io.WriteString(c, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		}))
		answers := talk(t, s.addr, fmt.Sprintf("POST /first HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
		require.NotEmpty(t, answers, name)
		close(targets)
		for target := range targets {
			assert.NotEqual(t, "/smuggled", target, name)
		}
	}
}
