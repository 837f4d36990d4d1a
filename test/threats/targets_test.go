package threats_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
)

// forms are targets that servers, caches and gateways read in different ways. @ stands
// for the path of an operation.
func forms() []string {
	return []string{
		"@", "@?", "@??", "@?a=b", "@?a=%zz&b;c", "@/", "@//", "@/.", "@/..", "@/./", "@/../", "@/x/..", "@/%2e", "@/%2e%2e", "@/.%2e", "@/%2E.",
		"/.@", "/./@", "/..@", "/../@", "/%2e@", "/%2e/@", "/%2e%2e/@", "/x/..@", "/x/../@", "/x/y/../..@", "/x/%2e%2e@", "/x/%2e%2e%2f@", "/x/..%2f@", "/x/..%5c@",
		`/x/..\@`, `\@`, `/\@`, "/@", "//@", "///@", "/%2f@", "/%5c@", "@%2f", "@%5c", "@%2f..", "@%2f..%2f..%2fadmin", "@/..%2f..%2fadmin", "@/..;/admin", "@;", "@;a=b", "@;/", "@;/../admin", "@%3b", "@%3b/..",
		"@#", "@#/admin", "@?#", "@?a#/../admin", "@%23", "@%3f", "@%3fa=b", "@%00", "@%00.html", "@%0a", "@%0d%0aX: y", "@%09", "@%20", "@+", "@%7f", "@%80", "@%ff", "@%c0%af", "@%c0%ae%c0%ae", "@%e0%80%af", "@%ef%bc%8f", "@%u002f", "@%u2215",
		"@%", "@%2", "@%zz", "@%252f", "@%252e%252e", "@%25%32%66", "@%25252f", "@%255c..", "@%2500", "@%25", "@%2520", "@%41", "@%7e", "@.", "@..", "@...", "@:80", "@@", "@'", `@"`, "@<", "@|", "@^", "@`", "@{}", "@[]", "@!$&'()*,=", "@\x80", "@é", "@\x7f",
		"http://api.example.net@", "HTTP://API.example.net@", "https://api.example.net@", "http://api.example.net:80@", "http://evil.example@", "http://api.example.net/@", "http://api.example.net/..@", "http://api.example.net//@",
		"http://u:p@api.example.net@", "http://api.example.net", "http://api.example.net?@", `http://api.example.net@"`, "http://api.example.net@#", "http:@", "http:/@", "http:///@", "x:@", "x:%2f@", "ftp://api.example.net@", "//api.example.net@", "//evil.example@", "*", "*@", "api.example.net:443", "@:443", ".@", "?@", "#@", "api.example.net@",
	}
}

// insertions are put before and behind every part of a path.
func insertions() []string {
	return []string{"%2f", "%2F", "%5c", "%2e%2e", "%252f", "//", "/./", "/../", ";x=", "%00", "%0a", "%ff", "%c0%af", `\`, "#", "%2e", "..;/", "%3b", "%2e%2e%2f"}
}

// confusing returns every target that is made of the path of an operation.
func confusing(path string) []string {
	var all []string
	for _, form := range forms() {
		if user := "http://u:p@"; strings.HasPrefix(form, user) { // its first @ is itself
			all = append(all, user+strings.ReplaceAll(form[len(user):], "@", path))
			continue
		}
		all = append(all, strings.ReplaceAll(form, "@", path))
	}
	for _, inserted := range insertions() {
		for i := range len(path) + 1 {
			if i == len(path) || path[i] == '/' || i > 0 && path[i-1] == '/' {
				all = append(all, path[:i]+inserted+path[i:])
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// inserted reports whether a target is a path with an insertion that nobody may read. Dots
// alone become part of a name.
func inserted(path, target string) bool {
	return slices.ContainsFunc(insertions(), func(insertion string) bool {
		before, after, found := strings.Cut(target, insertion)
		return found && insertion != "%2e" && insertion != "%2e%2e" && before+after == path
	})
}

// rewritten reports whether a bare proxy writes other bytes for a target: those that no
// URI has, which net/url escapes, and what it makes of a path with them.
func rewritten(target string) bool {
	return strings.ContainsFunc(target, func(r rune) bool { return r >= 0x7f || strings.ContainsRune("\"<>^`{|}#\\", r) })
}

// TestThreatPathConfusion: whatever stands in the target, it is refused or means the path
// that was judged, and then the backend gets it byte for byte.
func TestThreatPathConfusion(t *testing.T) {
	t.Parallel()
	refusals := []int{http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestURITooLong, http.StatusMisdirectedRequest}
	for path, plain := range map[string]int{"/api/secret/abc": http.StatusUnauthorized, "/api/open/abc": http.StatusOK} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			shadow, enforce := newGate(t, policy.Shadow, "", ""), newGate(t, policy.Enforce, "", "")
			unwatched := watching(t)
			proxied := bare(t, unwatched.Addr)
			targets := append(confusing(path), path+"?"+strings.Repeat("a", 9<<10))
			require.Greater(t, len(targets), 200)
			forwarded, same := 0, 0
			for _, target := range targets {
				wire := asking(http.MethodGet, target)
				s, e := shadow.ask(t, wire), enforce.ask(t, wire)
				exchange(t, proxied, wire)
				without := lines(unwatched.Take())
				if s.told == nil { // net/http refuses it in front of everybody
					assert.Nil(t, e.told, target)
					assert.Empty(t, without, target)
					assert.Equal(t, http.StatusBadRequest, e.status, target)
					continue
				}
				s.isJudged(t, wire)
				if !rewritten(target) && target != "*" { // SetURL of a bare proxy makes a path of an asterisk
					assert.Equal(t, without, s.arrived, "%s: shadow sends what a bare proxy sends", target)
				} else if strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "//") {
					assert.Equal(t, target, s.arrived[0].target, "shadow sends what was sent")
				}
				assert.Equal(t, s.reason(policy.InPath), e.reason(policy.InPath), target)
				assert.Equal(t, s.reason(policy.InRoute), e.reason(policy.InRoute), target)
				if inserted(path, target) {
					assert.Equal(t, http.StatusBadRequest, e.status, target)
					assert.NotEmpty(t, e.reason(policy.InPath), target)
				}
				if e.status == plain {
					same++
				} else {
					assert.Contains(t, refusals, e.status, target)
				}
				if len(e.arrived) > 0 {
					forwarded++
					e.isJudged(t, wire)
					assert.Equal(t, http.StatusOK, plain, "%s: a path without a token is not served", target)
					assert.Empty(t, e.reason(policy.InPath), target)
				}
			}
			assert.Greater(t, same, 10, "valid targets are not refused")
			assert.Equal(t, plain == http.StatusOK, forwarded > 10, forwarded)
		})
	}
}

// TestThreatCaseAndTrailingForms: a path in another case or with something at its end is
// another path, which the contract does not have.
func TestThreatCaseAndTrailingForms(t *testing.T) {
	t.Parallel()
	shadow, enforce := newGate(t, policy.Shadow, "", ""), newGate(t, policy.Enforce, "", "")
	for _, target := range []string{"/Admin", "/ADMIN", "/admin/", "/admin.", "/admin%20", "/admin+", "/admin.json", "/admin,", "/admin%2e", "/ad%6Din/", "/adm%C4%B1n"} {
		wire := asking(http.MethodGet, target)
		e := enforce.ask(t, wire)
		assert.Equal(t, http.StatusNotFound, e.status, target)
		assert.Empty(t, e.arrived, target)
		s := shadow.ask(t, wire)
		assert.Equal(t, policy.RouteUnknown, s.reason(policy.InRoute), target)
		s.isJudged(t, wire)
	}
	for _, target := range []string{"/admin", "/ad%6Din", "/%61%64%6d%69%6e", "/admin?"} {
		wire := asking(http.MethodGet, target)
		e := enforce.ask(t, wire)
		assert.Equal(t, http.StatusOK, e.status, "%s is the path of the contract", target)
		e.isJudged(t, wire)
	}
}

// TestThreatRouteSkip: no query, fragment or header field makes a request one that nobody
// asks for a token.
func TestThreatRouteSkip(t *testing.T) {
	t.Parallel()
	const seed, rounds = 7, 200
	r := rand.New(rand.NewPCG(seed, rounds))
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	open := []string{"/api/open/a", "/admin", "/health", "/healthz", "/metrics", "/favicon.ico", "/oauth2/callback", "/.well-known/x", "//admin", "/api/open/a/../x"}
	shadow, enforce := newGate(t, policy.Shadow, "", "health: [GET /health]\n"), newGate(t, policy.Enforce, "", "health: [GET /health]\n")
	for range rounds {
		target, fragment := "/api/secret/"+one("a", "b%20c", "%41", "open"), false
		if r.IntN(3) > 0 {
			target += "?" + one("", "a=", "next=", "url=", "rd=", "path=", "_path=", "x="+one(open...)+"&") + one(open...)
		}
		if fragment = r.IntN(5) == 0; fragment {
			target += "#" + one(open...)
		}
		fields := []string{"User-Agent: " + one("kube-probe/1.31", "GoogleHC/1.0", "ELB-HealthChecker/2.0", "curl/8", "Prometheus/3", one(open...))}
		for range r.IntN(4) {
			fields = append(fields, one("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "X-Forwarded-Prefix", "X-Forwarded-Path", "X-Auth-Request-Redirect", "Referer", "X-Envoy-Original-Path")+": "+one(open...))
		}
		if r.IntN(4) == 0 {
			fields = append(fields, one("X-HTTP-Method-Override: OPTIONS", "X-Forwarded-Method: HEAD", "Purpose: prefetch", "Sec-Fetch-Mode: navigate", "Upgrade-Insecure-Requests: 1", "Origin: https://app.example"))
		}
		wire := asking(http.MethodGet, target, fields...)
		e := enforce.ask(t, wire)
		want := http.StatusUnauthorized
		if fragment {
			want = http.StatusBadRequest
		}
		assert.Equal(t, want, e.status, "%q", wire)
		assert.Empty(t, e.arrived, "%q", wire)
		s := shadow.ask(t, wire)
		assert.Equal(t, policy.CredentialMissing, s.reason(policy.TokPresent), "%q", wire)
		s.isJudged(t, wire)
		if op := s.told.request.Match.Operation; op != nil {
			assert.Equal(t, "secret", op.ID, "%q", wire)
		} else {
			assert.True(t, fragment, "%q is for the operation", wire)
		}
	}
}

// TestThreatHealthIsNoHole: what looks like health, metrics or debugging is not served on
// the listener of requests, and what is named as the backend's health check is exactly that.
func TestThreatHealthIsNoHole(t *testing.T) {
	t.Parallel()
	const named = "health: [GET /up]\n"
	shadow, enforce := newGate(t, policy.Shadow, "", named), newGate(t, policy.Enforce, "", named)
	for _, target := range []string{
		"/healthz", "/readyz", "/livez", "/health", "/metrics", "/debug/pprof/", "/debug/vars", "/cells", "/config", "/exceptions", "/limits", "/census",
		"/up/", "/UP", "/up%20", "/u%70", "/up.", "/up?next=/api/secret/a", "/up/../api/secret/a", "/up/..%2fapi/secret/a", "/up;/api/secret/a", "//up", "/./up", "/up%00", "/up#", "/up%2f", "/api/secret/../../up",
	} {
		wire := asking(http.MethodGet, target)
		e := enforce.ask(t, wire)
		assert.Contains(t, []int{http.StatusNotFound, http.StatusBadRequest}, e.status, target)
		assert.Empty(t, e.arrived, target)
		s := shadow.ask(t, wire)
		assert.Equal(t, policy.WouldBlock, s.told.outcome.Disposition, target)
		assert.Equal(t, policy.RouteUnknown, s.reason(policy.InRoute), target)
		s.isJudged(t, wire)
	}
	for _, g := range []*gate{shadow, enforce} {
		wire := asking(http.MethodGet, "/up")
		up := g.ask(t, wire)
		assert.Equal(t, http.StatusOK, up.status)
		up.isJudged(t, wire)
	}
}

// TestThreatHostGames: a request is for one host, which is ours where ours are named.
func TestThreatHostGames(t *testing.T) {
	t.Parallel()
	const target = "/api/open/a"
	for _, c := range []struct {
		name, wire string
		want       int           // where ours are named
		any        policy.Reason // where none is named
	}{
		{"our host", asking("GET", target), 200, ""},
		{"with a port", "GET " + target + " HTTP/1.1\r\nHost: API.example.net:8443\r\n\r\n", 200, ""},
		{"an absolute target of our host", asking("GET", "http://api.example.net"+target), 200, ""},
		{"another host", "GET " + target + " HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421, ""},
		{"a host that ends with ours", "GET " + target + " HTTP/1.1\r\nHost: evil-api.example.net\r\n\r\n", 421, ""},
		{"a host below ours", "GET " + target + " HTTP/1.1\r\nHost: x.api.example.net\r\n\r\n", 421, ""},
		{"an absolute target of another host", asking("GET", "http://evil.example"+target), 400, policy.TargetForm},
		{"our absolute target, and another Host", "GET http://api.example.net" + target + " HTTP/1.1\r\nHost: evil.example\r\n\r\n", 400, policy.TargetForm},
		{"an empty host", "GET " + target + " HTTP/1.1\r\nHost:\r\n\r\n", 421, ""},
		{"no host", "GET " + target + " HTTP/1.0\r\n\r\n", 421, ""},
		{"an address", "GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 421, ""},
		{"an absolute target with a user", asking("GET", "http://api.example.net@evil.example"+target), 400, policy.HostMalformed},
		{"a host of two", "GET " + target + " HTTP/1.1\r\nHost: api.example.net,evil.example\r\n\r\n", 400, policy.HostMalformed},
		{"two ports", "GET " + target + " HTTP/1.1\r\nHost: api.example.net:80:80\r\n\r\n", 400, policy.HostMalformed},
		{"an escape", "GET " + target + " HTTP/1.1\r\nHost: api%2eexample.net\r\n\r\n", 400, policy.HostMalformed},
		{"a tunnel", "CONNECT api.example.net:443 HTTP/1.1\r\nHost: api.example.net:443\r\n\r\n", 400, policy.TargetForm},
	} {
		for _, mode := range modes() {
			for _, hosts := range []string{"", `api.example.net, "*.tenants.example.net"`} {
				g := newGate(t, mode, hosts, "")
				s := g.ask(t, c.wire)
				require.NotNil(t, s.told, c.name)
				refused := c.any != "" || hosts != "" && c.want != 200
				if mode == policy.Shadow || !refused {
					s.isJudgedHost(t, c.name, c.wire)
				} else {
					assert.Empty(t, s.arrived, c.name)
				}
				switch {
				case hosts == "":
					assert.Equal(t, c.any, s.reason(policy.InPath), c.name)
				case c.want == http.StatusMisdirectedRequest:
					assert.Equal(t, policy.HostUnknown, s.reason(policy.InPath), c.name)
				default:
					assert.Equal(t, refused, s.reason(policy.InPath) != "", c.name)
				}
				if want := c.want; mode == policy.Enforce && hosts != "" {
					assert.Equal(t, want, s.status, c.name)
				}
			}
		}
	}
	// What net/http refuses in front of everybody.
	for _, host := range []string{"Host: a@b", "Host: a b", "Host: a/b", "Host: api.example.net\r\nHost: evil.example", "Host: api.example.net\r\nHost: api.example.net"} {
		for _, mode := range modes() {
			g := newGate(t, mode, "", "")
			s := g.ask(t, "GET "+target+" HTTP/1.1\r\n"+host+"\r\n\r\n")
			assert.Equal(t, http.StatusBadRequest, s.status, host)
			assert.Empty(t, s.arrived, host)
		}
	}
}

// isJudgedHost is isJudged for requests that may come without a host: then net/http sends
// the address of the backend.
func (s *sent) isJudgedHost(t *testing.T, name, wire string) {
	t.Helper()
	require.Len(t, s.arrived, 1, name)
	if s.told.request.Host != "" {
		s.isJudged(t, wire)
	}
}

// TestThreatMethodSurface: a path has the methods of the contract, under their own names.
func TestThreatMethodSurface(t *testing.T) {
	t.Parallel()
	shadow, enforce := newGate(t, policy.Shadow, "", ""), newGate(t, policy.Enforce, "", "")
	has := map[string][]string{"/api/secret/a": {"DELETE", "GET"}, "/api/open/a": {"GET", "POST"}, "/admin": {"GET"}}
	for path, methods := range has {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY", "PROPFIND", "get", "Get", "FOO-BAR", "GETT"} {
			if slices.Contains(methods, method) {
				continue
			}
			what := fmt.Sprint(method, " ", path)
			wire := asking(method, path, "X-HTTP-Method-Override: GET", "X-Method-Override: "+methods[0])
			e := enforce.ask(t, wire)
			assert.Equal(t, http.StatusMethodNotAllowed, e.status, what)
			assert.Equal(t, strings.Join(methods, ", "), e.header.Get("Allow"), what)
			assert.Empty(t, e.arrived, what)
			s := shadow.ask(t, wire)
			assert.Equal(t, policy.MethodNotAllowed, s.reason(policy.InMethod), what)
			s.isJudged(t, wire)
		}
	}
	wire := asking(http.MethodPost, "/api/open/a", "X-HTTP-Method-Override: DELETE", "Content-Length: 0")
	for _, g := range []*gate{shadow, enforce} {
		s := g.ask(t, wire)
		assert.Equal(t, "post", s.told.request.Match.Operation.ID, "a header names no method")
		assert.Equal(t, policy.Allowed, s.told.outcome.Disposition)
	}
}
