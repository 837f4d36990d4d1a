package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// authority is a certificate authority of its own for names that exist nowhere.
type authority struct {
	pool        *x509.CertPool
	certificate tls.Certificate
}

func newAuthority(t *testing.T, names ...string) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: realClock().Add(-time.Hour),
		NotAfter: realClock().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	require.NoError(t, err)
	ca, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, key)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	return authority{pool, tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: key}}
}

// serve starts a server with the certificate.
func (a authority) serve(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{a.certificate}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// forward is a forward proxy: it takes CONNECT and leads every name to one
// address. It is the only way of what goes through it, so it sees every host that
// is asked for.
type forward struct {
	to     string
	status int // of the refusal; zero lets everything through
	wg     sync.WaitGroup

	mu    sync.Mutex
	hosts []string
}

func (f *forward) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.wg.Add(1) // before the connection is taken from the server, which waits for no such one
	defer f.wg.Done()
	f.mu.Lock()
	f.hosts = append(f.hosts, r.Method+" "+r.Host)
	f.mu.Unlock()
	if r.Method != http.MethodConnect || f.status != 0 {
		w.WriteHeader(max(f.status, http.StatusBadGateway))
		return
	}
	there, err := net.Dial("tcp", f.to)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	here, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = there.Close()
		return
	}
	_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
	for _, way := range [][2]net.Conn{{here, there}, {there, here}} {
		f.wg.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			_ = way[0].Close()
		})
	}
}

func (f *forward) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := f.hosts
	f.hosts = nil
	return seen
}

// issuerBehindAProxy serves metadata, keys and traps under any name.
func issuerBehindAProxy(metadataOf func(host string) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/.well-known/oauth-authorization-server":
			_, _ = io.WriteString(w, metadataOf(r.Host))
		case "/keys":
			_, _ = w.Write(tokentest.JWKS(tokentest.EC()))
		case "/away":
			http.Redirect(w, r, "https://evil.example/keys", http.StatusFound)
		case "/down":
			http.Redirect(w, r, "http://idp.example.net/keys", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	})
}

func TestMetadataAndKeysThroughAProxy(t *testing.T) {
	ca := newAuthority(t, "idp.example.net", "keys.example.net")
	idp := ca.serve(t, issuerBehindAProxy(func(string) string { return metadata(issuerName, "https://keys.example.net/keys") }))
	through := &forward{to: idp.Listener.Addr().String()}
	proxy := httptest.NewServer(through)
	t.Cleanup(func() { proxy.Close(); through.wg.Wait() })
	at, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	o := token.KeySetOptions{
		Issuer: issuerName, DiscoveryHosts: []string{"keys.example.net"}, Algorithms: []string{"ES256"}, Now: realClock,
		RootCAs: ca.pool, Proxy: at,
	}
	result, err := discover(t, o).Refresh(t.Context())
	require.NoError(t, err)
	assert.Equal(t, token.RefreshOK, result)
	assert.Equal(t, []string{"CONNECT idp.example.net:443", "CONNECT keys.example.net:443"}, through.seen())

	byURL := o
	byURL.DiscoveryHosts, byURL.URL = nil, "https://keys.example.net/keys"
	result, err = discover(t, byURL).Refresh(t.Context())
	require.NoError(t, err)
	assert.Equal(t, token.RefreshOK, result)
	assert.Equal(t, []string{"CONNECT keys.example.net:443"}, through.seen())

	encrypted := o
	if encrypted.Proxy, err = url.Parse(ca.serve(t, through).URL); err != nil {
		t.Fatal(err)
	}
	result, err = discover(t, encrypted).Refresh(t.Context())
	require.NoError(t, err, "an https proxy by the same authorities")
	assert.Equal(t, token.RefreshOK, result)
	assert.Equal(t, []string{"CONNECT idp.example.net:443", "CONNECT keys.example.net:443"}, through.seen())

	stranger := o
	stranger.RootCAs = newAuthority(t, "idp.example.net").pool
	result, err = discover(t, stranger).Refresh(t.Context())
	require.ErrorContains(t, err, "certificate", "the proxy is no way around the authorities")
	assert.Equal(t, token.RefreshMetadata, result)

	through.status = http.StatusProxyAuthRequired
	result, err = discover(t, o).Refresh(t.Context())
	require.Error(t, err)
	assert.Equal(t, token.RefreshMetadata, result)
	assert.NotEmpty(t, through.seen())
}

// Whatever metadata, key set and redirects say: only hosts of the configuration are
// connected to. All connections go through a proxy that tells them.
func TestThreatServerSideRequestForgery(t *testing.T) {
	ca := newAuthority(t, "idp.example.net", "keys.example.net", "evil.example")
	for _, row := range []struct{ name, metadata, url string }{
		{"metadata of another host", metadata(issuerName, "https://evil.example/keys"), ""},
		{"metadata of an internal address", metadata(issuerName, "https://169.254.169.254/keys"), ""},
		{"metadata of another port", metadata(issuerName, "https://idp.example.net:8443/keys"), ""},
		{"metadata of another scheme", metadata(issuerName, "http://idp.example.net/keys"), ""},
		{"metadata of another issuer", metadata("https://evil.example", "https://evil.example/keys"), ""},
		{"metadata that leads to a redirect", metadata(issuerName, issuerName+"/away"), ""},
		{"metadata that leads to http", metadata(issuerName, issuerName+"/down"), ""},
		{"key set that leads to another host", "", issuerName + "/away"},
		{"key set that leads to http", "", issuerName + "/down"},
	} {
		t.Run(row.name, func(t *testing.T) {
			idp := ca.serve(t, issuerBehindAProxy(func(string) string { return row.metadata }))
			through := &forward{to: idp.Listener.Addr().String()}
			proxy := httptest.NewServer(through)
			defer func() { proxy.Close(); through.wg.Wait() }()
			at, err := url.Parse(proxy.URL)
			require.NoError(t, err)
			keys := discover(t, token.KeySetOptions{
				Issuer: issuerName, URL: row.url, Algorithms: []string{"ES256"}, Now: realClock, RootCAs: ca.pool, Proxy: at,
			})
			result, err := keys.Refresh(t.Context())
			require.Error(t, err)
			assert.NotEqual(t, token.RefreshOK, result)
			assert.False(t, keys.Ready())
			seen := through.seen()
			require.NotEmpty(t, seen)
			for _, host := range seen {
				assert.Equal(t, "CONNECT idp.example.net:443", host)
			}
		})
	}
}

func TestDiscoveryAndProxyOptionsAreJudged(t *testing.T) {
	proxy := func(text string) *url.URL {
		u, err := url.Parse(text)
		require.NoError(t, err)
		return u
	}
	for _, row := range []struct {
		name   string
		change func(*token.KeySetOptions)
		cause  string
	}{
		{"no URL", func(o *token.KeySetOptions) { o.Issuer = "idp" }, "give a URL or a file"},
		{"http", func(o *token.KeySetOptions) { o.Issuer = "http://idp.example.net" }, "give a URL or a file"},
		{"user", func(o *token.KeySetOptions) { o.Issuer = "https://u:p@idp.example.net" }, "give a URL or a file"},
		{"query", func(o *token.KeySetOptions) { o.Issuer = issuerName + "?a=b" }, "give a URL or a file"},
		{"empty query", func(o *token.KeySetOptions) { o.Issuer = issuerName + "?" }, "give a URL or a file"},
		{"empty fragment", func(o *token.KeySetOptions) { o.Issuer = issuerName + "#" }, "give a URL or a file"},
		{"host with a scheme", func(o *token.KeySetOptions) { o.DiscoveryHosts = []string{"https://keys.example.net"} }, "is not a host"},
		{"host with a path", func(o *token.KeySetOptions) { o.DiscoveryHosts = []string{"keys.example.net/"} }, "is not a host"},
		{"empty host", func(o *token.KeySetOptions) { o.DiscoveryHosts = []string{""} }, "is not a host"},
		{"proxy of another kind", func(o *token.KeySetOptions) { o.Proxy = proxy("socks5://proxy:1080") }, "not an http or https URL"},
		{"proxy without a host", func(o *token.KeySetOptions) { o.Proxy = proxy("http:///x") }, "not an http or https URL"},
		{"proxy with a password", func(o *token.KeySetOptions) { o.Proxy = proxy("http://user:the-secret@proxy:3128") }, "user or password"},
		{"http issuer by proxy", func(o *token.KeySetOptions) { o.Issuer, o.Proxy = "http://127.0.0.1:1", proxy("http://proxy:3128") }, "must be https"},
		{"http key set by proxy", func(o *token.KeySetOptions) { o.URL, o.Proxy = "http://127.0.0.1:1", proxy("http://proxy:3128") }, "must be https"},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := token.KeySetOptions{Issuer: issuerName, Algorithms: []string{"ES256"}, Now: atEpoch}
			row.change(&o)
			_, err := token.NewKeySet(o)
			require.ErrorContains(t, err, row.cause)
			assert.NotContains(t, err.Error(), "the-secret")
		})
	}
}
