package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// ListenKeys is what the TLS of the data listener is made from.
type ListenKeys struct {
	// Certificate is what the sidecar shows.
	Certificate tls.Certificate
	// ClientAuth says what is asked of client certificates. With a type that verifies,
	// one that no authority signed ends the handshake, and without ClientCAs crypto/tls
	// would take the authorities of the system: give both or none.
	ClientAuth tls.ClientAuthType
	// ClientCAs sign client certificates; nil if nobody is asked.
	ClientCAs *x509.CertPool
	// MinVersion is the lowest version, at least TLS 1.2, which is the default.
	MinVersion uint16
	// HTTP2 offers HTTP/2 to clients (ALPN, RFC 9113 section 3.2).
	HTTP2 bool
}

// aeadSuites are the cipher suites of TLS 1.2 that are taken: those with forward
// secrecy and authenticated encryption (RFC 7525 section 4.2). Those of TLS 1.3 all are.
func aeadSuites() []uint16 {
	return []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}
}

// ListenTLS is the TLS of the data listener. Its keys can be replaced while it serves.
// It is safe for concurrent use. A nil one is that of a plain listener.
type ListenTLS struct {
	current atomic.Pointer[generation]
}

// generation is what was made from one set of keys. What belongs to an earlier one is
// worth nothing: neither its session tickets nor what was found by its authorities.
type generation struct {
	config *tls.Config
	expiry time.Time
}

// NewListenTLS returns the TLS of a listener with these keys.
func NewListenTLS(k ListenKeys) *ListenTLS {
	l := &ListenTLS{}
	l.Use(k)
	return l
}

// Use makes k the keys of every handshake that begins from now on, and of every request
// also the authorities that its client certificate is judged by. Connections stay open.
func (l *ListenTLS) Use(k ListenKeys) {
	// Tickets are sealed with keys of this generation alone, which crypto/tls rotates: a
	// session that was begun under other authorities is not resumed.
	tickets := &tls.Config{MinVersion: tls.VersionTLS12}
	c := &tls.Config{
		Certificates: []tls.Certificate{k.Certificate}, ClientAuth: k.ClientAuth, ClientCAs: k.ClientCAs,
		MinVersion: max(k.MinVersion, tls.VersionTLS12), CipherSuites: aeadSuites(), NextProtos: []string{"http/1.1"},
		WrapSession: tickets.EncryptTicket, UnwrapSession: tickets.DecryptTicket, VerifyPeerCertificate: boundChain,
	}
	if k.HTTP2 {
		c.NextProtos = []string{"h2", "http/1.1"}
	}
	g := &generation{config: c}
	if leaf := leafOf(k.Certificate); leaf != nil {
		g.expiry = leaf.NotAfter
	}
	l.current.Store(g)
}

// Config returns the configuration for handshakes, for whoever does them. Each has the
// keys that are current when it begins.
func (l *ListenTLS) Config() *tls.Config {
	now := l.current.Load().config
	return &tls.Config{
		MinVersion: now.MinVersion, CipherSuites: aeadSuites(), NextProtos: now.NextProtos,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return l.current.Load().config, nil },
	}
}

// Expiry returns when the certificate that the sidecar shows is over.
func (l *ListenTLS) Expiry() time.Time { return l.current.Load().expiry }

// peer returns the facts of a connection at the time of a request; nil of a plain one.
func (l *ListenTLS) peer(state *tls.ConnectionState, known *shown, at time.Time) *policy.TLS {
	if state == nil {
		return nil
	}
	facts := &policy.TLS{Version: tls.VersionName(state.Version), Cipher: tls.CipherSuiteName(state.CipherSuite)}
	if len(state.PeerCertificates) > 0 {
		var authorities *x509.CertPool
		if l != nil {
			authorities = l.current.Load().config.ClientCAs
		}
		facts.Certificate = known.of(state.PeerCertificates, authorities, at)
	}
	return facts
}

// leafOf returns the certificate that is shown first; nil if it can not be read.
func leafOf(c tls.Certificate) *x509.Certificate {
	if c.Leaf != nil {
		return c.Leaf
	}
	if len(c.Certificate) == 0 {
		return nil
	}
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		return nil
	}
	return leaf
}

// ListenProtocols returns the versions of HTTP that the data listener speaks: HTTP/1.1,
// over TLS also HTTP/2 where http2 is set, and HTTP/2 without TLS, to clients that know
// of it (RFC 9113 section 3.3), where h2c is set.
func ListenProtocols(http2, h2c bool) *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(http2)
	p.SetUnencryptedHTTP2(h2c)
	return p
}
