package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/proxy"
)

// made is a certificate in files.
type made struct {
	certFile, keyFile string
	pair              tls.Certificate
}

// issue makes a certificate; by signs it, nil for itself.
func issue(t *testing.T, dir, name string, by *made) *made {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(name))), DNSNames: []string{"localhost"}, IsCA: by == nil, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	parent, signer := template, any(key)
	if by != nil {
		parent, err = x509.ParseCertificate(by.pair.Certificate[0])
		require.NoError(t, err)
		signer = by.pair.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	m := &made{certFile: filepath.Join(dir, name+".pem"), keyFile: filepath.Join(dir, name+"-key.pem"), pair: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}}
	require.NoError(t, os.WriteFile(m.certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(m.keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	return m
}

// shakes reports whether a client with a certificate, or none, gets through a
// handshake and a request, and whether the server knows the certificate then.
func shakes(t *testing.T, server *tls.Config, version uint16, client *made) (ok, known bool) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var certified atomic.Bool
	s := &http.Server{TLSConfig: server, ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		certified.Store(len(r.TLS.PeerCertificates) > 0)
	})}
	done := make(chan error, 1)
	go func() { done <- s.ServeTLS(l, "", "") }()
	trusting := &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version} //nolint:gosec // the test made the certificate
	trusting.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if client == nil {
			return &tls.Certificate{}, nil
		}
		return &client.pair, nil // whatever authorities the server names
	}
	transport := &http.Transport{TLSClientConfig: trusting}
	resp, err := (&http.Client{Transport: transport, Timeout: time.Minute}).Get("https://" + l.Addr().String())
	if err == nil {
		require.NoError(t, resp.Body.Close())
	}
	transport.CloseIdleConnections()
	require.NoError(t, s.Close())
	require.ErrorIs(t, <-done, http.ErrServerClosed)
	return err == nil, certified.Load()
}

func TestWhatIsAskedOfClientCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, authority, stranger := issue(t, dir, "server", nil), issue(t, dir, "authority", nil), issue(t, dir, "stranger", nil)
	signed := issue(t, dir, "signed", authority)
	for _, c := range []struct {
		auth, ca               string
		none, unsigned, proven bool // who gets through: without certificate, with one of its own making, with a signed one
	}{
		{config.ClientAuthNone, "", true, true, true},
		{config.ClientAuthRequest, "", true, true, true},
		{config.ClientAuthRequest, authority.certFile, true, true, true}, // for mtls.client to judge
		{config.ClientAuthRequire, "", false, true, true},
		{config.ClientAuthRequire, authority.certFile, false, false, true},
	} {
		var keys opened
		require.NoError(t, keys.openListen(&config.Config{Listen: config.Listen{TLS: &config.ListenTLS{
			CertFile: server.certFile, KeyFile: server.keyFile, ClientCAFile: c.ca, ClientAuth: c.auth,
		}}}))
		listen := proxy.NewListenTLS(*keys.listen).Config()
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for _, row := range []struct {
				who    string
				client *made
				want   bool
			}{{"none", nil, c.none}, {"a stranger", stranger, c.unsigned}, {"a client", signed, c.proven}} {
				ok, known := shakes(t, listen, version, row.client)
				assert.Equal(t, row.want, ok, "%s %s: %s with %s", c.auth, filepath.Base(c.ca), tls.VersionName(version), row.who)
				assert.Equal(t, row.want && row.client != nil && c.auth != config.ClientAuthNone, known, "%s: the certificate of %s", c.auth, row.who)
			}
		}
	}
}

// A file of authorities that cannot be used never means that anybody, or an authority
// of the system, will do.
func TestBrokenAuthoritiesAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := issue(t, dir, "server", nil)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	for rule, file := range map[string]string{
		"missing":         filepath.Join(dir, "nowhere.pem"),
		"unreadable":      dir,
		"empty":           write("empty.pem", ""),
		"no PEM":          write("text.pem", "authorities"),
		"no certificate":  server.keyFile,
		"no DER in PEM":   write("broken.pem", "-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n"),
		"a PEM cut short": write("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB"),
	} {
		for _, auth := range []string{config.ClientAuthRequest, config.ClientAuthRequire} {
			var keys opened
			err := keys.openListen(&config.Config{Listen: config.Listen{TLS: &config.ListenTLS{
				CertFile: server.certFile, KeyFile: server.keyFile, ClientCAFile: file, ClientAuth: auth,
			}}})
			require.ErrorContains(t, err, "listen.tls.client_ca_file", rule)
			require.ErrorContains(t, err, filepath.Base(file), rule)
			assert.Nil(t, keys.listen, rule)
		}
	}
}
