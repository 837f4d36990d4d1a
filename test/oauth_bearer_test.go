package test_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a real server issues is permitted, and what it issued for another purpose,
// or somebody changed, is refused: by the control that is for it, and no other.
func TestOAuthServerBearerTokens(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t)
	w.serve(trust)
	stranger := startOAuthServer(t)

	rsa := w.get("rsa", "orders-app", apiResource, "orders:read")
	w.get("ec", "sites-app", apiResource, "orders:read orders:write")
	w.get("elsewhere", "orders-app", otherResource, "orders:read")
	w.get("lasting", "lasting-app", apiResource, "orders:read")
	w.get("opaque", "orders-app", opaqueResource, "orders:read")
	foreign, err := stranger.token("orders-app", apiResource, "orders:read")
	require.NoError(t, err)
	w.tokens["foreign"] = foreign
	w.tokens["changed"] = withClaim(t, rsa, "account_id", "acct-2")
	w.tokens["passed-off"] = withClaim(t, foreign, "iss", w.server.issuer)
	w.tokens["unsigned"] = rsa[:strings.LastIndexByte(rsa, '.')+1]

	w.allows("GET /v1/accounts/acct-1/orders/o-1 -t rsa")
	w.allows("GET /v1/accounts/acct-1/orders/o-1 -t rsa") // from the cache
	w.allows("GET /v1/accounts/acct-2/orders/o-1 -t ec")
	w.allows(`POST /v1/accounts/acct-2/orders -t ec -d {"product":"port"}`)

	const mine = "GET /v1/accounts/acct-1/orders/o-1"
	w.refuses("tok.present", "credential-missing", http.StatusUnauthorized, mine)
	w.refuses("tok.aud", "token-audience", http.StatusUnauthorized, mine+" -t elsewhere")
	w.refuses("tok.ttl", "token-lifetime", http.StatusUnauthorized, mine+" -t lasting")
	w.refuses("tok.iss", "issuer-unknown", http.StatusUnauthorized, mine+" -t foreign")
	w.refuses("tok.sig", "key-unknown", http.StatusUnauthorized, mine+" -t passed-off")
	w.refuses("tok.sig", "token-malformed", http.StatusUnauthorized, mine+" -t opaque")
	w.refuses("tok.sig", "token-signature", http.StatusUnauthorized, "GET /v1/accounts/acct-2/orders/o-1 -t changed")
	w.refuses("tok.sig", "token-malformed", http.StatusUnauthorized, mine+" -t unsigned")
	w.refuses("az.account", "account-not-in-token", http.StatusForbidden, "GET /v1/accounts/acct-2/orders/o-1 -t rsa")
	w.refuses("az.scope", "scope-missing", http.StatusForbidden, `POST /v1/accounts/acct-1/orders -t rsa -d {"product":"port"}`)
}

// A token that was permitted, and is therefore known, ends when it says so.
func TestOAuthServerTokenExpires(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t)
	w.serve(trust)
	w.get("brief", "brief-app", apiResource, "orders:read")
	w.allows("GET /v1/sites -t brief")
	again, err := w.parse(nil, strings.Fields("GET /v1/sites -t brief"))
	require.NoError(t, err)
	require.NoError(t, eventually(func() error {
		answer, err := w.do("enforce", again)
		if err == nil && answer.status != http.StatusUnauthorized {
			err = fmt.Errorf("the answer is %d, want %d", answer.status, http.StatusUnauthorized)
		}
		return err
	}))
	w.refuses("tok.time", "token-expired", http.StatusUnauthorized, "GET /v1/sites -t brief")
}

// withClaim returns a token with another value of a claim and the old signature.
func withClaim(t *testing.T, token, name string, value any) string {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	claims := claimsOf(t, token)
	require.Contains(t, claims, name)
	claims[name] = value
	b, err := json.Marshal(claims)
	require.NoError(t, err)
	parts[1] = base64.RawURLEncoding.EncodeToString(b)
	return strings.Join(parts, ".")
}

// claimsOf and headerOf return what a JWT says, unverified.
func claimsOf(t *testing.T, token string) map[string]any { return segment(t, token, 1) }

func headerOf(t *testing.T, token string) map[string]any { return segment(t, token, 0) }

func segment(t *testing.T, token string, n int) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	b, err := base64.RawURLEncoding.DecodeString(parts[n])
	require.NoError(t, err)
	var members map[string]any
	require.NoError(t, json.Unmarshal(b, &members))
	return members
}
