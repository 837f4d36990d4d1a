package test_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// The server goes away and comes back. Tokens of its keys are permitted
// meanwhile, those that nobody has seen before too.
func TestOAuthServerStopsAndStarts(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t)
	w.serve(trust)
	w.get("known", "orders-app", apiResource, "orders:read")
	w.get("unseen", "orders-app", apiResource, "orders:read")
	w.get("unseen-ec", "sites-app", apiResource, "orders:read")
	w.allows("GET /v1/sites -t known")

	require.NoError(t, w.server.down())
	w.awaitReads(false, 1)
	w.allows("GET /v1/sites -t known")
	w.allows("GET /v1/sites -t unseen")
	w.allows("GET /v1/sites -t unseen-ec")
	for _, mode := range w.modes() {
		require.NoError(t, w.sidecars[mode].awaitReadiness(http.StatusOK), mode)
	}

	require.NoError(t, w.server.up())
	w.awaitReads(true, 1)
	w.get("later", "orders-app", apiResource, "orders:read")
	w.allows("GET /v1/sites -t later")
	w.allows("GET /v1/sites -t known")
}

// A sidecar that starts before its server decides nothing: enforcing it is not
// ready and forwards nothing, in shadow it is ready and calls nobody unproven.
// When the server is there, so is everything.
func TestOAuthServerStartsAfterTheSidecar(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t)
	w.get("mine", "orders-app", apiResource, "orders:read")
	require.NoError(t, w.server.down())
	w.launch("enforce", trust)
	w.launch("shadow", trust)
	require.NoError(t, w.sidecars["enforce"].awaitReadiness(http.StatusServiceUnavailable))
	require.NoError(t, w.sidecars["shadow"].awaitReadiness(http.StatusOK))
	w.awaitReads(false, 1)

	const undecided = "finding.tok.sig.effect=indeterminate"
	request, err := w.parse(nil, []string{"GET", "/v1/sites", "-t", "mine"})
	require.NoError(t, err)
	require.NoError(t, w.try("enforce", request, []string{"status=503"}, []string{"disposition=blocked", undecided, "finding.tok.sig.reason=key-set-unavailable"}, 0))
	require.NoError(t, w.try("shadow", request, []string{"status=200"}, []string{"disposition=would-block", undecided, "observations=[]"}, 1))

	require.NoError(t, w.server.up())
	require.NoError(t, w.sidecars["enforce"].awaitReadiness(http.StatusOK))
	w.awaitReads(true, 1)
	w.allows("GET /v1/sites -t mine")
}
