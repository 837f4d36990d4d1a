package proxy_test

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy"
)

func TestRefusalsOfNetHTTPAreCountedAndObserved(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, message, reason, status string }{
		{"head too large", "GET / HTTP/1.1\r\nHost: h\r\nX-A: " + strings.Repeat("x", 20000) + "\r\n\r\n", "head-too-large", "431"},
		{"no host", "GET / HTTP/1.1\r\n\r\n", "malformed", "400"},
		{"not http", "hello\r\n\r\n", "malformed", "400"},
		{"two lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "malformed", "400"},
		{"odd coding", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", "other", "501"},
	} {
		obs, refusals := &observer{}, &proxy.Refusals{}
		server := proxy.NewServer(http.NotFoundHandler(), proxy.Bounds{HeadBytes: 8 << 10, Head: time.Second, Idle: time.Second}, zap.NewNop())
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = server.Serve(&proxy.RefusalListener{
				Listener: l, Refusals: refusals, Observer: obs,
				Now: time.Now, NewID: func() string { return "id" },
			})
		}()
		answer := conversation(t, l.Addr().String(), c.message)
		assert.True(t, strings.HasPrefix(answer, "HTTP/1.1 "+c.status), "%s: %s", c.name, answer)
		assert.EqualValues(t, 1, refusals.Counts()[c.reason], c.name)
		o := obs.one(t)
		assert.Equal(t, policy.Failed, o.outcome.Disposition, c.name)
		assert.True(t, o.request.Peer.Addr.IsLoopback(), c.name)
		require.NoError(t, server.Close())
		<-done
	}
}

// An answer of a handler with the same status is not a refusal of net/http.
func TestAnswersOfHandlersAreNotRefusals(t *testing.T) {
	t.Parallel()
	refusals := &proxy.Refusals{}
	server := proxy.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusBadRequest)
	}), proxy.Bounds{HeadBytes: 8 << 10, Head: time.Second, Idle: time.Second}, zap.NewNop())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(&proxy.RefusalListener{
			Listener: l, Refusals: refusals, Observer: &observer{},
			Now: time.Now, NewID: func() string { return "id" },
		})
	}()
	conversation(t, l.Addr().String(), "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	assert.Equal(t, map[string]uint64{"head-too-large": 0, "malformed": 0, "other": 0}, refusals.Counts())
	require.NoError(t, server.Close())
	<-done
}

func TestNewID(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	first, second, later := proxy.NewID(at), proxy.NewID(at), proxy.NewID(at.Add(time.Millisecond))
	assert.Regexp(t, "^[0-7][0-9A-HJKMNP-TV-Z]{25}$", first)
	assert.NotEqual(t, first, second)
	assert.Equal(t, first[:10], second[:10])
	assert.Less(t, first, later)
}
