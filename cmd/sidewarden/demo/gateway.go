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
// reports, never looks at nbf or at how long a token lives, and leaves accounts, bodies and routes to others.
type gateway struct {
	issuer *issuer
	next   *httputil.ReverseProxy
}

// The headers of a gateway that strips tokens. A client's own are replaced.
const (
	clientHeader   = "X-Client-Id"
	accountsHeader = "X-Client-Accounts"
	scopesHeader   = "X-Client-Scopes"
	proofHeader    = "X-Gateway-Proof"
)

// newGateway returns the gateway. With a proof it strips tokens.
func newGateway(is *issuer, sidecar *url.URL, transport http.RoundTripper, proof string) *gateway {
	return &gateway{issuer: is, next: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(sidecar)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
			r.Out.Header.Set("X-Request-Id", rand.Text())
			if proof != "" {
				is.strip(r.Out.Header)
				r.Out.Header.Set(proofHeader, proof)
			}
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

// strip puts what a token says in the place of the token.
func (is *issuer) strip(h http.Header) {
	token, _ := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	c, _ := is.verify(token) // accepts has verified it
	h.Del("Authorization")
	h.Set(clientHeader, c.Client)
	h.Set(accountsHeader, strings.Join(c.Accounts, ","))
	h.Set(scopesHeader, c.Scope)
}

// asserted reads what strip wrote.
func asserted(h http.Header) (claims, bool) {
	c := claims{Client: h.Get(clientHeader), Scope: h.Get(scopesHeader), Accounts: strings.Split(h.Get(accountsHeader), ",")}
	return c, c.Client != ""
}
