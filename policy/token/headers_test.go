package token_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/policytest"
	"github.com/sidewarden/sidewarden/policy/token"
)

func newHeaders(t testing.TB) *token.Headers {
	t.Helper()
	h, err := token.NewHeaders(token.HeaderOptions{
		Gateway: bySecret(t), Issuer: "gateway",
		Client: "x-client-id", Principal: "X-Principal", Accounts: "X-Account-Id", Scopes: "X-Scopes",
	})
	require.NoError(t, err)
	return h
}

// asserts is a request with the proof and with headers, as "Name: value".
func asserts(lines ...string) *policy.Request {
	r := shows(proofSecret)
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func TestIdentityHeaders(t *testing.T) {
	t.Parallel()
	client := "X-Client-Id: app-1"
	for _, c := range []struct {
		rule  string
		lines []string
		want  policy.Identity
	}{
		{"a client alone", []string{client}, policy.Identity{Client: "app-1"}},
		{"everything", []string{client, "X-Principal: svc@example.net", "X-Account-Id: acct-1, acct-2", "X-Scopes: a:read,b:write"}, policy.Identity{
			Client: "app-1", Principal: "svc@example.net", Accounts: []string{"acct-1", "acct-2"}, Scopes: []string{"a:read", "b:write"},
		}},
		{"scopes with spaces between them", []string{client, "X-Scopes: a:read  b:write\tc, d"}, policy.Identity{Client: "app-1", Scopes: []string{"a:read", "b:write", "c", "d"}}},
		{"a client that is a URI", []string{"X-Client-Id: https://app.example.net/1"}, policy.Identity{Client: "https://app.example.net/1"}},
		{"nothing is unescaped", []string{client, "X-Account-Id: acct%2C1"}, policy.Identity{Client: "app-1", Accounts: []string{"acct%2C1"}}},
		{"the longest id", []string{"X-Client-Id: " + strings.Repeat("x", 256)}, policy.Identity{Client: strings.Repeat("x", 256)}},
		{"an account twice", []string{client, "X-Account-Id: a,a"}, policy.Identity{Client: "app-1", Accounts: []string{"a", "a"}}},
		{"other headers do not count", []string{client, "X-Client: app-2", "X-Client-Idd: app-2"}, policy.Identity{Client: "app-1"}},
	} {
		c.want.Issuer = "gateway"
		got := newHeaders(t).Authenticate(t.Context(), asserts(c.lines...))
		assert.Equal(t, policy.Authentication{Proof: policy.Permitted(), Identity: &c.want}, got, c.rule)
	}
}

// What can be read in two ways is read in none: there is no identity, and
// tok.present says why.
func TestWhatIsNoIdentity(t *testing.T) {
	t.Parallel()
	client := "X-Client-Id: app-1"
	for _, c := range []struct {
		rule  string
		lines []string
		want  policy.Reason
		part  string
	}{
		{"no header", nil, policy.CredentialMissing, ""},
		{"a repeated client", []string{client, "X-Client-Id: app-2"}, policy.CredentialDuplicate, "client"},
		{"an equal repeated client", []string{client, client}, policy.CredentialDuplicate, "client"},
		{"a client in another spelling", []string{client, "X_Client_Id: app-2"}, policy.CredentialDuplicate, "client"},
		{"a client in another spelling alone", []string{"X-Client_Id: app-2"}, policy.CredentialDuplicate, "client"},
		{"repeated accounts", []string{client, "X-Account-Id: acct-1", "X-Account-Id: acct-2"}, policy.CredentialDuplicate, "accounts"},
		{"repeated scopes", []string{client, "X-Scopes: a", "X-Scopes: b"}, policy.CredentialDuplicate, "scopes"},
		{"a repeated principal", []string{client, "X-Principal: a", "X-Principal: b"}, policy.CredentialDuplicate, "principal"},
		{"accounts of nobody", []string{"X-Account-Id: acct-1"}, policy.CredentialMalformed, "client"},
		{"an empty client", []string{"X-Client-Id: "}, policy.CredentialMalformed, "client"},
		{"two clients in one field", []string{"X-Client-Id: app-1,app-2"}, policy.CredentialMalformed, "client"},
		{"a client with a space", []string{"X-Client-Id: app 1"}, policy.CredentialMalformed, "client"},
		{"a quoted client", []string{`X-Client-Id: "app-1"`}, policy.CredentialMalformed, "client"},
		{"a client with parameters", []string{"X-Client-Id: app-1;admin"}, policy.CredentialMalformed, "client"},
		{"a client that is not ASCII", []string{"X-Client-Id: äpp"}, policy.CredentialMalformed, "client"},
		{"a client with a control character", []string{"X-Client-Id: app\x00"}, policy.CredentialMalformed, "client"},
		{"a client that is too long", []string{"X-Client-Id: " + strings.Repeat("x", 257)}, policy.CredentialMalformed, "client"},
		{"empty accounts", []string{client, "X-Account-Id: "}, policy.CredentialMalformed, "accounts"},
		{"an empty account among others", []string{client, "X-Account-Id: a,,b"}, policy.CredentialMalformed, "accounts"},
		{"a comma at the end", []string{client, "X-Account-Id: a,"}, policy.CredentialMalformed, "accounts"},
		{"accounts with spaces between them", []string{client, "X-Account-Id: a b"}, policy.CredentialMalformed, "accounts"},
		{"accounts as JSON", []string{client, `X-Account-Id: ["a"]`}, policy.CredentialMalformed, "accounts"},
		{"an account that is too long", []string{client, "X-Account-Id: a," + strings.Repeat("x", 257)}, policy.CredentialMalformed, "accounts"},
		{"accounts that are too long together", []string{client, "X-Account-Id: " + strings.Repeat("a,", 16<<10) + "a"}, policy.CredentialMalformed, "accounts"},
		{"an empty scope", []string{client, "X-Scopes: a, ,b"}, policy.CredentialMalformed, "scopes"},
		{"scopes that a no-break space separates", []string{client, "X-Scopes: a\u00a0b"}, policy.CredentialMalformed, "scopes"},
	} {
		r := asserts(c.lines...)
		r.Auth = newHeaders(t).Authenticate(t.Context(), r)
		assert.Nil(t, r.Auth.Identity, c.rule)
		assert.Nil(t, r.Auth.Claimed, c.rule)
		assert.Equal(t, policy.Denied(c.want, c.part), token.Present{}.Check(t.Context(), r), c.rule)
		v, missing := r.Auth.Missing()
		assert.True(t, missing, c.rule)
		assert.Equal(t, policy.UndecidedBy(policy.TokPresent), v, c.rule)
		policytest.Run(t, token.Present{}, r)
	}
}

// Without the proof of the gateway, headers say nothing of who asks: everything
// that needs the caller is undecided by path.gateway.
func TestIdentityHeadersNeedTheProofOfTheGateway(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule   string
		proofs []string
		want   policy.Reason
	}{
		{"none", nil, policy.GatewayProofMissing},
		{"a guess", []string{"guess"}, policy.GatewayProofMismatch},
		{"two", []string{proofSecret, proofSecret}, policy.GatewayProofDuplicate},
	} {
		r := asserts("X-Client-Id: app-1", "X-Account-Id: acct-1")
		delete(r.Header, proofHeader)
		if c.proofs != nil {
			r.Header[proofHeader] = c.proofs
		}
		r.Auth = newHeaders(t).Authenticate(t.Context(), r)
		assert.Nil(t, r.Auth.Identity, c.rule)
		assert.Equal(t, c.want, r.Auth.Proof.Reason, c.rule)
		assert.Equal(t, &policy.Identity{Issuer: "gateway", Client: "app-1", Accounts: []string{"acct-1"}}, r.Auth.Claimed, c.rule)
		v, missing := r.Auth.Missing()
		assert.True(t, missing, c.rule)
		assert.Equal(t, policy.UndecidedBy(policy.PathGateway), v, c.rule)
		assert.Equal(t, policy.UndecidedBy(policy.PathGateway), token.Present{}.Check(t.Context(), r), c.rule)
	}
}

func TestHeadersThatAreNotToldApartAreNotMade(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule string
		o    token.HeaderOptions
		want string
	}{
		{"no proof", token.HeaderOptions{Client: "X-Client-Id"}, "without a proof of the gateway"},
		{"no client", token.HeaderOptions{Gateway: bySecret(t), Accounts: "X-Account-Id"}, "the header with the client is not named"},
		{"one header for two parts", token.HeaderOptions{Gateway: bySecret(t), Client: "X-Id", Accounts: "x_id"}, "one header is named for client and for accounts"},
	} {
		_, err := token.NewHeaders(c.o)
		require.ErrorContains(t, err, c.want, c.rule)
	}
}

// FuzzIdentityHeaders: an identity has exactly what single, well-formed fields say.
func FuzzIdentityHeaders(f *testing.F) {
	f.Add("app-1", "", "acct-1, acct-2", "a b", "X-Other", "x")
	f.Add("app-1", "svc", "acct-1", "a,b", "X-Client-Id", "app-2")
	f.Add("app-1,app-2", "", "a,,b", "", "X_client_id", "app-2")
	f.Add(strings.Repeat("x", 300), "\"q\"", "\xff", "\u00a0", "X-Account_id", "")
	h := newHeaders(f)
	f.Fuzz(func(t *testing.T, client, principal, accounts, scopes, name, value string) {
		r := shows(proofSecret)
		for header, v := range map[string]string{"X-Client-Id": client, "X-Principal": principal, "X-Account-Id": accounts, "X-Scopes": scopes} {
			if v != "" {
				r.Header[header] = []string{v}
			}
		}
		name = http.CanonicalHeaderKey(name)
		if name == proofHeader {
			return
		}
		r.Header[name] = append(r.Header[name], value)
		a := h.Authenticate(t.Context(), r)
		if (a.Identity != nil) != (a.Proof.Effect == policy.Permit) {
			t.Fatalf("identity %v with proof %v", a.Identity, a.Proof)
		}
		if a.Identity == nil {
			return
		}
		for _, field := range []string{"X-Client-Id", "X-Principal", "X-Account-Id", "X-Scopes"} {
			seen := 0
			for other, values := range r.Header {
				if strings.EqualFold(strings.ReplaceAll(other, "_", "-"), field) {
					seen += len(values)
				}
			}
			if seen > 1 {
				t.Fatalf("an identity from %d fields %s", seen, field)
			}
		}
		if got := r.Header["X-Client-Id"]; len(got) != 1 || got[0] != a.Identity.Client {
			t.Fatalf("client %q from %q", a.Identity.Client, got)
		}
		ids := slices.Concat([]string{a.Identity.Client}, a.Identity.Accounts, a.Identity.Scopes)
		if p := r.Header["X-Principal"]; len(p) == 1 {
			ids = append(ids, a.Identity.Principal)
		}
		for _, id := range ids {
			if id == "" || len(id) > 256 || strings.ContainsAny(id, " \t\r\n,;\"\\") || strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' }) {
				t.Fatalf("the id %q", id)
			}
		}
		if given := strings.Join(r.Header["X-Account-Id"], ""); given != "" && strings.Count(given, ",")+1 != len(a.Identity.Accounts) {
			t.Fatalf("%d accounts from %q", len(a.Identity.Accounts), given)
		}
	})
}
