package threats_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
	"github.com/sidewarden/sidewarden/proxy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// callers is a contract with an operation for proven callers, one for everybody, and one for
// both.
const callers = `openapi: 3.0.3
info: {title: T, version: '1'}
security: [{oauth: []}]
components:
  securitySchemes:
    oauth: {type: oauth2, flows: {clientCredentials: {tokenUrl: "https://idp.example.net/t", scopes: {}}}}
paths:
  /mine: {post: {operationId: mine, requestBody: {content: {text/plain: {}}}, responses: {'200': {description: ok}}}, get: {operationId: read, responses: {'200': {description: ok}}}}
  /anybody: {get: {operationId: anybody, security: [], responses: {'200': {description: ok}}}}
  /either: {get: {operationId: either, security: [{}, {oauth: []}], responses: {'200': {description: ok}}}}
`

// path is a sidecar between raw sockets: what comes and goes is bytes.
type path struct {
	addr    string
	backend *proxytest.Recorder
	witness witness
}

// newPath makes a sidecar of the contract callers and a whole configuration, without the
// lines that every one has.
func newPath(t *testing.T, settings string) *path {
	t.Helper()
	text := "version: 1\nproduct: threats\nlisten: {address: \"127.0.0.1:0\"}\nspec: {file: openapi.yaml}\n" + settings
	out, err := configured(t, map[string]string{
		"openapi.yaml": callers, "sidewarden.yaml": text, "keys.json": string(tokentest.JWKS(tokentest.EC())),
	})
	require.NoError(t, err)
	p := &path{backend: proxytest.Record(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")}
	p.addr = serveSidecar(t, proxy.New(options(t, out.Policy, &p.witness, p.backend.Addr)), &p.witness, nil)
	return p
}

// send sends bytes from an address and returns the status of the answer, what the backend
// got, and what was told.
func (p *path) send(t *testing.T, from, raw string) (status int, got []string, seen judged) {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := dialer.DialContext(t.Context(), "tcp", p.addr)
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	_, err = io.WriteString(c, raw)
	require.NoError(t, err)
	status = answered(t, bufio.NewReader(c), raw).status
	seen = p.witness.one(t, raw)
	return status, p.backend.Take(), seen
}

// get is a GET with lines of its header.
func get(target string, lines ...string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: api.example.net\r\nConnection: close\r\n" + strings.Join(append(lines, ""), "\r\n") + "\r\n"
}

// TestThreatClientAddress: a client is counted by the address that the nearest hop took it
// from. Whatever it writes itself is no fresh bucket, and neither is another spelling of its
// address, nor another address of its network of IPv6 (CVE-2024-24790; ASVS 15.3.4).
func TestThreatClientAddress(t *testing.T) {
	t.Parallel()
	const hop, stranger = "127.0.0.2", "127.0.0.3"
	for _, field := range []string{"X-Forwarded-For", "Forwarded"} {
		forms := map[string]string{"X-Forwarded-For": "%s: %s%s", "Forwarded": `%s: %sfor="%s"`}
		before := map[string][]string{
			"X-Forwarded-For": {"203.0.113.%d, ", "203.0.113.%d, unknown, ", "[2001:db8:%d::1]:1, ,", "10.0.0.%d\", "},
			"Forwarded":       {"for=203.0.113.%d, ", `for="203.0.113.%d, `, `for="[2001:db8:%d::1]", for=unknown, `, `for=10.0.0.%d;host="\", `},
		}[field]
		in := func(s string) string { // as the field has an address of IPv6
			if field == "Forwarded" && strings.Count(s, ":") > 1 {
				return "[" + s + "]"
			}
			return s
		}
		for _, mode := range modes() {
			t.Run(field+" "+mode.String(), func(t *testing.T) {
				t.Parallel()
				p := newPath(t, fmt.Sprintf(`backend: {url: "http://127.0.0.1:9"}
gateway: {present: true, forwarded: {peers: [%s/32], header: %s}}
mode: shadow
controls: {tok: "off", az: "off", rate: %s}
limits: [{name: address, key: [peer], rate: 1/h, burst: 3}]
`, hop, field, mode))
				n := 0
				meets := func(from, client string, denied bool) {
					t.Helper()
					n++
					line := fmt.Sprintf(forms[field], field, fmt.Sprintf(before[n%len(before)], n), in(client))
					status, got, seen := p.send(t, from, get("/anybody", line))
					f, judged := seen.decision.Find(policy.RateApp)
					require.True(t, judged)
					require.Equal(t, denied, f.Verdict.Effect == policy.Deny, "%s from %s", line, from)
					if denied && mode == policy.Enforce {
						assert.Equal(t, http.StatusTooManyRequests, status)
						assert.Empty(t, got)
						return
					}
					assert.Equal(t, http.StatusOK, status)
					require.Len(t, got, 1)
					assert.Contains(t, got[0], "\r\n"+line+"\r\n", "the backend reads what was sent")
				}
				for _, denied := range []bool{false, false, false, true, true} {
					meets(hop, "198.51.100.7", denied)
				}
				meets(hop, "::ffff:198.51.100.7", true)
				// Naming the field in Connection takes it from the backend, and not from us.
				_, _, seen := p.send(t, hop, get("/anybody", "Connection: "+field, fmt.Sprintf(forms[field], field, "", "198.51.100.7")))
				f, judged := seen.decision.Find(policy.RateApp)
				require.True(t, judged)
				assert.Equal(t, policy.RateExceeded, f.Verdict.Reason)
				meets(hop, "198.51.100.8", false)
				for i, denied := range []bool{false, false, false, true, true} {
					meets(hop, fmt.Sprintf("2001:db8:0:1:%x::1", i), denied)
				}
				meets(hop, "2001:db8:0:2::1", false)
				// Whoever is no hop is its own address, whatever it says.
				for i, denied := range []bool{false, false, false, true, true} {
					meets(stranger, fmt.Sprintf("198.51.100.%d", 100+i), denied)
				}
				meets(hop, "198.51.100.100", false)
			})
		}
	}
}

// identified are lines that introduce callers.
const identified = `backend: {url: "http://127.0.0.1:9", identity: {issuer: X-Verified-Issuer, client: X-Verified-Client, principal: X-Verified-Principal, accounts: X-Verified-Accounts, scopes: X-Verified-Scopes}}
mode: enforce
controls: {az: "off"}
`

const trusting = `token: {issuers: [{issuer: "https://idp.example.net", jwks_file: keys.json, audiences: [a]}]}
`

// verified returns the lines of a raw request that a backend may take for those that
// introduce the caller, sorted, and the announced trailers.
func verified(raw string) []string {
	var lines []string
	for line := range strings.SplitSeq(raw, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		plain := strings.ReplaceAll(strings.ToLower(line), "_", "-")
		if strings.HasPrefix(strings.ReplaceAll(strings.ToLower(name), "_", "-"), "x-verified-") ||
			strings.HasPrefix(plain, "trailer:") && strings.Contains(plain, "x-verified") {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

// TestThreatSpoofedIdentityTowardsBackend: of every field that introduces a caller the
// backend gets exactly one value, ours, or none, or no request at all, in whatever spelling
// the client sends its own (CVE-2026-30851, CVE-2026-33495; RFC 9700 section 4.13).
func TestThreatSpoofedIdentityTowardsBackend(t *testing.T) {
	t.Parallel()
	p := newPath(t, identified+trusting)
	change := map[string]any{
		"client_id": "app-1", "sub": "someone", "account_id": []string{"acct-1", "a,b\r\nX-Admin: 1"}, "scope": "orders:read orders:write",
	}
	token := tokentest.EC().Token(tokentest.Claims("https://idp.example.net", "a", time.Now(), change))
	ours := []string{
		"X-Verified-Accounts: acct-1,a%2Cb%0D%0AX-Admin:%201", "X-Verified-Client: app-1", "X-Verified-Issuer: https://idp.example.net",
		"X-Verified-Principal: someone", "X-Verified-Scopes: orders:read orders:write",
	}
	bearer := "Authorization: Bearer " + token
	spellings := [][]string{
		{"X-Verified-Client: root"},
		{"x-verified-client: root", "X-VERIFIED-ACCOUNTS: acct-9"},
		{"X_Verified_Client: root", "X-Verified_Accounts: acct-9"},
		{"X-Verified-Client: root", "X-Verified-Client: app-1"},
		{"X-Verified-Client:", "X-Verified-Principal: \t root \t"},
		{"Connection: X-Verified-Client, X-Verified-Accounts", "X-Verified-Client: root"},
		{"Trailer: X-Verified-Client"},
	}
	meets := func(name, raw string, want []string) {
		t.Helper()
		status, got, _ := p.send(t, "127.0.0.1", raw)
		if status != http.StatusOK {
			assert.Equal(t, http.StatusBadRequest, status, name)
			assert.Empty(t, got, name)
			return
		}
		require.Len(t, got, 1, name)
		assert.Equal(t, want, verified(got[0]), name)
		assert.NotContains(t, got[0], "\r\nX-Admin", name)
	}
	status, got, _ := p.send(t, "127.0.0.1", get("/mine", bearer))
	require.Equal(t, http.StatusOK, status, "what is not spoofed passes")
	require.Len(t, got, 1)
	require.Equal(t, ours, verified(got[0]))
	for _, spoofed := range spellings {
		name := strings.Join(spoofed, "; ")
		meets("before, "+name, get("/mine", append(slices.Clone(spoofed), bearer)...), ours)
		meets("behind, "+name, get("/mine", append([]string{bearer}, spoofed...)...), ours)
		meets("of everybody, "+name, get("/anybody", spoofed...), nil)
		meets("of everybody with a token, "+name, get("/anybody", append([]string{bearer}, spoofed...)...), nil)
		meets("of nobody, "+name, get("/either", spoofed...), nil)
		meets("of somebody, "+name, get("/either", append([]string{bearer}, spoofed...)...), ours)
	}
	meets("in a trailer", "POST /mine HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\nTrailer: X-Verified-Client\r\n"+
		bearer+"\r\n\r\n1\r\na\r\n0\r\nX-Verified-Client: root\r\n\r\n", ours)

	// Who is not proven is not introduced, and the plain request shows that the field counts.
	for name, change := range map[string]map[string]any{"expired": {"exp": time.Now().Add(-time.Hour).Unix(), "iat": time.Now().Add(-2 * time.Hour).Unix()}, "for another API": {"aud": "b"}} {
		token := tokentest.EC().Token(tokentest.Claims("https://idp.example.net", "a", time.Now(), change))
		status, got, _ := p.send(t, "127.0.0.1", get("/mine", "Authorization: Bearer "+token, "X-Verified-Client: root"))
		assert.Equal(t, http.StatusUnauthorized, status, name)
		assert.Empty(t, got, name)
	}
	plain := newPath(t, `backend: {url: "http://127.0.0.1:9"}
mode: shadow
`+trusting)
	_, got, _ = plain.send(t, "127.0.0.1", get("/mine", bearer, "X-Verified-Client: root"))
	require.Len(t, got, 1)
	assert.Equal(t, []string{"X-Verified-Client: root"}, verified(got[0]), "nothing is added or taken away where nothing is configured")
}
