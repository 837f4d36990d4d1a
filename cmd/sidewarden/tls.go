package main

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"time"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/proxy"
)

// opened is the key material of both sides of the sidecar, as its files are now.
type opened struct {
	listen  *proxy.ListenKeys // nil where the listener is plain
	backend *tls.Config       // nil where the backend is reached in the clear
	// listenID and backendID digest the files, so that what did not change is kept.
	listenID, backendID [sha256.Size]byte
	// clientExpiry is when the client certificate for the backend is over; zero without one.
	clientExpiry time.Time
}

// openings reads every certificate and key that the configuration names, and
// tells every problem with them at once.
func openings(l *loaded, path string) (*opened, error) {
	o := &opened{}
	errListen := o.openListen(l.config)
	errBackend := o.openBackend(l.config)
	if err := errors.Join(errListen, errBackend); err != nil {
		return nil, problems(path, err)
	}
	return o, nil
}

func (o *opened) openListen(c *config.Config) error {
	t := c.Listen.TLS
	if t == nil {
		return nil
	}
	f := keyFiles{config: c, digest: sha256.New()}
	k := proxy.ListenKeys{
		Certificate: f.pair("listen.tls", t.CertFile, t.KeyFile), ClientAuth: clientAuth(*t),
		MinVersion: versionOf(t.MinVersion), HTTP2: c.Listen.HTTP2,
	}
	if t.ClientCAFile != "" {
		// Never without a pool: the authorities of the system sign for everybody.
		k.ClientCAs = f.authorities("listen.tls.client_ca_file", t.ClientCAFile)
	}
	if err := errors.Join(f.problems...); err != nil {
		return err
	}
	o.listen, o.listenID = &k, f.sum()
	return nil
}

// clientAuth returns what is asked of client certificates. What is only requested is
// judged by mtls.client, which can shadow. Without authorities a client proves by the
// handshake that it has the key of its certificate, and nothing else (RFC 8705 section 2.2).
func clientAuth(t config.ListenTLS) tls.ClientAuthType {
	switch {
	case t.ClientAuth == config.ClientAuthRequest:
		return tls.RequestClientCert
	case t.ClientAuth != config.ClientAuthRequire:
		return tls.NoClientCert
	case t.ClientCAFile != "":
		return tls.RequireAndVerifyClientCert
	}
	return tls.RequireAnyClientCert
}

func versionOf(text string) uint16 {
	if text == config.TLS13 {
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}

func (o *opened) openBackend(c *config.Config) error {
	if !c.Backend.Encrypted() {
		return nil
	}
	o.backend = &tls.Config{MinVersion: tls.VersionTLS12}
	t := c.Backend.TLS
	if t == nil {
		return nil
	}
	f := keyFiles{config: c, digest: sha256.New()}
	o.backend.MinVersion, o.backend.ServerName = versionOf(t.MinVersion), t.ServerName
	if t.CAFile != "" {
		o.backend.RootCAs = f.authorities("backend.tls.ca_file", t.CAFile)
	}
	if t.CertFile != "" || t.KeyFile != "" {
		pair := f.pair("backend.tls", t.CertFile, t.KeyFile)
		o.backend.Certificates = []tls.Certificate{pair}
		if pair.Leaf != nil {
			o.clientExpiry = pair.Leaf.NotAfter
		}
	}
	if err := errors.Join(f.problems...); err != nil {
		return err
	}
	o.backendID = f.sum()
	return nil
}

// httpVersions is what the configuration says of HTTP towards the backend.
func httpVersions(c *config.Config) proxy.HTTPVersions {
	switch c.Backend.HTTP {
	case config.HTTPOne:
		return proxy.HTTP1
	case config.HTTPTwoClear:
		return proxy.H2C
	}
	return proxy.HTTPAuto
}

// transport returns the transport to the backend with the keys of o.
func (o *opened) transport(c *config.Config) proxy.Backend {
	times := c.Backend.Timeouts
	return proxy.Backend{
		Connect: times.Connect.Std(), Response: times.Response.Std(), Idle: times.Idle.Std(),
		MaxIdle: c.Backend.MaxIdleConnections, TLS: o.backend, HTTP: httpVersions(c),
	}
}

// useKeys puts key material in force that was read again. What did not change keeps its
// connections and its sessions.
func (s *sidecar) useKeys(c *config.Config, next *opened) {
	last := s.keys.Swap(next)
	if next.listen != nil && next.listenID != last.listenID {
		s.listenTLS.Use(*next.listen)
		s.log.Info("the keys of listen.tls were replaced")
	}
	if next.backend != nil && next.backendID != last.backendID {
		s.transport.Use(proxy.NewTransport(next.transport(c)))
		s.log.Info("the keys of backend.tls were replaced")
	}
}

// certificateExpiries tells the metrics when our own certificates are over, by what they
// are used for.
func (s *sidecar) certificateExpiries() map[string]time.Time {
	all := map[string]time.Time{}
	if s.listenTLS != nil {
		all["listen"] = s.listenTLS.Expiry()
	}
	if keys := s.keys.Load(); keys != nil && !keys.clientExpiry.IsZero() {
		all["backend-client"] = keys.clientExpiry
	}
	return all
}
