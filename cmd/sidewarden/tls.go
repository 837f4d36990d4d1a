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
	pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, c.At("listen.tls.cert_file", fmt.Sprintf("the certificate or its key can not be used: %v", err),
			"give PEM files of one certificate and its key")
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, nil
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
