package proxy_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// secure starts an https backend and returns its address.
func secure(t *testing.T, c *tls.Config, f http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewUnstartedServer(f)
	s.TLS, s.EnableHTTP2 = c, true
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that are meant to fail
	s.StartTLS()
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "https://")
}

// towards makes a sidecar's backend an https one.
func towards(c *tls.Config) func(*proxy.Options, *proxy.Backend) {
	return func(o *proxy.Options, b *proxy.Backend) {
		o.Backend.Scheme, b.TLS = "https", c
		b.Connect, b.Response = 30*time.Second, 30*time.Second
	}
}

// A backend that does not prove itself gets no request, in any mode: the client has 502,
// and the facts say why.
func TestThreatBackendCertificate(t *testing.T) {
	t.Parallel()
	root, pool := newAuthority(t)
	good, _ := root.issue(t, nil)
	self := proxytest.Issue(t, nil, nil)
	name, _ := root.issue(t, func(c *x509.Certificate) { c.DNSNames = []string{"other.example.net"} })
	over, _ := root.issue(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	clients, _ := root.issue(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	serving := func(pair tls.Certificate, change func(*tls.Config)) *tls.Config {
		c := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
		if change != nil {
			change(c)
		}
		return c
	}
	for _, c := range []struct {
		name string
		tls  *tls.Config // nil speaks none
		want policy.TransportFault
	}{
		{"one that proves itself", serving(good, nil), ""},
		{"self-signed", serving(self, nil), policy.FaultUntrusted},
		{"of another name", serving(name, nil), policy.FaultName},
		{"over", serving(over, nil), policy.FaultExpired},
		{"of a client", serving(clients, nil), policy.FaultInvalid},
		{"an older version", serving(good, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }), policy.FaultRefused},
		{"that wants a client certificate", serving(good, func(c *tls.Config) { c.ClientAuth, c.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12 }), policy.FaultRefused},
		{"without TLS", nil, policy.FaultPlain},
	} {
		for _, mode := range []policy.Mode{policy.Shadow, policy.Enforce} {
			served := make(chan struct{}, 9)
			answer := func(http.ResponseWriter, *http.Request) { served <- struct{}{} }
			addr := ""
			if c.tls == nil {
				addr = backend(t, answer)
			} else {
				addr = secure(t, c.tls, answer)
			}
			s := start(t, policyOf(stages{}, wellformed(mode)), addr, towards(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, ServerName: "localhost"}))
			a := raw(t, s.addr, "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			seen := s.observer.one(t)
			require.NotNil(t, seen.request.Response, c.name)
			require.NotNil(t, seen.request.Response.TLS, c.name)
			facts := seen.request.Response.TLS
			assert.Equal(t, c.want, facts.Fault, "%s, %s", mode, c.name)
			if c.want == "" {
				assert.Equal(t, http.StatusOK, a.StatusCode)
				assert.Equal(t, "TLS 1.3", facts.Version)
				assert.NotEmpty(t, facts.Cipher)
				assert.Equal(t, policy.TrustVerified, facts.Certificate.Trust)
				assert.True(t, good.Leaf.NotAfter.Equal(facts.Certificate.Until) || root.Leaf.NotAfter.Equal(facts.Certificate.Until))
				continue
			}
			assert.Equal(t, http.StatusBadGateway, a.StatusCode, "%s, %s", mode, c.name)
			assert.Equal(t, policy.Failed, seen.outcome.Disposition, c.name)
			assert.NotContains(t, a.body, "certificate", "%s: the client learns nothing", c.name)
			assert.Empty(t, served, c.name)
		}
	}
	// In TLS 1.3 the client's handshake has ended when the backend refuses its certificate,
	// so that the alert can come too late to be seen. The answer is the same.
	s := start(t, policyOf(stages{}), secure(t, serving(good, func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }), func(http.ResponseWriter, *http.Request) {}),
		towards(&tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, ServerName: "localhost"}))
	assert.Equal(t, http.StatusBadGateway, raw(t, s.addr, "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").StatusCode)
	// What is no fault of TLS is none.
	s = start(t, policyOf(stages{}), proxytest.FreeAddress(t), towards(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}))
	assert.Equal(t, http.StatusBadGateway, raw(t, s.addr, "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").StatusCode)
	assert.Nil(t, s.observer.one(t).request.Response.TLS)
}

// A transport that is replaced gets no new request, and what it has begun ends.
func TestBackendTransportIsReplacedWhileItServes(t *testing.T) {
	t.Parallel()
	root, pool := newAuthority(t)
	_, others := newAuthority(t)
	good, _ := root.issue(t, nil)
	begun, finish := make(chan struct{}), make(chan struct{})
	addr := secure(t, &tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS12}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(begun)
			<-finish
		}
		_, _ = io.WriteString(w, "done")
	})
	made := func(roots *x509.CertPool) *http.Transport {
		return proxy.NewTransport(proxy.Backend{
			Connect: time.Minute, Response: time.Minute, Idle: time.Minute, MaxIdle: 4,
			TLS: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: "localhost"},
		})
	}
	transport := proxy.NewBackendTransport(made(pool))
	t.Cleanup(transport.CloseIdleConnections)
	get := func(path string) (string, error) {
		req, err := http.NewRequest(http.MethodGet, "https://"+addr+path, nil)
		require.NoError(t, err)
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return "", err
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		return string(b), err
	}
	slow := make(chan string, 1)
	go func() {
		text, err := get("/slow")
		slow <- fmt.Sprint(text, err)
	}()
	<-begun
	transport.Use(made(others))
	_, err := get("/")
	require.Error(t, err, "the old authority is gone")
	close(finish)
	assert.Equal(t, "done<nil>", <-slow, "what was begun under it ends")
	transport.Use(made(pool))
	text, err := get("/")
	require.NoError(t, err)
	assert.Equal(t, "done", text)
}
