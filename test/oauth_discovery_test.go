package test_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// discovered is trust without the address of the key set: the server is asked for
// it. It has OpenID Connect metadata alone, so RFC 8414 finds nothing first.
const discovered = `
token:
  clock_skew: 0s
  issuers:
    - issuer: "@issuer@"
      refresh: 1s
      audiences: [https://api.example.net]
`

// Whoever gives the issuer alone gets its keys, those of a rotation too.
func TestOAuthServerIsDiscovered(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t)
	w.serve(discovered)
	w.get("old", "orders-app", apiResource, "orders:read")
	w.get("ec", "sites-app", apiResource, "orders:read")
	w.get("elsewhere", "orders-app", otherResource, "orders:read")
	w.allows("GET /v1/accounts/acct-1/orders/o-1 -t old")
	w.allows("GET /v1/accounts/acct-2/orders/o-1 -t ec")
	w.refuses("tok.aud", "token-audience", 401, "GET /v1/sites -t elsewhere")

	require.NoError(t, w.server.command("publish"))
	w.awaitReads(true, 2)
	require.NoError(t, w.server.command("rotate"))
	require.NoError(t, w.server.command("retire"))
	w.get("new", "orders-app", apiResource, "orders:read")
	w.allows("GET /v1/sites -t new")
	for _, mode := range w.modes() {
		w.soon(mode, "old", goneKey)
	}
}

// A server that is not there yet has no metadata either.
func TestOAuthServerIsDiscoveredWhenItStarts(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t)
	w.get("mine", "orders-app", apiResource, "orders:read")
	require.NoError(t, w.server.down())
	w.launch("shadow", discovered)
	w.launch("enforce", discovered)
	require.NoError(t, w.sidecars["enforce"].awaitReadiness(503))
	w.awaitReads(false, 1)
	require.NoError(t, w.server.up())
	require.NoError(t, w.sidecars["enforce"].awaitReadiness(200))
	w.awaitReads(true, 1)
	w.allows("GET /v1/sites -t mine")
}
