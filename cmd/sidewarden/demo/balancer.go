package demo

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
)

// newBalancer gives the requests to the instances in turn. It adds nothing: the
// sidecar is told of a backend, not of a balancer.
func newBalancer(instances []*url.URL, transport http.RoundTripper) http.Handler {
	var turn atomic.Uint64
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(instances[turn.Add(1)%uint64(len(instances))])
			r.Out.Host = r.In.Host
		},
		Transport: transport,
		ErrorLog:  silent(),
	}
}
