package test_test

import (
	"crypto/sha256"
	"maps"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// proving is trust in the server, with proofs of possession at the URL by which
// clients know the API.
const proving = `
token:
  clock_skew: 5s
  dpop: {public_url: "https://api.example.net"}
  issuers:
    - issuer: "@issuer@"
      jwks_url: "@issuer@/jwks"
      refresh: 1s
      audiences: [https://api.example.net]
`

// provingWithNonce asks for a nonce in every proof. Only an enforcing sidecar can:
// it is its answer that gives the nonce.
const provingWithNonce = `
token:
  clock_skew: 5s
  dpop: {public_url: "https://api.example.net", nonce: true}
  issuers:
    - issuer: "@issuer@"
      jwks_url: "@issuer@/jwks"
      refresh: 1s
      audiences: [https://api.example.net]
`

// sites is where clients find the operation that the tests use.
const sites = "https://api.example.net/v1/sites"

// bind gets a token that is bound to a key and keeps it under a name.
func (w *oauthWorld) bind(name string, key proofKey) {
	w.t.Helper()
	token, err := w.server.boundToken(key, "orders-app", apiResource, "orders:read")
	require.NoError(w.t, err)
	w.tokens[name] = token
}

// proved returns the headers of a request with a token of the scheme DPoP and a
// proof for it, changed by further claims.
func (w *oauthWorld) proved(token string, key proofKey, change map[string]any) []string {
	digest := sha256.Sum256([]byte(w.tokens[token]))
	claims := map[string]any{"ath": tokentest.Encode(digest[:])}
	maps.Copy(claims, change)
	return []string{"-H", "Authorization: DPoP @" + token + "@", "-H", "DPoP: " + key.proof(http.MethodGet, sites, claims)}
}

// A token that the server bound to a key is permitted with a proof of that key for
// this request, and with nothing else.
func TestOAuthServerDPoP(t *testing.T) {
	t.Parallel()
	w, key, stranger := newOAuthWorld(t), newProofKey(), newProofKey()
	w.serve(proving)
	w.bind("bound", key)
	w.bind("other", key)
	w.get("plain", "orders-app", apiResource, "orders:read")
	const request = "GET /v1/sites"

	w.allows(request, w.proved("bound", key, nil)...)
	w.allows(request, w.proved("bound", key, nil)...) // the token is known, the proof is new
	w.allows(request + " -t plain")                   // nobody bound it

	const denied = http.StatusUnauthorized
	once := w.proved("bound", key, nil)
	w.allows(request, once...)
	w.refuses("tok.bind", "dpop-replayed", denied, request, once...)
	w.refuses("tok.bind", "dpop-scheme", denied, request+" -t bound")
	w.refuses("tok.bind", "dpop-missing", denied, request, w.proved("bound", key, nil)[:2]...)
	w.refuses("tok.bind", "dpop-mismatch", denied, request, w.proved("bound", stranger, nil)...)
	w.refuses("tok.bind", "dpop-method", denied, request, w.proved("bound", key, map[string]any{"htm": http.MethodPost})...)
	w.refuses("tok.bind", "dpop-url", denied, request, w.proved("bound", key, map[string]any{"htu": w.server.issuer + "/v1/sites"})...)
	w.refuses("tok.bind", "dpop-token", denied, request, append(w.proved("bound", key, nil)[:2], w.proved("other", key, nil)[2:]...)...)
}

// The whole flow: a nonce of the server for the token, and one of the sidecar for
// the request. Without it the answer says so and brings it.
func TestOAuthServerDPoPWithNonce(t *testing.T) {
	t.Parallel()
	w, key := newOAuthWorld(t), newProofKey()
	w.launch("enforce", provingWithNonce)
	require.NoError(t, w.sidecars["enforce"].awaitReadiness(http.StatusOK))
	w.bind("bound", key)

	send := func(headers []string, expect, record []string, forwarded int) answered {
		t.Helper()
		request, err := w.parse(nil, append([]string{"GET", "/v1/sites"}, headers...))
		require.NoError(t, err)
		require.NoError(t, w.try("enforce", request, expect, record, forwarded))
		return w.answers[len(w.answers)-1]
	}
	blocked := []string{"disposition=blocked", "denials=tok.bind", "finding.tok.bind.reason=dpop-nonce"}
	asked := send(w.proved("bound", key, nil), []string{"status=401"}, blocked, 0)
	nonce := asked.header.Get("DPoP-Nonce")
	require.NotEmpty(t, nonce)
	assert.Contains(t, asked.header.Get("WWW-Authenticate"), `DPoP `)
	assert.Contains(t, asked.header.Get("WWW-Authenticate"), `error="use_dpop_nonce"`)

	allowed := []string{"disposition=allowed", "findings=[]"}
	proof := w.proved("bound", key, map[string]any{"nonce": nonce})
	send(proof, []string{"status=200"}, allowed, 1)
	send(w.proved("bound", key, map[string]any{"nonce": nonce}), []string{"status=200"}, allowed, 1) // a nonce is for many proofs
	replayed := send(proof, []string{"status=401"}, []string{"disposition=blocked", "finding.tok.bind.reason=dpop-replayed"}, 0)
	assert.Contains(t, replayed.header.Get("WWW-Authenticate"), `DPoP `)
	send(w.proved("bound", key, map[string]any{"nonce": "made-up"}), []string{"status=401"}, blocked, 0)
}
