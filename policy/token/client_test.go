package token_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// counted serves a text and counts the connections.
func counted(t *testing.T, text string) (url string, connections *atomic.Int64) {
	t.Helper()
	connections = new(atomic.Int64)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return server.URL, connections
}

// One question to an endpoint follows another, and minutes lie between two reads of a
// key set.
func TestConnectionsAreKeptForQuestionsAlone(t *testing.T) {
	url, connections := counted(t, `{"active":false}`)
	i := opaqueIssuer(newDesk())
	i.Introspection.URL, i.Introspection.Client = url, nil
	w := askingWorld(t, i)
	for _, sent := range []string{"opaque-1", "opaque-2", "opaque-3"} {
		require.Equal(t, policy.TokenInactive, w.authenticate(t, bearer(sent)).Proof.Reason)
	}
	assert.EqualValues(t, 1, connections.Load())

	url, connections = counted(t, string(tokentest.JWKS(tokentest.EC())))
	keys, err := token.NewKeySet(token.KeySetOptions{Issuer: issuerName, URL: url, Algorithms: []string{"ES256"}, Now: atEpoch})
	require.NoError(t, err)
	for range 3 {
		result, err := keys.Refresh(t.Context())
		require.Equal(t, token.RefreshOK, result, "%v", err)
	}
	assert.EqualValues(t, 3, connections.Load())
}
