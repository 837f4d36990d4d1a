package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
)

// Certified returns a handler to whose requests a TLS connection with this client
// certificate, leaf first, is told; the handler itself where there is none. It is for
// requests that are tried and that nobody sent: no handshake takes place, because it
// would need the key of the client.
func Certified(h http.Handler, chain []*x509.Certificate) http.Handler {
	if len(chain) == 0 {
		return h
	}
	state := &tls.ConnectionState{
		Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256, HandshakeComplete: true, PeerCertificates: chain,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.TLS = state
		h.ServeHTTP(w, r)
	})
}
