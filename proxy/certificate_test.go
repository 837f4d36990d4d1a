package proxy_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// trip sends a request and returns the answer's protocol and whether its connection
// was used before, or its session.
func trip(t *testing.T, client *http.Transport, url string) (proto string, resumed bool) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := client.RoundTrip(req)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.Proto, resp.TLS.DidResume
}

// servedOverTLS serves over TLS, asks for certificates that nobody has to sign, and
// returns where.
func servedOverTLS(t *testing.T, h http.Handler) string {
	t.Helper()
	server := proxy.NewServer(h, proxy.Bounds{HeadBytes: 64 << 10, Head: 5 * time.Second, Idle: time.Minute}, zap.NewNop())
	server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{proxytest.Issue(t, nil, nil)}, ClientAuth: tls.RequestClientCert}
	l := proxytest.Listen(t)
	done := make(chan error, 1)
	go func() { done <- server.ServeTLS(l, "", "") }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-done, http.ErrServerClosed)
	})
	return "https://" + l.Addr().String()
}

// The certificate of a connection is known for each of its requests, in every version
// of TLS and HTTP, and with a session that was resumed. The backend sees the same
// request as without.
func TestTheClientCertificateOfAConnection(t *testing.T) {
	t.Parallel()
	own := proxytest.Issue(t, nil, nil)
	for _, c := range []struct {
		name    string
		version uint16
		proto   string
		own     *tls.Certificate
	}{
		{"TLS 1.2, HTTP/1.1", tls.VersionTLS12, "HTTP/1.1", &own},
		{"TLS 1.3, HTTP/1.1", tls.VersionTLS13, "HTTP/1.1", &own},
		{"TLS 1.2, HTTP/2", tls.VersionTLS12, "HTTP/2.0", &own},
		{"TLS 1.3, HTTP/2", tls.VersionTLS13, "HTTP/2.0", &own},
		{"TLS 1.3, HTTP/2, none", tls.VersionTLS13, "HTTP/2.0", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			forwarded := make(chan http.Header, 3)
			s := start(t, policyOf(stages{}), backend(t, func(_ http.ResponseWriter, r *http.Request) { forwarded <- r.Header }))
			url := servedOverTLS(t, s.handler)
			trusting := &tls.Config{
				InsecureSkipVerify: true, MinVersion: c.version, MaxVersion: c.version, //nolint:gosec // the test made the certificate
				ClientSessionCache: tls.NewLRUClientSessionCache(1), NextProtos: []string{"http/1.1"},
			}
			if c.own != nil {
				trusting.Certificates = []tls.Certificate{*c.own}
			}
			client := &http.Transport{TLSClientConfig: trusting}
			if c.proto == "HTTP/2.0" {
				client.ForceAttemptHTTP2, trusting.NextProtos = true, nil
			}
			for range 2 { // one connection
				proto, _ := trip(t, client, url)
				assert.Equal(t, c.proto, proto)
			}
			client.CloseIdleConnections()
			_, resumed := trip(t, client, url)
			assert.True(t, resumed)
			client.CloseIdleConnections()

			require.Eventually(t, func() bool { return len(s.observer.all()) == 3 }, 30*time.Second, time.Millisecond)
			found := map[*policy.Certificate]bool{}
			for _, seen := range s.observer.all() {
				peer := seen.request.Peer
				require.NotNil(t, peer.TLS)
				found[peer.TLS.Certificate] = true
				assert.Equal(t, tls.VersionName(c.version), peer.TLS.Version)
				assert.NotEmpty(t, peer.TLS.Cipher)
				if c.own == nil {
					assert.Nil(t, peer.Certificate)
					assert.Nil(t, peer.TLS.Certificate)
					continue
				}
				assert.Equal(t, c.own.Certificate[0], peer.Certificate)
				assert.Equal(t, policy.StateUnverified, peer.TLS.Certificate.State(seen.request.Time))
			}
			if c.own != nil {
				assert.Len(t, found, 2, "what is found of a certificate is found once for each connection")
			}
			for range 3 {
				assert.Equal(t, http.Header{"Accept-Encoding": {"gzip"}, "User-Agent": {"Go-http-client/" + map[string]string{"HTTP/1.1": "1.1", "HTTP/2.0": "2.0"}[c.proto]}}, <-forwarded)
			}
		})
	}
}

// Whose certificate an authority verified is told, and of every other one that nobody
// did: a name in it is what its owner wrote.
func TestAVerifiedCertificateIsToldFromOthers(t *testing.T) {
	t.Parallel()
	known, stranger := proxytest.Issue(t, nil, nil), proxytest.Issue(t, nil, nil)
	authorities := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(known.Certificate[0])
	require.NoError(t, err)
	authorities.AddCert(leaf)
	for _, c := range []struct {
		rule     string
		keys     proxy.ListenKeys
		own      *tls.Certificate
		verified bool
	}{
		{"signed by an authority", proxy.ListenKeys{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authorities}, &known, true},
		{"signed by an authority, which the handshake did not ask", proxy.ListenKeys{ClientAuth: tls.RequestClientCert, ClientCAs: authorities}, &known, true},
		{"none", proxy.ListenKeys{ClientAuth: tls.RequestClientCert, ClientCAs: authorities}, nil, false},
		{"without authorities", proxy.ListenKeys{ClientAuth: tls.RequestClientCert}, &known, false},
		{"signed by nobody", proxy.ListenKeys{ClientAuth: tls.RequestClientCert, ClientCAs: authorities}, &stranger, false},
	} {
		c.keys.Certificate = proxytest.Issue(t, nil, nil)
		listen := proxy.NewListenTLS(c.keys)
		s := start(t, policyOf(stages{}), backend(t, func(http.ResponseWriter, *http.Request) {}),
			func(o *proxy.Options, _ *proxy.Backend) { o.Listen = listen })
		server := httptest.NewUnstartedServer(s.handler)
		server.TLS = listen.Config()
		server.StartTLS()
		client := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // the test made the certificate
		if c.own != nil {
			client.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.own, nil }
		}
		trip(t, client, server.URL)
		client.CloseIdleConnections()
		server.Close()
		require.Eventually(t, func() bool { return len(s.observer.all()) == 1 }, 30*time.Second, time.Millisecond)
		r := s.observer.all()[0].request
		require.NotNil(t, r.Peer.TLS, c.rule)
		facts := r.Peer.TLS.Certificate
		assert.Equal(t, c.own != nil, facts != nil, c.rule)
		assert.Equal(t, c.verified, facts != nil && facts.State(r.Time) == policy.StateVerified, c.rule)
	}
}

// all returns what was observed so far.
func (o *observer) all() []seen {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]seen(nil), o.seen...)
}
