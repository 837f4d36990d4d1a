package threats_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

const pinged = `paths:
  /ping:
    get:
      operationId: ping
      security: []
      responses: {'200': {description: ok}}
`

// asking is a world whose listener asks for client certificates of a signer. What the
// configuration says of files is read by nobody here: the keys are given.
func askingFor(t *testing.T, mode policy.Mode, pool *x509.CertPool, now func() time.Time) *world {
	t.Helper()
	return newWorld(t, plan{
		contract: document("3.0.3", pinged), mode: mode, now: now,
		listen: `, tls: {cert_file: c.pem, key_file: k.pem, client_ca_file: ca.pem, client_auth: request}`,
		keys: &proxy.ListenKeys{
			Certificate: proxytest.Issue(t, nil, nil), ClientAuth: tls.RequestClientCert, ClientCAs: pool, HTTP2: true,
		},
	})
}

// connection is a client with its own connections and sessions.
func connection(t *testing.T, version uint16, h2 bool, own *tls.Certificate) *http.Transport {
	t.Helper()
	config := &tls.Config{
		InsecureSkipVerify: true, MinVersion: version, MaxVersion: version, //nolint:gosec // the test made the certificate
		ClientSessionCache: tls.NewLRUClientSessionCache(4),
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if own == nil {
				return &tls.Certificate{}, nil
			}
			return own, nil // whatever authorities the server names
		},
	}
	transport := &http.Transport{TLSClientConfig: config, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(!h2)
	transport.Protocols.SetHTTP2(h2)
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// ping sends one request and returns its status, and whether a session was resumed.
func (w *world) ping(t *testing.T, transport *http.Transport) (status int, resumed bool) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "https://"+w.addr+"/ping", nil)
	require.NoError(t, err)
	resp, err := transport.RoundTrip(req)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, resp.TLS.DidResume
}

// judged checks what became of the latest request: for a reason it is refused under
// enforce, and served with the finding in shadow; for none it is served.
func (w *world) judged(t *testing.T, mode policy.Mode, status int, reason policy.Reason, name string) {
	t.Helper()
	got, seen := w.take(t, 1)
	f, is := seen[0].decision.Find(policy.MTLSClient)
	require.True(t, is, name)
	assert.Equal(t, reason, f.Verdict.Reason, "%s, %s", mode, name)
	if reason != "" && mode == policy.Enforce {
		assert.Equal(t, http.StatusUnauthorized, status, name)
		assert.Empty(t, got, name)
		return
	}
	assert.Equal(t, http.StatusOK, status, "%s, %s", mode, name)
	assert.Len(t, got, 1, name)
}

func TestThreatClientCertificate(t *testing.T) {
	t.Parallel()
	ca, pool := proxytest.Authority(t)
	own, stranger := proxytest.Issue(t, ca, nil), proxytest.Issue(t, nil, nil)
	over := proxytest.Issue(t, ca, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	server := proxytest.Issue(t, ca, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	for _, mode := range modes() {
		w := askingFor(t, mode, pool, nil)
		for _, c := range []struct {
			name string
			own  *tls.Certificate
			want policy.Reason
		}{
			{"one that counts", &own, ""},
			{"none", nil, policy.ClientCertificateMissing},
			{"a stranger's", &stranger, policy.ClientCertificateUntrusted},
			{"one that is over", &over, policy.ClientCertificateExpired},
			{"a server's", &server, policy.ClientCertificatePurpose},
		} {
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				for _, h2 := range []bool{false, true} {
					client := connection(t, version, h2, c.own)
					for range 2 { // the second on the same connection
						status, _ := w.ping(t, client)
						w.judged(t, mode, status, c.want, c.name)
					}
				}
			}
		}
	}
}

// A session that was begun under an authority is worth nothing once that is gone, and an
// open connection is judged by the authorities of now.
func TestThreatSessionOfARemovedAuthority(t *testing.T) {
	t.Parallel()
	ca, pool := proxytest.Authority(t)
	_, others := proxytest.Authority(t)
	own := proxytest.Issue(t, ca, nil)
	for _, mode := range modes() {
		for _, auth := range []tls.ClientAuthType{tls.RequestClientCert, tls.RequireAndVerifyClientCert} {
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				w := askingFor(t, mode, pool, nil)
				keys := proxy.ListenKeys{Certificate: proxytest.Issue(t, nil, nil), ClientAuth: auth, ClientCAs: pool}
				w.tls.Use(keys)
				client := connection(t, version, false, &own)
				status, resumed := w.ping(t, client)
				assert.False(t, resumed)
				w.judged(t, mode, status, "", "the first connection")
				client.CloseIdleConnections()
				status, resumed = w.ping(t, client)
				assert.True(t, resumed, "a session that may be resumed is")
				w.judged(t, mode, status, "", "the second connection")

				keys.ClientCAs = others
				w.tls.Use(keys)
				status, _ = w.ping(t, client)
				w.judged(t, mode, status, policy.ClientCertificateUntrusted, "the open connection")
				client.CloseIdleConnections()
				if auth == tls.RequestClientCert {
					status, resumed = w.ping(t, client)
					assert.False(t, resumed, "the session ended with its authority")
					w.judged(t, mode, status, policy.ClientCertificateUntrusted, "the next connection")
					continue
				}
				req, err := http.NewRequest(http.MethodGet, "https://"+w.addr+"/ping", nil)
				require.NoError(t, err)
				resp, err := client.RoundTrip(req)
				if err == nil {
					require.NoError(t, resp.Body.Close())
				}
				require.Error(t, err, "what is required ends the handshake")
				got, seen := w.take(t, 0)
				assert.Empty(t, got)
				assert.Empty(t, seen)
			}
		}
	}
}

func TestThreatCertificateThatEndsDuringItsConnection(t *testing.T) {
	t.Parallel()
	ca, pool := proxytest.Authority(t)
	own := proxytest.Issue(t, ca, nil)
	for _, mode := range modes() {
		var ahead atomic.Int64
		w := askingFor(t, mode, pool, func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
		client := connection(t, tls.VersionTLS13, true, &own)
		status, _ := w.ping(t, client)
		w.judged(t, mode, status, "", "while it is valid")
		ahead.Store(int64(90 * time.Minute))
		status, _ = w.ping(t, client)
		w.judged(t, mode, status, policy.ClientCertificateExpired, "once it is over")
	}
}

// opens reports whether openssl gets through a handshake by a version and a suite.
func opens(t *testing.T, addr, version, suite string) bool {
	t.Helper()
	if suite == "" {
		suite = "DEFAULT"
	}
	out, err := exec.CommandContext(t.Context(), "openssl", "s_client", "-connect", addr, "-"+version, "-cipher", suite+":@SECLEVEL=0").CombinedOutput()
	if err == nil {
		assert.NotContains(t, string(out), "Cipher is (NONE)")
	}
	return err == nil
}

// Each handshake that is refused gets through with a server that has no floor: it is not
// openssl that refuses.
func TestThreatTLSFloor(t *testing.T) {
	t.Parallel()
	_, err := exec.LookPath("openssl")
	require.NoError(t, err, "openssl is in tools/debian-packages.txt")
	pair := proxytest.Issue(t, nil, nil)
	listen := func(c *tls.Config) string {
		return serve(t, &http.Server{Handler: http.NotFoundHandler(), TLSConfig: c, ReadHeaderTimeout: time.Minute})
	}
	anything := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS10} //nolint:gosec // what is to be refused has to be possible
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		anything.CipherSuites = append(anything.CipherSuites, suite.ID)
	}
	control := listen(anything)
	var floors []string
	for _, lowest := range []uint16{0, tls.VersionTLS13} {
		floors = append(floors, listen(proxy.NewListenTLS(proxy.ListenKeys{Certificate: pair, MinVersion: lowest}).Config()))
	}
	for _, c := range []struct {
		version, suite string
		want           [2]bool // with the floor of 1.2, of 1.3
	}{
		{"tls1", "", [2]bool{false, false}},
		{"tls1_1", "", [2]bool{false, false}},
		{"tls1_2", "", [2]bool{true, false}},
		{"tls1_3", "", [2]bool{true, true}},
		{"tls1_2", "ECDHE-ECDSA-AES128-GCM-SHA256", [2]bool{true, false}},
		{"tls1_2", "ECDHE-ECDSA-AES256-GCM-SHA384", [2]bool{true, false}},
		{"tls1_2", "ECDHE-ECDSA-CHACHA20-POLY1305", [2]bool{true, false}},
		{"tls1_2", "ECDHE-ECDSA-AES128-SHA", [2]bool{false, false}},
		{"tls1_2", "ECDHE-ECDSA-AES256-SHA", [2]bool{false, false}},
		{"tls1_2", "ECDHE-ECDSA-AES128-SHA256", [2]bool{false, false}},
	} {
		assert.True(t, opens(t, control, c.version, c.suite), "%s %s: without a floor", c.version, c.suite)
		for i, addr := range floors {
			assert.Equal(t, c.want[i], opens(t, addr, c.version, c.suite), "%s %s", c.version, c.suite)
		}
	}
	// A certificate of RSA has suites without forward secrecy.
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
		"-keyout", filepath.Join(dir, "k.pem"), "-out", filepath.Join(dir, "c.pem")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	rsa, err := tls.LoadX509KeyPair(filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem"))
	require.NoError(t, err)
	anything = anything.Clone()
	anything.Certificates = []tls.Certificate{rsa}
	control, floor := listen(anything), listen(proxy.NewListenTLS(proxy.ListenKeys{Certificate: rsa}).Config())
	for _, suite := range []string{"AES128-GCM-SHA256", "AES256-SHA", "ECDHE-RSA-AES128-SHA"} {
		assert.True(t, opens(t, control, "tls1_2", suite), "%s: without a floor", suite)
		assert.False(t, opens(t, floor, "tls1_2", suite), suite)
	}
	assert.True(t, opens(t, floor, "tls1_2", "ECDHE-RSA-AES128-GCM-SHA256"))
}

// looking is a check that tells what it sees.
type looking func(*policy.Request)

// Check implements policy.Check.
func (f looking) Check(_ context.Context, r *policy.Request) policy.Verdict {
	f(r)
	return policy.Permitted()
}

// What openssl prints of a subject is what clients are mapped by.
func TestSubjectIsThatOfOpenSSL(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, key := filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	out, err := exec.CommandContext(t.Context(), "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
		"-subj", "/C=DE/O=Example, Ltd./OU=ports/CN=partner", "-keyout", key, "-out", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	out, err = exec.CommandContext(t.Context(), "openssl", "x509", "-noout", "-subject", "-nameopt", "RFC2253", "-in", file).Output()
	require.NoError(t, err)
	subject := strings.TrimPrefix(strings.TrimSpace(string(out)), "subject=")
	out, err = exec.CommandContext(t.Context(), "openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", file).Output()
	require.NoError(t, err)
	_, thumbprint, _ := strings.Cut(strings.TrimSpace(string(out)), "=")

	own, err := tls.LoadX509KeyPair(file, key)
	require.NoError(t, err)
	var seen atomic.Pointer[policy.Certificate]
	w := askingFor(t, policy.Shadow, nil, nil)
	w.handler.Policy().Unmatched.Rules = nil
	for _, op := range w.handler.Policy().Operations {
		op.Rules = []*policy.Rule{{Control: policy.MTLSClient, Phase: policy.HeadPhase, Mode: policy.Shadow, Check: looking(func(r *policy.Request) { seen.Store(r.Peer.TLS.Certificate) })}}
	}
	_, _ = w.ping(t, connection(t, tls.VersionTLS13, false, &own))
	require.NotNil(t, seen.Load())
	assert.Equal(t, subject, seen.Load().Subject)
	assert.Equal(t, strings.ToLower(strings.ReplaceAll(thumbprint, ":", "")), seen.Load().Thumbprint)
}
