package budget_test

import (
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy/frame"
)

// cost is what one request may cost a stage: microseconds of processor time on
// the machine of docs/performance.md, and allocations anywhere.
type cost struct {
	micros      float64
	allocations int
}

// stage is a part of the request path with its budget. A stage that is not built
// has no work.
type stage struct {
	name      string
	get, post cost
	// work prepares one run; nil work, or a nil result, has nothing to do for that
	// request.
	work func(t testing.TB, w *world, method string) func()
}

// stages is the budget. docs/performance.md shows it, the tests hold it.
func stages() []stage {
	return []stage{
		{"framing, canonical form, headers", cost{1.2, 0}, cost{1.2, 0}, follow},
		{"route and parameters", cost{0.7, 1}, cost{0.7, 1}, match},
		{"body", cost{}, cost{4.5, 7}, inspect},
		{"token (remembered)", cost{0.6, 0}, cost{0.6, 0}, authenticate},
		{"checks", cost{0.7, 1}, cost{0.7, 1}, evaluate},
		{"limits", cost{0.4, 1}, cost{0.4, 1}, spend},
		{"observe and classify", cost{0.6, 0}, cost{0.6, 0}, classify},
		{"metrics and evidence", cost{0.4, 0}, cost{0.4, 0}, consume},
		{"record, the request's side", cost{1.2, 2}, cost{1.2, 3}, record},
		{"record, the writer's side", cost{2.2, 0}, cost{2.2, 0}, write},
	}
}

func (s stage) cost(method string) cost {
	if method == post {
		return s.post
	}
	return s.get
}

// decided runs every stage once, as the proxy does, and returns what is known at
// the end of a request that everything permits.
func (w *world) decided(t testing.TB, method string) (*policy.Request, policy.Decision, policy.Outcome) {
	t.Helper()
	ctx := t.Context()
	r := w.request(method)
	r.Match = w.policy.Matcher.Match(r)
	require.NotNil(t, r.Match.Operation)
	r.Auth = w.policy.Authenticator.Authenticate(ctx, r)
	d := w.policy.Evaluate(ctx, r, policy.HeadPhase)
	r.Spent = w.policy.Spender.Spend(ctx, r, d)
	d = w.policy.Extend(ctx, r, d, policy.LimitPhase)
	if method == post {
		body := order()
		r.Body = r.Match.Operation.In.Inspect(r, body, int64(len(body)), true)
	} else if in := r.Match.Operation.In; in != nil {
		r.Body = in.Inspect(r, nil, 0, true)
	}
	d = w.policy.Extend(ctx, r, d, policy.BodyPhase)
	r.Response = &policy.Response{Status: 200}
	require.True(t, d.Clean(), "%+v", d)
	return r, d, policy.Outcome{
		Disposition: policy.Allowed, Status: 200, BackendStatus: 200, Class: policy.ClassOf(r, w.policy.Hints),
		Instance: "orders-2", Overhead: 31_000, Elapsed: 4_200_000, Backend: 4_000_000, Sent: 43, Policy: w.policy.Digest,
	}
}

// follow is what a connection and its fields cost beside the checks, which are counted
// as such: finding where the request ends, and what the backend must not see.
func follow(t testing.TB, w *world, method string) func() {
	t.Helper()
	r, _, _ := w.decided(t, method)
	raw := []byte(method + " " + r.Target + " HTTP/1.1\r\nHost: " + r.Host + "\r\n")
	for name, values := range r.Header {
		for _, value := range values {
			raw = append(raw, name+": "+value+"\r\n"...)
		}
	}
	if method == post {
		raw = append(raw, "Content-Length: "+strconv.Itoa(len(order()))+"\r\n"...)
	}
	raw = append(raw, "\r\n"...)
	if method == post {
		raw = append(raw, order()...)
	}
	var s frame.Scanner
	s.Reset(len(raw))
	return func() {
		for at, e := 0, frame.More; e != frame.End; {
			n := 0
			if n, e = s.Scan(raw[at:]); e != frame.Head && e != frame.End {
				t.Fatalf("the scanner says %d at %d", e, at)
			}
			at += n
		}
		r.Match.Operation.Strip.Strip(r)
	}
}

func match(t testing.TB, w *world, method string) func() {
	t.Helper()
	r, _, _ := w.decided(t, method)
	return func() { w.policy.Matcher.Match(r) }
}

func inspect(t testing.TB, w *world, method string) func() {
	t.Helper()
	if method != post {
		return nil
	}
	r, _, _ := w.decided(t, method)
	body, in := order(), r.Match.Operation.In
	return func() { in.Inspect(r, body, int64(len(body)), true) }
}

func authenticate(t testing.TB, w *world, method string) func() {
	t.Helper()
	r, _, _ := w.decided(t, method)
	ctx := t.Context()
	return func() { w.policy.Authenticator.Authenticate(ctx, r) }
}

func evaluate(t testing.TB, w *world, method string) func() {
	t.Helper()
	r, _, _ := w.decided(t, method)
	ctx := t.Context()
	return func() {
		d := w.policy.Evaluate(ctx, r, policy.HeadPhase)
		d = w.policy.Extend(ctx, r, d, policy.LimitPhase)
		w.policy.Extend(ctx, r, d, policy.BodyPhase)
	}
}

func spend(t testing.TB, w *world, method string) func() {
	t.Helper()
	r, d, _ := w.decided(t, method)
	ctx := t.Context()
	return func() {
		r.Time = w.clock.now()
		w.policy.Spender.Spend(ctx, r, d)
	}
}

func classify(t testing.TB, w *world, method string) func() {
	t.Helper()
	r, d, o := w.decided(t, method)
	return func() {
		o.Class = policy.ClassOf(r, w.policy.Hints)
		policy.Classify(d, o)
	}
}

// last keeps the last record.
type last struct{ rec *audit.Record }

func (l *last) Consume(rec *audit.Record) { l.rec = rec }

func (w *world) record(t testing.TB, method string) *audit.Record {
	t.Helper()
	var got last
	pseudonyms, err := audit.NewPseudonymizer(nil, "", "orders")
	require.NoError(t, err)
	audit.NewRecorder(audit.Options{
		Product: "orders", Environment: "budget", Instance: "i-1", Version: "1", RequestIDHeader: "X-Request-Id",
		Pseudonyms: pseudonyms, Consumers: []audit.Consumer{&got},
	}).Observe(w.decided(t, method))
	return got.rec
}

func consume(t testing.TB, w *world, method string) func() {
	t.Helper()
	rec := w.record(t, method)
	return func() {
		w.metrics.Consume(rec)
		w.evidence.Consume(rec)
		w.census.Consume(rec)
		w.endpoints.Consume(rec)
	}
}

func record(t testing.TB, w *world, method string) func() {
	t.Helper()
	r, d, o := w.decided(t, method)
	return func() { w.recorder.Observe(r, d, o) }
}

func write(t testing.TB, w *world, method string) func() {
	t.Helper()
	rec := w.record(t, method)
	buf := make([]byte, 0, audit.MaxLine)
	return func() {
		if _, err := rec.AppendLine(buf); err != nil {
			t.Fatal(err)
		}
	}
}

// processor is the processor time of this process, the collector's included. Time
// on the clock would count what else the machine does.
func processor(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkStage measures each stage beside its budget; make bench prints both.
func BenchmarkStage(b *testing.B) {
	for _, s := range stages() {
		for _, method := range []string{get, post} {
			if s.work == nil {
				continue
			}
			run := s.work(b, newWorld(b, "enforce"), method)
			if run == nil {
				continue
			}
			b.Run(s.name+"/"+method, func(b *testing.B) {
				b.ReportAllocs()
				before := processor(b)
				for b.Loop() {
					run()
				}
				b.ReportMetric(float64((processor(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
				b.ReportMetric(s.cost(method).micros*1000, "budget-ns/op")
				b.ReportMetric(float64(s.cost(method).allocations), "budget-allocs/op")
			})
		}
	}
}

// BenchmarkHandler measures the whole path, from the parsed request to the end of
// its answer, with a backend in the process. A sidecar with everything off does
// what a reverse proxy does, and records it.
func BenchmarkHandler(b *testing.B) {
	for _, mode := range modes() {
		for _, method := range []string{get, post} {
			b.Run(mode+"/"+method, func(b *testing.B) {
				serve := newWorld(b, mode).serve(b, method)
				b.ReportAllocs()
				for b.Loop() {
					serve()
				}
			})
		}
	}
}
