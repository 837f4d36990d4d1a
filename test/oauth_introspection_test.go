package test_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// asked is trust in a server that is asked about its opaque tokens.
const asked = `
decision_timeout: 5s
token:
  clock_skew: 0s
  issuers:
    - issuer: "@issuer@"
      tokens: opaque
      introspection: {url: "@issuer@/token/introspection", client_id: sidecar, client_secret: "${env:SIDECAR_SECRET}", ttl: 1s}
      audiences: [https://opaque.example.net]
`

// newAskingWorld returns a world whose sidecars ask the server about tokens. None
// of them may say what it authenticates with.
func newAskingWorld(t *testing.T) *oauthWorld {
	t.Helper()
	w := newOAuthWorld(t)
	w.hidden = append(w.hidden, "sidecar-secret")
	w.serve(asked, "SIDECAR_SECRET=sidecar-secret")
	return w
}

// What the server says of a token is what a JWT would have said of itself: the
// account boundary, the scopes and the rest are judged, also of what is remembered.
func TestOAuthServerIsAskedAboutOpaqueTokens(t *testing.T) {
	t.Parallel()
	w := newAskingWorld(t)
	w.get("mine", "orders-app", opaqueResource, "orders:read")
	w.get("jwt", "orders-app", apiResource, "orders:read")
	w.tokens["made-up"] = strings.Repeat("Zm9yZ2Vk", 6)

	for range 2 {
		w.allows("GET /v1/accounts/acct-1/orders/o-1 -t mine")
		w.refuses("az.account", "account-not-in-token", http.StatusForbidden, "GET /v1/accounts/acct-2/orders/o-1 -t mine")
		w.refuses("az.scope", "scope-missing", http.StatusForbidden, `POST /v1/accounts/acct-1/orders -t mine -d {"product":"port"}`)
		w.refuses("tok.sig", "token-inactive", http.StatusUnauthorized, "GET /v1/sites -t made-up")
		w.refuses("tok.sig", "token-inactive", http.StatusUnauthorized, "GET /v1/sites -t jwt") // this server tells of opaque ones alone
	}
}

// The client revokes its token at the server; no sidecar takes it for longer than
// it remembers an answer, and a token that is not revoked is permitted meanwhile.
func TestOAuthServerRevokesTokens(t *testing.T) {
	t.Parallel()
	w := newAskingWorld(t)
	lost := w.get("lost", "orders-app", opaqueResource, "orders:read")
	w.get("kept", "orders-app", opaqueResource, "orders:read")
	w.allows("GET /v1/sites -t lost")
	w.allows("GET /v1/sites -t kept")

	require.NoError(t, w.server.revoke("orders-app", lost))
	request, err := w.parse(nil, []string{"GET", "/v1/sites", "-t", "lost"})
	require.NoError(t, err)
	for _, mode := range w.modes() {
		require.NoError(t, eventually(func() error {
			if _, err := w.do(mode, request); err != nil {
				return err
			}
			reason, err := w.reason(mode, "tok.revoked")
			if err == nil && reason != "token-revoked" {
				err = fmt.Errorf("%s: tok.revoked says %q", mode, reason)
			}
			return err
		}))
	}
	w.refuses("tok.revoked", "token-revoked", http.StatusUnauthorized, "GET /v1/sites -t lost")
	w.allows("GET /v1/sites -t kept")
}

// Nobody who cannot be asked about is let in, and nobody is called unproven for it.
// The server forgets its tokens when it stops, so that there are new ones.
func TestOAuthServerCannotBeAsked(t *testing.T) {
	t.Parallel()
	w := newAskingWorld(t)
	w.get("unseen", "orders-app", opaqueResource, "orders:read")
	require.NoError(t, w.server.down())
	request, err := w.parse(nil, []string{"GET", "/v1/sites", "-t", "unseen"})
	require.NoError(t, err)
	undecided := []string{"finding.tok.sig.effect=indeterminate", "finding.tok.sig.reason=introspection-unavailable"}
	require.NoError(t, w.try("enforce", request, []string{"status=503"}, append([]string{"disposition=blocked"}, undecided...), 0))
	require.NoError(t, w.try("shadow", request, []string{"status=200"}, append([]string{"disposition=would-block", "observations=[]"}, undecided...), 1))

	require.NoError(t, w.server.up())
	w.get("new", "orders-app", opaqueResource, "orders:read")
	again, err := w.parse(nil, []string{"GET", "/v1/sites", "-t", "new"})
	require.NoError(t, err)
	for _, mode := range w.modes() {
		require.NoError(t, eventually(func() error {
			if _, err := w.do(mode, again); err != nil {
				return err
			}
			reason, err := w.reason(mode, "tok.sig")
			if err == nil && reason != "" {
				err = fmt.Errorf("%s: tok.sig says %q", mode, reason)
			}
			return err
		}))
	}
	w.allows("GET /v1/sites -t new")
}
