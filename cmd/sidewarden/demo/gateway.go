package demo

import (
	"crypto/rand"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"
)

// gateway stands in front of the sidecar. It verifies signature, issuer and
// audience, and is weak where the key says so: it takes expired tokens for
// reports, never looks at nbf, and leaves accounts, bodies and routes to others.
type gateway struct {
	issuer *issuer
	next   *httputil.ReverseProxy
}

func newGateway(is *issuer, sidecar *url.URL, transport http.RoundTripper) *gateway {
	return &gateway{issuer: is, next: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(sidecar)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
			r.Out.Header.Set("X-Request-Id", rand.Text())
		},
		Transport: transport,
		ErrorLog:  silent(),
	}}
}

// ServeHTTP answers what it refuses and passes on the rest.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !g.accepts(r, time.Now()) {
		w.Header().Set("Www-Authenticate", "Bearer")
		answer(w, http.StatusUnauthorized, map[string]any{"fault": "access denied by the API gateway"})
		return
	}
	g.next.ServeHTTP(w, r)
}

func (g *gateway) accepts(r *http.Request, now time.Time) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return false
	}
	c, ok := g.issuer.verify(token)
	if !ok || c.Issuer != g.issuer.url || c.Audience != audience {
		return false
	}
	// Row 3: somebody needed a long download to go on, years ago.
	return strings.HasPrefix(r.URL.Path, "/v1/reports/") || now.Unix() < c.Expires
}
