package main

import (
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy/compile"
)

// opened is the key material of both sides of the sidecar; nil where there is no
// TLS.
type opened struct{ listen, backend *tls.Config }

// openings reads every certificate and key that the configuration names, and
// tells every problem with them at once.
func openings(l *loaded, path string) (opened, error) {
	listen, errListen := listenTLS(l.config)
	backend, errBackend := backendTLS(l.config)
	if err := errors.Join(errListen, errBackend); err != nil {
		return opened{}, problems(path, err)
	}
	return opened{listen: listen, backend: backend}, nil
}

func listenTLS(c *config.Config) (*tls.Config, error) {
	t := c.Listen.TLS
	if t == nil {
		return nil, nil //nolint:nilnil // no TLS is an answer, not an absence
	}
	var problems []error
	pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		problems = append(problems, c.At("listen.tls.cert_file", fmt.Sprintf("the certificate or its key can not be used: %v", err),
			"give PEM files of one certificate and its key"))
	}
	result := &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientAuth: clientAuth(*t),
		NextProtos: []string{"h2", "http/1.1"},
	}
	if t.ClientCAFile != "" {
		// Never without a pool: crypto/tls would take the authorities of the system.
		if result.ClientCAs, err = compile.CertPool(t.ClientCAFile); err != nil {
			problems = append(problems, c.At("listen.tls.client_ca_file", err.Error(), "give a PEM file with at least one certificate"))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return result, nil
}

// clientAuth returns what is asked of client certificates. Without authorities a
// client proves by the handshake that it has the key of its certificate, and nothing
// else (RFC 8705 section 2.2).
func clientAuth(t config.ListenTLS) tls.ClientAuthType {
	signed := t.ClientCAFile != ""
	switch t.ClientAuth {
	case config.ClientAuthRequest:
		if signed {
			return tls.VerifyClientCertIfGiven
		}
		return tls.RequestClientCert
	case config.ClientAuthRequire:
		if signed {
			return tls.RequireAndVerifyClientCert
		}
		return tls.RequireAnyClientCert
	}
	return tls.NoClientCert
}

func backendTLS(c *config.Config) (*tls.Config, error) {
	if !c.Backend.Encrypted() {
		return nil, nil //nolint:nilnil // no TLS is an answer, not an absence
	}
	result := &tls.Config{MinVersion: tls.VersionTLS12}
	t := c.Backend.TLS
	if t == nil {
		return result, nil
	}
	result.ServerName = t.ServerName
	if t.CAFile != "" {
		pool, err := compile.CertPool(t.CAFile)
		if err != nil {
			return nil, c.At("backend.tls.ca_file", err.Error(), "give a PEM file with at least one certificate")
		}
		result.RootCAs = pool
	}
	if t.CertFile != "" || t.KeyFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, c.At("backend.tls.cert_file", fmt.Sprintf("the client certificate or its key can not be used: %v", err),
				"give PEM files of one certificate and its key")
		}
		result.Certificates = []tls.Certificate{pair}
	}
	return result, nil
}
