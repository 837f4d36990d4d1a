package openapi_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
)

// peer judges requests by kin-openapi, the way that its documentation shows.
type peer struct {
	router  routers.Router
	options *openapi3filter.Options
}

func newPeer(t testing.TB, contract string) peer {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(contract))
	require.NoError(t, err)
	router, err := legacy.NewRouter(doc)
	require.NoError(t, err)
	return peer{router, &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true}}
}

// incoming is the request as its server hands it over.
func (in *call) incoming(ctx context.Context) *http.Request {
	u := &url.URL{Path: in.path, RawQuery: in.query}
	r := &http.Request{Method: in.method, URL: u, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: in.header, Host: "api.example.net"}
	return r.WithContext(ctx)
}

func (p peer) judge(r *http.Request, body []byte) error {
	if body != nil {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	route, params, err := p.router.FindRoute(r)
	if err != nil {
		return err
	}
	return openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: p.options})
}

// processor is the processor time of this process, the collector's included. Time on
// the clock would count what else the machine does.
func processor(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// goal is what a request may cost. Zero says nothing.
type goal struct {
	micros float64
	allocs int
	faster float64 // at least so many times faster than kin
}

func measured(b *testing.B, g goal, size int, run func()) {
	b.ReportAllocs()
	before := processor(b)
	for b.Loop() {
		run()
	}
	cpu := float64((processor(b) - before).Nanoseconds()) / float64(b.N)
	b.ReportMetric(cpu, "cpu-ns/op")
	b.ReportMetric(float64(size), "size-B")
	b.ReportMetric(g.micros*1000, "budget-ns/op")
	b.ReportMetric(float64(g.allocs), "budget-allocs/op")
	b.ReportMetric(g.faster, "times-faster")
}

// BenchmarkContract measures a request from its path to its verdict, beside
// kin-openapi in the same run; make bench prints the table. Kin gets no body that is
// larger than it takes to see that it is linear too.
func BenchmarkContract(b *testing.B) {
	for _, version := range []string{"3.0.3", "3.1.0"} {
		fast := map[string]float64{"3.0.3": 5, "3.1.0": 100}[version]
		contract := orders(version, 61)
		s, kin := serve(b, contract), newPeer(b, contract)
		for _, row := range []struct {
			name string
			in   call
			goal goal
			kin  bool
		}{
			{"POST of 1 KB", postOrder(orderOf(4)), goal{5, 4, fast}, true},
			{"GET with two parameters", listOrders(), goal{0.7, 0, 0}, true},
			{"POST of 16 KiB", postOrder(orderOfSize(16 << 10)), goal{}, true},
			{"POST of 256 KiB", postOrder(orderOfSize(256 << 10)), goal{}, false},
			{"POST of 1 MiB", postOrder(orderOfSize(1 << 20)), goal{}, false},
		} {
			b.Run(benchName(row.name, version, "ours"), func(b *testing.B) {
				var r policy.Request
				require.Equal(b, "permit", said(s.judge(&r, &row.in).Schema))
				measured(b, row.goal, len(row.in.body), func() { s.judge(&r, &row.in) })
			})
			if row.kin {
				b.Run(benchName(row.name, version, "kin"), func(b *testing.B) {
					r := row.in.incoming(b.Context())
					require.NoError(b, kin.judge(r, row.in.body))
					measured(b, goal{}, len(row.in.body), func() { _ = kin.judge(r, row.in.body) })
				})
			}
		}
	}
	for _, operations := range []int{10, 100, 1000} {
		s := serve(b, orders("3.0.3", operations))
		b.Run(benchName(fmt.Sprintf("routing among %d", operations), "3.0.3", "ours"), func(b *testing.B) {
			r := policy.Request{Method: "GET", Path: fmt.Sprintf("/v1/things%d/t-1/parts/p-2", operations/2)}
			require.NotNil(b, s.matcher.Match(&r).Operation)
			measured(b, goal{}, 0, func() { s.matcher.Match(&r) })
		})
	}
	for _, version := range []string{"3.0.3", "3.1.0"} {
		s := serve(b, hostileContract(version))
		for i, h := range hostileBodies() {
			b.Run(benchName(h.name, version, "hostile"), func(b *testing.B) {
				var r policy.Request
				in := h.request(i)
				measured(b, goal{micros: 20_000 * max(1, float64(len(in.body))/hostileBytes)}, len(in.body), func() { s.judge(&r, &in) })
			})
		}
	}
}

// benchName is that of a part of the benchmark, as the table splits it.
func benchName(parts ...string) string { return strings.ReplaceAll(strings.Join(parts, "/"), " ", "_") }
