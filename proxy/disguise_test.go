package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// Content of a backend reads like an answer of net/http wherever a write may begin in the
// middle of it, while the client has begun its next request. It is content all the same.
func TestThreatContentInTheDisguiseOfARefusal(t *testing.T) {
	t.Parallel()
	const refusal = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
	content := strings.Repeat(refusal, 300)
	for _, m := range []policy.Mode{policy.Shadow, policy.Enforce} {
		s := start(t, framed(m), backend(t, func(w http.ResponseWriter, r *http.Request) {
			var shift int
			_, _ = fmt.Sscanf(r.URL.Path, "/%d", &shift)
			_, _ = io.WriteString(w, strings.Repeat("A", shift)+content)
		}))
		for shift := range refusal {
			c, in := proxytest.Dial(t, s.addr, fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: h\r\n\r\nG", shift))
			resp, err := http.ReadResponse(in, nil)
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err, "%s %d", m, shift)
			require.NoError(t, resp.Body.Close())
			require.NoError(t, c.Close())
			require.Len(t, body, shift+len(content), "%s %d", m, shift)
		}
		for _, o := range s.observer.several(t, len(refusal)) {
			require.Equal(t, http.MethodGet, o.request.Method, "a request that nobody sent")
			assert.Equal(t, policy.Allowed, o.outcome.Disposition)
		}
	}
}
