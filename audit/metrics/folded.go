package metrics

import "github.com/prometheus/client_golang/prometheus"

const (
	micro     = 1e6 // microseconds of a second
	maxBounds = 15
)

// histogram describes a metric that is counted in whole units.
type histogram struct {
	desc   *prometheus.Desc
	units  float64 // of one of the metric
	bounds []int64 // in units, at most maxBounds
}

//nolint:gochecknoglobals // immutable descriptions
var (
	overheadSeconds = &histogram{
		desc("overhead_seconds", "Time that the sidecar added before an answer began."), micro,
		[]int64{50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000},
	}
	backendSeconds = &histogram{
		desc("backend_seconds", "Time from forwarding a request to the head of the backend's answer."), micro,
		[]int64{1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1e6, 25e5, 5e6, 10e6, 30e6},
	}
	lifetimeSeconds = &histogram{
		desc("token_lifetime_seconds", "Whole lifetime of the tokens of authenticated requests, from issue to expiry."), 1,
		[]int64{60, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400, 604800, 2592000},
	}
	inspectedBytes = desc("inspected_bytes_total", "Body bytes that were inspected, of requests and answers.")
	partially      = desc("partial_inspection_total", "Requests of which a body was inspected in part, or not where a control asked for it.")
)

// samples are what a histogram saw: how many up to each bound and beyond the one
// before, how many beyond the last, and their sum.
type samples struct {
	counts [maxBounds + 1]uint64
	sum    float64
}

func (s *samples) observe(h *histogram, v int64) {
	i := 0
	for i < len(h.bounds) && v > h.bounds[i] {
		i++
	}
	s.counts[i]++
	s.sum += float64(v)
}

func (s *samples) add(more *samples) {
	for i := range s.counts {
		s.counts[i] += more.counts[i]
	}
	s.sum += more.sum
}

func (s *samples) send(out chan<- prometheus.Metric, h *histogram) {
	buckets := make(map[float64]uint64, len(h.bounds))
	var upTo uint64
	for i, bound := range h.bounds {
		upTo += s.counts[i]
		buckets[float64(bound)/h.units] = upTo
	}
	m, err := prometheus.NewConstHistogram(h.desc, upTo+s.counts[len(h.bounds)], s.sum/h.units, buckets)
	if err != nil {
		m = prometheus.NewInvalidMetric(h.desc, err)
	}
	out <- m
}

// folded adds up, at the time of the scrape, what the operations counted. Counts of
// operations never fall, and operations never go.
type folded struct {
	operations func() []*operation
	counters   []prometheus.Collector // that operations settle, not registered themselves
}

// Describe implements [prometheus.Collector].
func (f *folded) Describe(out chan<- *prometheus.Desc) {
	for _, c := range f.counters {
		c.Describe(out)
	}
	for _, d := range []*prometheus.Desc{overheadSeconds.desc, backendSeconds.desc, lifetimeSeconds.desc, inspectedBytes, partially} {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (f *folded) Collect(out chan<- prometheus.Metric) {
	var overhead, backend, lifetime samples
	var inspected, partial uint64
	for _, op := range f.operations() {
		op.mu.Lock()
		op.settle()
		inspected += op.inspected
		partial += op.partial
		overhead.add(&op.overhead)
		backend.add(&op.backend)
		lifetime.add(&op.lifetime)
		op.mu.Unlock()
	}
	for _, c := range f.counters {
		c.Collect(out)
	}
	count(out, inspectedBytes, inspected)
	count(out, partially, partial)
	overhead.send(out, overheadSeconds)
	backend.send(out, backendSeconds)
	lifetime.send(out, lifetimeSeconds)
}
