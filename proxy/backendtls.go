package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/sidewarden/sidewarden/policy"
)

// HTTPVersions says which versions of HTTP are spoken to the backend.
type HTTPVersions uint8

// The choices. The zero value is HTTP/2 where a backend with TLS offers it, else
// HTTP/1.1.
const (
	HTTPAuto HTTPVersions = iota
	HTTP1                 // HTTP/1.1 alone
	H2C                   // HTTP/2 without TLS (RFC 9113 section 3.3), for a backend that is known to speak it
)

func (v HTTPVersions) protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(v != H2C)
	p.SetHTTP2(v == HTTPAuto)
	p.SetUnencryptedHTTP2(v == H2C)
	return p
}

// BackendTransport sends requests by a transport that can be replaced while it serves,
// as when certificates are renewed. It is safe for concurrent use.
type BackendTransport struct {
	current atomic.Pointer[http.Transport]
}

// NewBackendTransport returns one that sends by t.
func NewBackendTransport(t *http.Transport) *BackendTransport {
	b := &BackendTransport{}
	b.current.Store(t)
	return b
}

// Use makes t the transport of every request from now on. What is on its way ends as it
// began; no connection of the earlier transport gets another request.
func (b *BackendTransport) Use(t *http.Transport) {
	if old := b.current.Swap(t); old != nil {
		old.CloseIdleConnections()
	}
}

// RoundTrip implements [http.RoundTripper].
func (b *BackendTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return b.current.Load().RoundTrip(r)
}

// CloseIdleConnections closes the connections that no request uses.
func (b *BackendTransport) CloseIdleConnections() { b.current.Load().CloseIdleConnections() }

// backendHop returns the facts of the connection that an answer came over; nil of a
// plain one. The handshake has verified the certificate.
func backendHop(state *tls.ConnectionState) *policy.TLS {
	if state == nil {
		return nil
	}
	facts := &policy.TLS{Version: tls.VersionName(state.Version), Cipher: tls.CipherSuiteName(state.CipherSuite)}
	if len(state.VerifiedChains) > 0 {
		from, until := window(state.VerifiedChains)
		facts.Certificate = &policy.Certificate{Trust: policy.TrustVerified, From: from, Until: until}
	}
	return facts
}

// backendFault returns the facts of a handshake that failed; nil when something else
// did.
func backendFault(err error) *policy.TLS {
	fault := transportFault(err)
	if fault == "" {
		return nil
	}
	return &policy.TLS{Fault: fault}
}

func transportFault(err error) policy.TransportFault {
	if _, is := errors.AsType[x509.HostnameError](err); is {
		return policy.FaultName
	}
	if _, is := errors.AsType[x509.UnknownAuthorityError](err); is {
		return policy.FaultUntrusted
	}
	if invalid, is := errors.AsType[x509.CertificateInvalidError](err); is {
		if invalid.Reason == x509.Expired {
			return policy.FaultExpired
		}
		return policy.FaultInvalid
	}
	if _, is := errors.AsType[*tls.CertificateVerificationError](err); is {
		return policy.FaultInvalid
	}
	if _, is := errors.AsType[tls.RecordHeaderError](err); is {
		return policy.FaultPlain
	}
	if op, is := errors.AsType[*net.OpError](err); is && op.Op == "remote error" { // an alert, as crypto/tls calls it
		return policy.FaultRefused
	}
	return ""
}
