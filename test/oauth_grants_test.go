package test_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// What the tests with a sidecar build on: the server binds a token to the key of
// a DPoP proof (RFC 9449), and insists on a nonce of its own before it does.
func TestOAuthServerBindsTokensToKeys(t *testing.T) {
	t.Parallel()
	o, key := startOAuthServer(t), newProofKey()
	_, nonce, err := o.request("orders-app", apiResource, "orders:read", key.proof(http.MethodPost, o.issuer+"/token", nil))
	require.ErrorContains(t, err, "use_dpop_nonce")
	require.NotEmpty(t, nonce)

	proof := key.proof(http.MethodPost, o.issuer+"/token", map[string]any{"nonce": nonce})
	bound, _, err := o.request("orders-app", apiResource, "orders:read", proof)
	require.NoError(t, err)
	assert.Equal(t, "DPoP", bound.TokenType)
	assert.Equal(t, map[string]any{"jkt": key.thumbprint()}, claimsOf(t, bound.AccessToken)["cnf"])

	_, _, err = o.request("orders-app", apiResource, "orders:read", proof)
	require.ErrorContains(t, err, "invalid_grant", "a proof is for one request")
	elsewhere := key.proof(http.MethodPost, o.issuer+"/token/introspection", map[string]any{"nonce": nonce})
	_, _, err = o.request("orders-app", apiResource, "orders:read", elsewhere)
	require.ErrorContains(t, err, "invalid_dpop_proof")
}

// The server knows an opaque token until the client that got it revokes it, also
// after a change of keys, and tells the sidecar alone.
func TestOAuthServerKnowsOpaqueTokens(t *testing.T) {
	t.Parallel()
	o := startOAuthServer(t)
	token, err := o.token("orders-app", opaqueResource, "orders:read orders:write")
	require.NoError(t, err)
	require.NotContains(t, token, ".")
	require.NoError(t, o.command("publish"))
	require.NoError(t, o.command("rotate"))

	known, err := o.introspect("sidecar", token)
	require.NoError(t, err)
	now := time.Now().Unix()
	assert.InDelta(t, now, known["iat"], 60)
	assert.InDelta(t, now+600, known["exp"], 60)
	delete(known, "iat")
	delete(known, "exp")
	assert.Equal(t, map[string]any{
		"active": true, "iss": o.issuer, "aud": opaqueResource, "client_id": "orders-app", "scope": "orders:read orders:write",
		"account_id": "acct-1", "token_type": "Bearer",
	}, known)

	inactive := map[string]any{"active": false}
	known, err = o.introspect("sites-app", token)
	require.NoError(t, err)
	assert.Equal(t, inactive, known, "asked by another client")

	require.ErrorContains(t, o.revoke("sites-app", token), "invalid_request", "it is not the client's own")
	require.NoError(t, o.revoke("orders-app", token))
	known, err = o.introspect("sidecar", token)
	require.NoError(t, err)
	assert.Equal(t, inactive, known)

	bound, err := o.boundToken(newProofKey(), "orders-app", opaqueResource, "orders:read")
	require.NoError(t, err)
	known, err = o.introspect("sidecar", bound)
	require.NoError(t, err)
	assert.Equal(t, "DPoP", known["token_type"])
	assert.Contains(t, known["cnf"], "jkt")
}

// proofKey is a client's key for DPoP proofs.
type proofKey struct{ signer *tokentest.Signer }

func newProofKey() proofKey { return proofKey{tokentest.Fresh("ES256", "")} }

// jwk returns the public key, and nothing but.
func (k proofKey) jwk() map[string]any {
	public := k.signer.JWK()
	return map[string]any{"kty": public["kty"], "crv": public["crv"], "x": public["x"], "y": public["y"]}
}

// thumbprint returns the key's name in cnf.jkt (RFC 7638): maps are marshalled in
// the order of their keys, as it asks.
func (k proofKey) thumbprint() string {
	b, _ := json.Marshal(k.jwk()) // these are strings
	sum := sha256.Sum256(b)
	return tokentest.Encode(sum[:])
}

// proof returns a DPoP proof for one request (RFC 9449 section 4.2), changed by
// further claims: nonce, ath, or what a test makes wrong.
func (k proofKey) proof(method, target string, change map[string]any) string {
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": target, "iat": time.Now().Unix()}
	maps.Copy(claims, change)
	return k.signer.Mint(tokentest.Spec{
		Header: map[string]any{"typ": "dpop+jwt", "jwk": k.jwk(), "kid": nil},
		Claims: claims,
	})
}

// boundToken gets a client a token that is bound to a key.
func (o *oauthServer) boundToken(key proofKey, client, resource, scope string) (string, error) {
	endpoint := o.issuer + "/token"
	_, nonce, err := o.request(client, resource, scope, key.proof(http.MethodPost, endpoint, nil))
	if err == nil {
		return "", errors.New("the OAuth server asked for no nonce")
	}
	g, _, err := o.request(client, resource, scope, key.proof(http.MethodPost, endpoint, map[string]any{"nonce": nonce}))
	return g.AccessToken, err
}
