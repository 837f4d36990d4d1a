package threats_test

import (
	"crypto/sha1" //nolint:gosec // RFC 6455 section 1.3 asks for it
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// edge is a contract of a thing and of a place where events come from.
const edge = `paths:
  /things:
    get: {operationId: listThings, responses: {"200": {description: all}}}
    post:
      operationId: addThing
      requestBody: {content: {application/json: {schema: {type: object}}}}
      responses: {"200": {description: added, content: {application/json: {schema: {type: object}}}}}
  /events:
    get: {operationId: readEvents, responses: {"200": {description: events}}}
`

// spoofable is a configuration in which header fields say who the caller is.
const spoofable = `headers: {reserved: [X-User-Id]}
gateway: {present: true, request_id_header: X-Request-Id, proof: {peers: [10.0.0.0/8]}}
credential: {kind: identity_headers, headers: {client: X-Client-Id, principal: X-Person-Id, scopes: X-Scope-List}}
insecure_fail_open: []
operations: {readEvents: {upgrade: [websocket]}, listThings: {controls: {path.gateway: off}}, addThing: {controls: {path.gateway: off}}}
`

// spoof is a value that must not come through where in.hdr enforces.
const spoof = "someone-else"

// counts tells how often a text is among the values, or the announced trailer fields.
func (r *received) counts(text string) int {
	n := 0
	for _, values := range r.header {
		for _, v := range values {
			if v == text {
				n++
			}
		}
	}
	return n
}

// TestThreatSpoofedIdentityHeaders sends every field by which the sidecar, the gateway or
// the backend may be told who the caller is, in each spelling that some server takes for
// it: where in.hdr enforces, the backend sees the true value alone, or nothing.
func TestThreatSpoofedIdentityHeaders(t *testing.T) {
	t.Parallel()
	worlds := both(t, plan{contract: document("3.0.3", edge), settings: spoofable})
	for _, name := range []string{"X-Client-Id", "X-Person-Id", "X-Scope-List", "X-User-Id"} {
		reserved := name == "X-User-Id"
		under, half := strings.ReplaceAll(name, "-", "_"), strings.Replace(name, "-", "_", 1)
		for _, c := range []struct {
			name   string
			header []string
			reason policy.Reason
		}{
			{"underscores", []string{name + ": true-value", under + ": " + spoof}, policy.HeaderSpelling},
			{"underscores alone", []string{under + ": " + spoof}, policy.HeaderSpelling},
			{"half", []string{half + ": " + spoof, name + ": true-value"}, policy.HeaderSpelling},
			{"lower case", []string{strings.ToLower(under) + ": " + spoof, strings.ToLower(name) + ": true-value"}, policy.HeaderSpelling},
			{"twice, before", []string{name + ": " + spoof, name + ": true-value"}, policy.HeaderDuplicate},
			{"twice, behind", []string{strings.ToLower(name) + ": true-value", name + ": " + spoof}, policy.HeaderDuplicate},
			{"in Connection", []string{name + ": true-value", "Connection: keep-alive, " + strings.ToLower(under)}, policy.HeaderConnection},
			{"as a trailer", []string{"Trailer: " + name}, policy.HeaderTrailer},
		} {
			m := message{name: name + " " + c.name, method: http.MethodGet, target: "/things", header: c.header}
			if c.reason == policy.HeaderTrailer {
				m = message{name: m.name, target: "/things", header: append(typed("application/json"), c.header...), body: "{}", chunked: true, trailer: name + ": " + spoof}
			}
			want := c.reason
			if reserved && want != policy.HeaderConnection && want != policy.HeaderTrailer {
				want = policy.HeaderReserved
			}
			spoofed(t, worlds, m, want, reserved)
		}
	}
}

// spoofed sends one message with a spoofed field in both modes.
func spoofed(t *testing.T, worlds map[policy.Mode]*world, m message, reason policy.Reason, reserved bool) {
	t.Helper()
	for mode, w := range worlds {
		a, got, seen := w.meets(t, m)
		f, judged := seen.decision.Find(policy.InHdr)
		require.True(t, judged, m.name)
		assert.Equal(t, reason, f.Verdict.Reason, "%s, %s", mode, m.name)
		if mode == policy.Shadow {
			assert.Equal(t, http.StatusOK, a.status, m.name)
			require.Len(t, got, 1, m.name)
			assert.Zero(t, seen.outcome.Stripped, m.name)
			if reason == policy.HeaderTrailer {
				assert.Len(t, got[0].header["Trailer"], 1, "%s: announced as a bare proxy does", m.name)
			}
			continue
		}
		if len(got) == 0 {
			assert.Equal(t, http.StatusBadRequest, a.status, m.name)
			assert.Equal(t, policy.Blocked, seen.outcome.Disposition, m.name)
			assert.Contains(t, []policy.Reason{policy.HeaderConnection, policy.HeaderDuplicate}, reason, m.name)
			continue
		}
		assert.Equal(t, http.StatusOK, a.status, "%s: %s", m.name, a.body)
		assert.Equal(t, policy.Allowed, seen.outcome.Disposition, m.name)
		assert.Positive(t, seen.outcome.Stripped, m.name)
		assert.Zero(t, got[0].counts(spoof), "%s: %v", m.name, got[0].header)
		assert.NotContains(t, got[0].header, "Trailer", m.name)
		truth := strings.Count(strings.Join(m.header, "\n"), "true-value")
		if reserved {
			truth = 0
		}
		assert.Equal(t, truth, got[0].counts("true-value"), "%s: %v", m.name, got[0].header)
	}
}

// A name with a space behind it is no name (RFC 9112 section 5.1).
func TestThreatSpoofedIdentityHeaderWithASpace(t *testing.T) {
	t.Parallel()
	for mode, w := range both(t, plan{contract: document("3.0.3", edge), settings: spoofable}) {
		m := message{method: http.MethodGet, target: "/things", header: []string{"X-User-Id : " + spoof}}
		assert.Equal(t, http.StatusBadRequest, w.client(t).send(t, m, whole).status, mode)
		got, seen := w.take(t, 1)
		assert.Empty(t, got, mode)
		f, _ := seen[0].decision.Find(policy.InFrame)
		assert.Equal(t, policy.FrameFieldName, f.Verdict.Reason, mode)
	}
}

// TestThreatRemovingTrustedHeaders names in Connection what others rely on: a proxy takes
// it away as the client asks (RFC 9110 section 7.6.1), and the backend misses it.
func TestThreatRemovingTrustedHeaders(t *testing.T) {
	t.Parallel()
	settings := spoofable + "account: {rules: [{in: header, name: X-Account-Id}]}\n"
	worlds := both(t, plan{contract: document("3.0.3", edge), settings: settings})
	trusted := []string{"X-Account-Id: a", "X-Forwarded-For: 192.0.2.1", "Authorization: Bearer t", "X-Client-Id: c", "X-Request-Id: r"}
	for _, connection := range []string{
		"close, X-Account-Id, x-forwarded-for, Authorization", "X-ACCOUNT-ID", "x-forwarded-for", "X-Forwarded-Anything", "Forwarded", "X-Real-IP",
		"aUTHORIZATION", " ,\tx-client-id ,", "X_Client_Id", "X-User-Id", "x-request-id", "Content-Type", "content-length", "Transfer-Encoding", "Host",
		"Cookie", "keep-alive\r\nConnection: X-Client-Id",
	} {
		m := message{name: connection, method: http.MethodGet, target: "/things", header: append([]string{"Connection: " + connection}, trusted...)}
		for mode, w := range worlds {
			a, got, seen := w.meets(t, m)
			f, _ := seen.decision.Find(policy.InHdr)
			assert.Equal(t, policy.HeaderConnection, f.Verdict.Reason, "%s, %q", mode, connection)
			if mode == policy.Shadow {
				assert.Equal(t, http.StatusOK, a.status, connection)
				assert.Equal(t, policy.WouldBlock, seen.outcome.Disposition, connection)
				continue
			}
			assert.Equal(t, http.StatusBadRequest, a.status, connection)
			assert.Contains(t, a.body, `"code":"header-connection"`, connection)
			assert.Empty(t, got, connection)
		}
	}
	for _, connection := range []string{"close", "keep-alive", "TE", "keep-alive, x-mine", "HTTP2-Settings", ","} {
		m := message{name: connection, method: http.MethodGet, target: "/things", header: append([]string{"Connection: " + connection}, trusted...)}
		for mode, w := range worlds {
			a, got, seen := w.meets(t, m)
			assert.Equal(t, http.StatusOK, a.status, "%s, %q", mode, connection)
			assert.Equal(t, policy.Allowed, seen.outcome.Disposition, "%s, %q", mode, connection)
			require.Len(t, got, 1)
			for _, line := range trusted {
				name, value, _ := strings.Cut(line, ": ")
				assert.Equal(t, []string{value}, got[0].header[http.CanonicalHeaderKey(name)], "%s, %q: %s", mode, connection, name)
			}
		}
	}
}

// agreeing is a backend that becomes whatever it is asked to, and echoes.
func agreeing(heard chan<- string) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		upgrade := r.Header.Get("Upgrade")
		if upgrade == "" {
			rw.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(rw, `{}`)
			return
		}
		c, buffered, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // as above
		_, _ = fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\nSec-WebSocket-Accept: %s\r\n\r\n",
			upgrade, base64.StdEncoding.EncodeToString(sum[:]))
		all, _ := io.ReadAll(io.TeeReader(buffered, c))
		heard <- string(all)
	}
}

// TestThreatUpgradeTunnel asks for a connection that nobody looks into (h2c smuggling; RFC
// 9931). Where in.hdr enforces, the backend is not asked, and what follows the head is the
// next request of the client, judged as such.
func TestThreatUpgradeTunnel(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 1)
	settings := "operations: {readEvents: {upgrade: [websocket]}}\n"
	worlds := both(t, plan{contract: document("3.0.3", edge), settings: settings, answer: agreeing(heard)})
	const smuggled = "GET /internal/admin HTTP/1.1\r\nHost: api.example.net\r\nConnection: close\r\n\r\n"
	for name, head := range map[string]string{
		"h2c":                        "GET /things HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
		"websocket":                  "GET /things HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n\r\n",
		"h2c where websocket may be": "GET /events HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
		"both of them":               "GET /events HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket, h2c\r\n\r\n",
	} {
		_, in := proxytest.Dial(t, worlds[policy.Enforce].addr, head+smuggled)
		for _, want := range []int{200, 404} {
			resp, err := http.ReadResponse(in, nil)
			require.NoError(t, err, name)
			_, err = io.Copy(io.Discard, resp.Body)
			require.NoError(t, err, name)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, want, resp.StatusCode, name)
		}
		got, seen := worlds[policy.Enforce].take(t, 2)
		f, _ := seen[0].decision.Find(policy.InHdr)
		assert.Equal(t, policy.HeaderUpgrade, f.Verdict.Reason, name)
		require.Len(t, got, 1, name)
		for _, r := range got {
			assert.NotContains(t, r.header, "Upgrade", name)
			assert.NotContains(t, r.header, "Connection", name)
			assert.NotContains(t, r.header, "Http2-Settings", name)
		}

		// What comes with the head net/http has read already, and a bare proxy loses it.
		c, in := proxytest.Dial(t, worlds[policy.Shadow].addr, head)
		resp, err := http.ReadResponse(in, nil)
		require.NoError(t, err, name)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode, "%s: shadow changes nothing", name)
		_, err = io.WriteString(c, smuggled)
		require.NoError(t, err)
		require.NoError(t, c.CloseWrite())
		assert.Equal(t, smuggled, <-heard, name)
		_, seen = worlds[policy.Shadow].take(t, 1)
		f, _ = seen[0].decision.Find(policy.InHdr)
		assert.Equal(t, policy.HeaderUpgrade, f.Verdict.Reason, name)
		assert.Equal(t, policy.ClassUpgrade, seen[0].outcome.Class, name)
	}
}

// A WebSocket works where the operation says so: nothing holds it, what it carries is not
// changed, and it is told once, when it has ended.
func TestThreatUpgradeThatIsAllowed(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 1)
	settings := "operations: {readEvents: {upgrade: [websocket]}}\n"
	for mode, w := range both(t, plan{contract: document("3.0.3", edge), settings: settings, answer: agreeing(heard)}) {
		c, in := proxytest.Dial(t, w.addr, "GET /events HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		resp, err := http.ReadResponse(in, nil)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode, mode)
		assert.Equal(t, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", resp.Header.Get("Sec-WebSocket-Accept"), "the example of RFC 6455 section 1.3")
		frame := "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58" // "Hello", masked: RFC 6455 section 5.7
		for range 3 {
			_, err = io.WriteString(c, frame)
			require.NoError(t, err)
			echo := make([]byte, len(frame))
			_, err = io.ReadFull(in, echo)
			require.NoError(t, err)
			assert.Equal(t, frame, string(echo), mode)
		}
		w.mu.Lock()
		assert.Empty(t, w.seen, "%s: not before its end", mode)
		w.mu.Unlock()
		require.NoError(t, c.CloseWrite())
		assert.Equal(t, strings.Repeat(frame, 3), <-heard)
		got, seen := w.take(t, 1)
		require.Len(t, got, 1)
		assert.Equal(t, []string{"WebSocket"}, got[0].header["Upgrade"])
		assert.Equal(t, policy.Allowed, seen[0].outcome.Disposition, mode)
		assert.Equal(t, policy.ClassUpgrade, seen[0].outcome.Class, mode)
		for _, f := range seen[0].decision.Findings {
			assert.True(t, f.Verdict.Passes(), "%s: %s %s", mode, f.Rule.Control, f.Verdict.Reason)
		}
	}
}

// TestThreatOverridingHeaders asks frameworks for another path or method than the one that
// is judged.
func TestThreatOverridingHeaders(t *testing.T) {
	t.Parallel()
	settings := "headers: {pass: [X-HTTP-Method]}\n"
	for mode, w := range both(t, plan{contract: document("3.0.3", edge), settings: settings}) {
		for _, c := range []struct {
			line, key string
			reason    policy.Reason
		}{
			{"X-Original-URL: /admin", "X-Original-Url", policy.HeaderOverride},
			{"x_rewrite_url: /admin", "X_rewrite_url", policy.HeaderOverride},
			{"X-HTTP-Method-Override: DELETE", "X-Http-Method-Override", policy.HeaderOverride},
			{"X-Method_Override: DELETE", "X-Method_override", policy.HeaderOverride},
			{"X_HTTP_Method: DELETE", "X_http_method", policy.HeaderOverride},
			{"X-HTTP-Method: DELETE", "X-Http-Method", ""},
			{"X-Forwarded-Prefix: /admin", "X-Forwarded-Prefix", policy.HeaderForwarding},
			{"X-Real-IP: 127.0.0.1", "X-Real-Ip", policy.HeaderForwarding},
			{"X-Forwarded_For: 127.0.0.1", "X-Forwarded_for", policy.HeaderForwarding},
		} {
			a, got, seen := w.meets(t, message{name: c.line, method: http.MethodGet, target: "/things", header: []string{c.line, "X-Mine: 1"}})
			assert.Equal(t, http.StatusOK, a.status, "%s, %s", mode, c.line)
			f, _ := seen.decision.Find(policy.InHdr)
			assert.Equal(t, c.reason, f.Verdict.Reason, "%s, %s", mode, c.line)
			assert.Equal(t, policy.Allowed, seen.outcome.Disposition, "%s, %s", mode, c.line)
			require.Len(t, got, 1)
			_, arrived := got[0].header[c.key]
			assert.Equal(t, mode == policy.Shadow || c.reason == "", arrived, "%s, %s", mode, c.line)
			assert.Equal(t, []string{"1"}, got[0].header["X-Mine"], "%s: nothing else is taken", c.line)
		}
	}
}
