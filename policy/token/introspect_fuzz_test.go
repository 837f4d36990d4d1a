package token_test

import (
	"bytes"
	stdjson "encoding/json"
	"net/http"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
)

// FuzzIntrospection: whatever an endpoint answers, a token proves itself only if the
// answer is one JSON object in valid UTF-8 that says that the token is active, and is
// not of another issuer; and what is read of it is what another parser reads.
func FuzzIntrospection(f *testing.F) {
	good, err := stdjson.Marshal(opaque(epoch, nil))
	require.NoError(f, err)
	for _, body := range []string{
		string(good), `{"active":false}`, `{"active":true}`, `{"active":true,"active":false}`, `{"active":"true"}`, `{"Active":true}`,
		`{"active":true,"iss":null}`, `{"active":true,"iss":"https://elsewhere"}`, `{"active":true}x`, `[true]`, ``, `{"active":true,"exp":1e9}`,
		`{"\u0061ctive":true,"iss":"https:\/\/idp.example.net"}`, `{"active":true,"client_id":"` + "\xff" + `"}`, `{"active":true,"cnf":{"jkt":"x"}}`,
	} {
		f.Add(body, http.StatusOK)
	}
	f.Add(string(good), http.StatusInternalServerError)
	f.Fuzz(func(t *testing.T, body string, code int) {
		d := newDesk()
		w := askingWorld(t, opaqueIssuer(d))
		d.replace(func(*http.Request) (*http.Response, error) { return document(code, bytes.NewReader([]byte(body))), nil })
		r := bearer("opaque-1")
		a := w.authenticate(t, r)
		if a.Proof.Effect != policy.Permit {
			require.NotEmpty(t, a.Proof.Reason)
			require.False(t, a.Token.Revoked)
			return
		}
		require.Equal(t, http.StatusOK, code)
		require.LessOrEqual(t, len(body), 64<<10)
		require.True(t, utf8.ValidString(body))
		var said map[string]any
		require.NoError(t, stdjson.Unmarshal([]byte(body), &said), "proven by what is no object")
		require.Equal(t, true, said["active"], "proven although the issuer does not say so")
		if iss, ok := said["iss"]; ok {
			require.Equal(t, issuerName, iss, "proven by what is said of another issuer's token")
		}
		require.Equal(t, issuerName, a.Identity.Issuer)
		if client, ok := said["client_id"].(string); ok {
			require.Equal(t, client, a.Identity.Client)
		}
		require.True(t, a.Token.Introspected)
		require.Equal(t, policy.Permitted(), *a.Active)
	})
}
