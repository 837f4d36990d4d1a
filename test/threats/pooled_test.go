package threats_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// A gateway sends the requests of many clients over one connection. What one of them
// does to its framing where that is only measured must not leave those of the others
// undecided where it is enforced: either the connection can be followed further, or the
// answer ends it.
func TestThreatAClientThatBlindsThePooledConnectionOfOthers(t *testing.T) {
	t.Parallel()
	const next = "POST /things HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
	for _, c := range []struct {
		name, wire string
		reason     policy.Reason
		ends       bool
	}{
		{"a spelling of a framing field", "GET /things HTTP/1.1\r\nHost: h\r\nContent_Length: 5\r\n\r\n", policy.FrameFieldName, false},
		{"an ending that not all take for one", "GET /things HTTP/1.1\nHost: h\n\n", policy.FrameLineEnding, true},
		{"two lengths", "GET /things HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", policy.FrameLength, true},
	} {
		w := newWorld(t, plan{contract: document("3.0.3", edge), mode: policy.Shadow, settings: "operations: {addThing: {controls: {in.frame: enforce}}}\n"})
		conn, in := proxytest.Dial(t, w.addr, c.wire)
		first, err := http.ReadResponse(in, nil)
		require.NoError(t, err, c.name)
		_, err = io.Copy(io.Discard, first.Body)
		require.NoError(t, err, c.name)
		require.NoError(t, first.Body.Close())
		assert.Equal(t, http.StatusOK, first.StatusCode, "%s: shadow forwards it", c.name)
		assert.Equal(t, c.ends, first.Close, c.name)
		if !c.ends {
			_, err = io.WriteString(conn, next)
			require.NoError(t, err)
			second, err := http.ReadResponse(in, nil)
			require.NoError(t, err, c.name)
			require.NoError(t, second.Body.Close())
			assert.Equal(t, http.StatusOK, second.StatusCode, "%s: the request of another client", c.name)
		}
		require.NoError(t, conn.Close())
		told := 1
		if !c.ends {
			told = 2
		}
		_, seen := w.take(t, told)
		f, _ := seen[0].decision.Find(policy.InFrame)
		assert.Equal(t, c.reason, f.Verdict.Reason, c.name)
		for _, o := range seen[1:] {
			f, _ := o.decision.Find(policy.InFrame)
			assert.Equal(t, policy.Permit, f.Verdict.Effect, c.name)
		}
	}
}
