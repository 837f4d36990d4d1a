package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
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
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// made is a certificate in files.
type made struct {
	certFile, keyFile string
	pair              tls.Certificate
}

// issue makes a certificate; by signs it, nil for itself.
func issue(t *testing.T, dir, name string, by *made) *made {
	t.Helper()
	var signer *tls.Certificate
	if by != nil {
		signer = &by.pair
	}
	pair := proxytest.Issue(t, signer, func(c *x509.Certificate) { c.IsCA = by == nil })
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(t, err)
	m := &made{certFile: filepath.Join(dir, name+".pem"), keyFile: filepath.Join(dir, name+"-key.pem"), pair: pair}
	require.NoError(t, os.WriteFile(m.certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), 0o600))
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

// What is broken names its field and its file, and never holds what is in it.
func TestThreatBrokenKeyMaterial(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, other, authority := issue(t, dir, "server", nil), issue(t, dir, "other", nil), issue(t, dir, "authority", nil)
	write := func(name string, text ...[]byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, bytes.Join(text, nil), 0o600))
		return path
	}
	read := func(path string) []byte {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		return b
	}
	locked := write("locked.pem", read(server.certFile))
	require.NoError(t, os.Chmod(locked, 0))
	broken := map[string]string{ // for certificates
		"missing": filepath.Join(dir, "nowhere.pem"), "a folder": dir, "empty": write("empty.pem"), "blank": write("blank.pem", []byte("\n \n")),
		"no PEM": write("text.pem", []byte("certificates")), "a key": server.keyFile,
		"one of two cut":               write("cut.pem", read(authority.certFile), read(authority.certFile)[:200]),
		"one of two is no certificate": write("half.pem", read(authority.certFile), []byte("-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n")),
		"too long":                     write("long.pem", bytes.Repeat([]byte("x"), maxKeyFile+1)),
	}
	if os.Geteuid() != 0 { // nothing is unreadable to root
		broken["unreadable"] = locked
	}
	keys := map[string]string{
		"missing": broken["missing"], "a folder": dir, "empty": broken["empty"], "no PEM": broken["no PEM"], "of another certificate": other.keyFile,
		"a certificate": server.certFile, "cut": write("cut-key.pem", read(server.keyFile)[:80]),
	}
	listen := func(cert, key, ca string) (string, error) {
		var o opened
		err := o.openListen(&config.Config{Listen: config.Listen{TLS: &config.ListenTLS{
			CertFile: cert, KeyFile: key, ClientCAFile: ca, ClientAuth: config.ClientAuthRequest,
		}}})
		assert.Equal(t, err == nil, o.listen != nil)
		return "listen.tls.", err
	}
	backend := func(cert, key, ca string) (string, error) {
		var o opened
		return "backend.tls.", o.openBackend(&config.Config{Backend: config.Backend{
			URL: "https://127.0.0.1:9000", TLS: &config.BackendTLS{CertFile: cert, KeyFile: key, CAFile: ca},
		}})
	}
	for _, side := range []func(cert, key, ca string) (string, error){listen, backend} {
		_, err := side(server.certFile, server.keyFile, authority.certFile)
		require.NoError(t, err, "what is good")
		refused := func(name, field, file, cert, key, ca string) {
			at, err := side(cert, key, ca)
			require.Error(t, err, "%s: %s", name, field)
			caField := map[string]string{"listen.tls.ca_file": "listen.tls.client_ca_file"}
			want := at + field
			if caField[want] != "" {
				want = caField[want]
			}
			assert.Contains(t, err.Error(), want, name)
			assert.Contains(t, err.Error(), file, "%s: %s", name, field)
			assert.NotContains(t, err.Error(), "BEGIN", name)
		}
		for name, file := range broken {
			refused(name, "cert_file", file, file, server.keyFile, authority.certFile)
			refused(name, "ca_file", file, server.certFile, server.keyFile, file)
		}
		for name, file := range keys {
			refused(name, "key_file", file, server.certFile, file, authority.certFile)
		}
		// All problems are told at once.
		_, err = side(broken["missing"], keys["a folder"], broken["empty"])
		for _, part := range []string{"cert_file", "key_file", "ca_file"} {
			assert.ErrorContains(t, err, part)
		}
	}
}

// A chain is shown whole, and what makes a difference makes another digest.
func TestKeysAreToldApart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := issue(t, dir, "a", nil), issue(t, dir, "b", nil)
	ids := map[[32]byte]bool{}
	for _, c := range []*config.ListenTLS{
		{CertFile: a.certFile, KeyFile: a.keyFile},
		{CertFile: b.certFile, KeyFile: b.keyFile},
		{CertFile: a.certFile, KeyFile: a.keyFile, ClientCAFile: b.certFile},
		{CertFile: a.certFile, KeyFile: a.keyFile, ClientCAFile: a.certFile},
	} {
		for range 2 {
			var o opened
			require.NoError(t, o.openListen(&config.Config{Listen: config.Listen{TLS: c}}))
			ids[o.listenID] = true
			assert.Equal(t, []string{c.CertFile, c.KeyFile}, keyFilesOf(&config.Config{Listen: config.Listen{TLS: c}})[:2], "the files are watched")
		}
	}
	assert.Len(t, ids, 4)
}
