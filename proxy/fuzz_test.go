package proxy_test

import (
	"bufio"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/sidewarden/sidewarden/proxy"
)

type roundTrip func(*http.Request) *http.Response

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req), nil }

// Whatever head arrives, target and header fields of the record are those of the
// request that goes to the backend.
func FuzzWhatIsJudgedIsForwarded(f *testing.F) {
	f.Add("GET", "/a%2Fb?x=1;y", "X-Account-Id: a\r\nConnection: x-account-id, close")
	f.Add("GET", "x:%2fadmin?y", "Te: trailers\r\nConnection: te,Authorization\r\nAuthorization: Bearer x")
	f.Add("CONNECT", "h:1?x", "Connection: Upgrade\r\nUpgrade: a")
	f.Add("POST", "http://h", "Proxy-Authorization: x\r\nConnection: X-Forwarded-For\r\nX-Forwarded-For: 1\r\nForwarded: for=1")
	f.Fuzz(func(t *testing.T, method, target, header string) {
		if len(method)+len(target)+len(header) > 4<<10 {
			return
		}
		message := method + " " + target + " HTTP/1.1\r\nHost: h\r\n" + header + "\r\n\r\n"
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(message)))
		if err != nil {
			return
		}
		var sent *http.Request
		obs := &observer{}
		h := proxy.New(proxy.Options{
			Policy: policyOf(stages{}), Observer: obs, Backend: &url.URL{Scheme: "http", Host: "backend"},
			Transport: roundTrip(func(out *http.Request) *http.Response {
				sent = out
				return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: http.NoBody}
			}),
			MaxHeldBytes: 1 << 20, Now: time.Now, NewID: func() string { return "id" }, Log: zap.NewNop(),
		})
		h.ServeHTTP(httptest.NewRecorder(), req)
		require.Len(t, obs.seen, 1)
		if sent == nil {
			return // an upgrade that ReverseProxy refuses
		}
		judged := obs.seen[0].request
		path, query, _ := strings.Cut(sent.URL.RequestURI(), "?")
		if sent.Method == http.MethodConnect && sent.URL.Path == "" && sent.URL.Opaque == "" {
			path, query = sent.Host, "" // as http.Request.Write does
		}
		require.Equal(t, path, judged.Path)
		require.Equal(t, query, judged.RawQuery)
		require.Equal(t, endToEnd(sent.Header), endToEnd(judged.Header))
	})
}

// endToEnd drops what no control knows of and what only keeps net/http from adding
// a field.
func endToEnd(h http.Header) http.Header {
	h = maps.Clone(h)
	for _, name := range []string{"Connection", "Upgrade", "Te"} {
		delete(h, name)
	}
	if h.Get("User-Agent") == "" {
		delete(h, "User-Agent")
	}
	return h
}
