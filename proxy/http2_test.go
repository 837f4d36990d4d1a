package proxy_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy"
	"github.com/sidewarden/sidewarden/proxy/proxytest"
)

// hopTo is a backend by the version of HTTP that it is spoken to with.
type hopTo struct {
	name string
	tune func(*proxy.Options, *proxy.Backend)
	addr string
	bare *http.Transport // what a bare proxy would use
}

// hopsTo are a backend by HTTP/1.1, by HTTP/2 over TLS and by HTTP/2 without.
func hopsTo(t *testing.T, f http.HandlerFunc) []hopTo {
	t.Helper()
	root, pool := newAuthority(t)
	pair, _ := root.issue(t, nil)
	trusting := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, ServerName: "localhost"}
	plain := httptest.NewUnstartedServer(f)
	plain.Config.Protocols = proxy.ListenProtocols(false, true)
	plain.Start()
	t.Cleanup(plain.Close)
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	all := []hopTo{
		{"HTTP/1.1", func(*proxy.Options, *proxy.Backend) {}, backend(t, f), &http.Transport{DisableCompression: true}},
		{"HTTP/2.0", towards(trusting), secure(t, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, f), &http.Transport{DisableCompression: true, TLSClientConfig: trusting.Clone(), ForceAttemptHTTP2: true}},
		{"HTTP/2.0", func(_ *proxy.Options, b *proxy.Backend) { b.HTTP = proxy.H2C }, strings.TrimPrefix(plain.URL, "http://"), &http.Transport{DisableCompression: true, Protocols: h2c}},
	}
	for _, h := range all {
		t.Cleanup(h.bare.CloseIdleConnections)
	}
	return all
}

// servedByHTTP2 serves a handler over TLS with what the data listener is made of, and
// returns its address and a client that speaks HTTP/2 to it.
func servedByHTTP2(t *testing.T, h http.Handler) (string, *http.Transport) {
	t.Helper()
	root, pool := newAuthority(t)
	pair, _ := root.issue(t, nil)
	server := proxy.NewServer(h, proxy.Bounds{HeadBytes: 64 << 10, Head: time.Minute, Idle: time.Minute}, zap.NewNop())
	server.TLSConfig = proxy.NewListenTLS(proxy.ListenKeys{Certificate: pair, HTTP2: true}).Config()
	server.Protocols = proxy.ListenProtocols(true, false)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- server.ServeTLS(l, "", "") }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-done, http.ErrServerClosed)
	})
	client := &http.Transport{
		DisableCompression: true, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, ServerName: "localhost"},
	}
	t.Cleanup(client.CloseIdleConnections)
	return l.Addr().String(), client
}

// arrived is what a backend got.
type arrived struct {
	Proto, Method, Target, Host, Body string
	Header, Trailer                   http.Header
}

// keeper is a backend that keeps what it gets, and answers with an early hint, a body and a
// trailer.
type keeper struct {
	mu  sync.Mutex
	got []arrived
}

func (k *keeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Link", "</style.css>")
	w.WriteHeader(http.StatusEarlyHints)
	body, _ := io.ReadAll(r.Body)
	k.mu.Lock()
	k.got = append(k.got, arrived{r.Proto, r.Method, r.RequestURI, r.Host, string(body), r.Header.Clone(), r.Trailer.Clone()})
	k.mu.Unlock()
	w.Header().Set("Trailer", "Grpc-Status")
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, "answer")
	w.Header().Set("Grpc-Status", "0")
}

func (k *keeper) last(t *testing.T) arrived {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	require.NotEmpty(t, k.got)
	return k.got[len(k.got)-1]
}

// bareProxy forwards as httputil.ReverseProxy does when Host and what Rewrite takes away
// is kept.
func bareProxy(h hopTo) http.Handler {
	scheme := "http"
	if h.bare.TLSClientConfig != nil {
		scheme = "https"
	}
	return &httputil.ReverseProxy{
		Transport: h.bare,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = scheme, h.addr, p.In.Host
			p.Out.URL.RawQuery = p.In.URL.RawQuery
			if values, ok := p.In.Header["X-Forwarded-For"]; ok {
				p.Out.Header["X-Forwarded-For"] = values
			}
		},
	}
}

// A request of HTTP/2 reaches every kind of backend as it does through a bare proxy: its
// authority as Host, the fields of a split cookie as one (RFC 9113 section 8.2.3), and
// trailers of answers and informational answers pass.
func TestHTTP2ShadowParity(t *testing.T) {
	t.Parallel()
	k := &keeper{}
	for _, h := range hopsTo(t, k.ServeHTTP) {
		s := start(t, policyOf(stages{}), h.addr, h.tune)
		addr, client := servedByHTTP2(t, s.handler)
		bareAddr, bareClient := servedByHTTP2(t, bareProxy(h))
		for _, c := range []struct {
			name, method, target, host, body string
			header                           http.Header
			trailer                          bool
		}{
			{name: "plain", method: "GET", target: "/a?x=1;y=2&z=%zz", host: "api.example.net"},
			{name: "a port", method: "GET", target: "/a%2Fb/..", host: "api.example.net:8443"},
			{name: "a space, which would end a target of HTTP/1", method: "GET", target: "/a HTTP/1.1", host: "a"},
			{name: "cookies", method: "GET", target: "/", host: "a", header: http.Header{"Cookie": {"a=1", "b=2", "c=3"}}},
			{name: "lists", method: "GET", target: "/", host: "a", header: http.Header{"X-List": {"1", "2"}, "X-Forwarded-For": {"192.0.2.1"}, "Te": {"trailers"}}},
			{name: "a body", method: "POST", target: "/b", host: "a", body: "body", header: http.Header{"Content-Type": {"text/plain"}}},
			{name: "a trailer", method: "POST", target: "/b", host: "a", body: "body", trailer: true},
		} {
			send := func(at string, through *http.Transport) (arrived, string) {
				var hints []int
				ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
					Got1xxResponse: func(code int, _ textproto.MIMEHeader) error { hints = append(hints, code); return nil },
				})
				var body io.Reader
				if c.body != "" {
					body = io.MultiReader(strings.NewReader(c.body)) // of no declared length
				}
				req, err := http.NewRequestWithContext(ctx, c.method, "https://"+at, body)
				require.NoError(t, err)
				req.URL.Opaque, req.Host = "//"+c.host+c.target, c.host // by which net/http leaves the target alone
				req.Header = c.header.Clone()
				if req.Header == nil {
					req.Header = http.Header{}
				}
				if c.trailer {
					req.Trailer = http.Header{"X-Checksum": {"1"}}
				}
				resp, err := through.RoundTrip(req)
				require.NoError(t, err, c.name)
				text, err := io.ReadAll(resp.Body)
				require.NoError(t, err, c.name)
				require.NoError(t, resp.Body.Close())
				assert.Equal(t, "HTTP/2.0", resp.Proto)
				return k.last(t), fmt.Sprint(resp.StatusCode, string(text), resp.Header["Link"], resp.Trailer, hints)
			}
			got, answer := send(addr, client)
			want, wantAnswer := send(bareAddr, bareClient)
			assert.Equal(t, want, got, "%s, %s", h.name, c.name)
			assert.Equal(t, wantAnswer, answer, "%s, %s", h.name, c.name)
			assert.Equal(t, h.name, got.Proto)
			assert.Equal(t, c.host, got.Host, c.name)
			assert.Contains(t, answer, "Grpc-Status:[0]", "%s, %s", h.name, c.name)
			assert.Contains(t, answer, "[103]", "%s, %s", h.name, c.name)
			if c.name == "cookies" {
				assert.Equal(t, []string{"a=1; b=2; c=3"}, got.Header["Cookie"])
			}
			if c.trailer { // announced, without a value: a bare proxy copies it before it has come
				assert.Equal(t, http.Header{"X-Checksum": nil}, got.Trailer)
			}
		}
	}
}

// A call that streams both ways, as gRPC does, is not held: each side gets a message
// before the other has said all.
func TestHTTP2StreamsBothWays(t *testing.T) {
	t.Parallel()
	echo := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		buf := make([]byte, 16)
		for {
			n, err := r.Body.Read(buf)
			if n > 0 {
				_, _ = w.Write(buf[:n])
				_ = http.NewResponseController(w).Flush()
			}
			if err != nil {
				break
			}
		}
		w.Header().Set("Grpc-Status", "0")
	}
	for i, h := range hopsTo(t, echo) {
		if h.name != "HTTP/2.0" {
			continue
		}
		s := start(t, policyOf(stages{}), h.addr, h.tune)
		addr, client := servedByHTTP2(t, s.handler)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		in, out := io.Pipe()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+addr+"/svc/Call", in)
		require.NoError(t, err)
		req.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}}
		resp, err := client.RoundTrip(req)
		require.NoError(t, err, i)
		buf := make([]byte, 4)
		for _, message := range []string{"one.", "two.", "tri."} {
			_, err = io.WriteString(out, message)
			require.NoError(t, err)
			_, err = io.ReadFull(resp.Body, buf)
			require.NoError(t, err)
			assert.Equal(t, message, string(buf))
		}
		require.NoError(t, out.Close())
		rest, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		assert.Empty(t, rest)
		assert.Equal(t, http.Header{"Grpc-Status": {"0"}}, resp.Trailer)
		require.NoError(t, resp.Body.Close())
		cancel()
	}
}

// What is spoken is what is configured.
func TestVersionsOfHTTP(t *testing.T) {
	t.Parallel()
	root, pool := newAuthority(t)
	pair, _ := root.issue(t, nil)
	for _, h2 := range []bool{true, false} {
		config := proxy.NewListenTLS(proxy.ListenKeys{Certificate: pair, HTTP2: h2}).Config()
		l, err := tls.Listen("tcp", "127.0.0.1:0", config)
		require.NoError(t, err)
		server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })}
		server.Protocols = proxy.ListenProtocols(h2, false)
		server.TLSConfig = config
		proxytest.Serve(t, server, l)
		for _, versions := range []proxy.HTTPVersions{proxy.HTTPAuto, proxy.HTTP1} {
			transport := proxy.NewTransport(proxy.Backend{
				Connect: time.Minute, Response: time.Minute, Idle: time.Minute, MaxIdle: 1, HTTP: versions,
				TLS: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, ServerName: "localhost"},
			})
			req, err := http.NewRequest(http.MethodGet, (&url.URL{Scheme: "https", Host: l.Addr().String()}).String(), nil)
			require.NoError(t, err)
			resp, err := transport.RoundTrip(req)
			require.NoError(t, err)
			want := "HTTP/1.1"
			if h2 && versions == proxy.HTTPAuto {
				want = "HTTP/2.0"
			}
			assert.Equal(t, want, resp.Proto)
			require.NoError(t, resp.Body.Close())
			transport.CloseIdleConnections()
		}
	}
	pool = x509.NewCertPool()
	assert.False(t, slices.Contains(proxy.NewListenTLS(proxy.ListenKeys{Certificate: pair, ClientCAs: pool}).Config().NextProtos, "h2"))
}

// What is refused on one stream leaves the others of its connection alone; and what
// HTTP/1 is refused for, HTTP/2 is, too.
func TestHTTP2RefusalsEndNoConnection(t *testing.T) {
	t.Parallel()
	s := start(t, framed(policy.Enforce), backend(t, func(http.ResponseWriter, *http.Request) {}))
	addr, client := servedByHTTP2(t, s.handler)
	for i, expect := range []string{"", "wonders", ""} {
		reused := false
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused }})
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+addr+"/", nil)
		require.NoError(t, err)
		status := http.StatusOK
		if expect != "" {
			req.Header.Set("Expect", expect)
			status = http.StatusExpectationFailed
		}
		resp, err := client.RoundTrip(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, status, resp.StatusCode)
		assert.Equal(t, i > 0, reused, "request %d", i)
	}
}
