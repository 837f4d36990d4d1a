package admin_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/proxy/admin"
)

func handler(ready error) http.Handler {
	return admin.New(admin.Options{
		Ready: func() error { return ready },
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("metrics"))
		}),
		Sources: map[string]func() (any, error){
			"cells":  func() (any, error) { return map[string]int{"a": 1}, nil },
			"broken": func() (any, error) { return nil, errors.New("secret") },
			"odd":    func() (any, error) { return func() {}, nil },
		},
	})
}

func TestAdmin(t *testing.T) {
	t.Parallel()
	local := map[string]string{"Host": "127.0.0.1:9901"}
	for _, c := range []struct {
		name, method, path string
		header             map[string]string
		ready              error
		status             int
		body               string
	}{
		{"healthy", "GET", "/healthz", local, nil, 200, "ok\n"},
		{"ready", "GET", "/readyz", local, nil, 200, "ready\n"},
		{"not ready", "GET", "/readyz", local, errors.New("no keys"), 503, "not ready: no keys\n"},
		{"metrics", "GET", "/metrics", local, nil, 200, "metrics"},
		{"metrics under any name", "GET", "/metrics", map[string]string{"Host": "sidecar.svc:9901"}, nil, 200, "metrics"},
		{"source", "GET", "/cells", local, nil, 200, "{\"a\":1}\n"},
		{"source by localhost", "GET", "/cells", map[string]string{"Host": "localhost:1"}, nil, 200, "{\"a\":1}\n"},
		{"source by IPv6", "GET", "/cells", map[string]string{"Host": "[::1]:1"}, nil, 200, "{\"a\":1}\n"},
		{"rebound name", "GET", "/cells", map[string]string{"Host": "evil.example"}, nil, 403, ""},
		{"foreign origin", "GET", "/cells", map[string]string{"Host": "127.0.0.1", "Origin": "http://evil.example"}, nil, 403, ""},
		{"cross-site fetch", "GET", "/cells", map[string]string{"Host": "127.0.0.1", "Sec-Fetch-Site": "cross-site"}, nil, 403, ""},
		{"no writing", "POST", "/cells", local, nil, 405, ""},
		{"unknown", "GET", "/debug/pprof/", local, nil, 404, ""},
		{"broken source names nothing", "GET", "/broken", local, nil, 500, "the document could not be made\n"},
		{"source that cannot be encoded", "GET", "/odd", local, nil, 500, "the document could not be encoded\n"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, c.path, nil)
		for k, v := range c.header {
			r.Header.Set(k, v)
		}
		r.Host = c.header["Host"]
		w := httptest.NewRecorder()
		handler(c.ready).ServeHTTP(w, r)
		assert.Equal(t, c.status, w.Code, c.name)
		if c.body != "" {
			assert.Equal(t, c.body, w.Body.String(), c.name)
		}
	}
}
