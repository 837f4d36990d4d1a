package proxy

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// Backend says how the backend is reached.
type Backend struct {
	Connect time.Duration // dial and TLS handshake
	// Response bounds the time from the end of the request to the head of the
	// answer; a streaming answer may last longer.
	Response time.Duration
	// Idle is how long an unused connection is kept. It must be shorter than the
	// backend's own keep-alive: a backend that closes first turns the next POST
	// into a 502 that a client without the sidecar would not have seen.
	Idle time.Duration
	// MaxIdle bounds unused connections.
	MaxIdle int
	// TLS is that of an https backend; it verifies the certificate of the backend.
	TLS *tls.Config
	// HTTP says which versions of HTTP are spoken.
	HTTP HTTPVersions
}

// NewTransport returns the transport to the backend. It never changes a message:
// no compression of its own, no proxy, no redirects.
func NewTransport(b Backend) *http.Transport {
	dialer := &net.Dialer{Timeout: b.Connect, KeepAlive: 30 * time.Second}
	return &http.Transport{
		DialContext:           dialer.DialContext,
		TLSClientConfig:       b.TLS,
		TLSHandshakeTimeout:   b.Connect,
		ResponseHeaderTimeout: b.Response,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       b.Idle,
		MaxIdleConns:          b.MaxIdle,
		MaxIdleConnsPerHost:   b.MaxIdle,
		DisableCompression:    true,
		Protocols:             b.HTTP.protocols(),
	}
}
