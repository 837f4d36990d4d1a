// Package metrics counts audit records for Prometheus.
//
// A [Metrics] is a consumer of records with a registry of its own. What no record
// tells (key sets, the log's queue, refused connections) it asks of [Sources] when
// it is scraped, so that no other package needs to know Prometheus.
//
// # Bounded labels
//
// Every label value is from a closed set: the controls of the catalogue, the words
// of package policy, the operations of the contract (the first 500 seen since the
// start, then "other"), configured issuers. No value of a client becomes a label,
// so hostile traffic cannot make series. Counters whose increase is alerted on
// exist from the start at 0, because PromQL's increase() does not see the step by
// which a series appears: sidewarden_observations_total has a series of position
// "backend" and signal "leaked" for every rule of every operation before the first
// request, so that this query finds also the first leak:
//
//	sum by (operation, control)
//	  (increase(sidewarden_observations_total{position="backend",signal="leaked"}[1d]))
//
// # What it leaves to others
//
// Serving the handler, and thereby who may read it, belongs to the admin listener.
package metrics

import (
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

const (
	namespace     = "sidewarden"
	maxOperations = 500
	other         = "other"
)

// Options are what a Metrics is made from.
type Options struct {
	// Version is the version of the program, for build_info.
	Version string
	// Sources are asked at every scrape.
	Sources Sources
}

// Metrics counts records. It implements [audit.Consumer] and is safe for
// concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	requests, denials, observations *prometheus.CounterVec
	effects                         map[policy.Control]*effects // complete and never changed after New
	failOpen                        map[policy.Control]prometheus.Counter
	overhead, backend, lifetime     prometheus.Histogram
	inspected, partial              prometheus.Counter
	reloads                         map[bool]prometheus.Counter
	reloadOK                        prometheus.Gauge

	digest atomic.Pointer[string]

	mu         sync.RWMutex // guards operations and counters
	operations map[string]struct{}
	counters   map[requestLabels]prometheus.Counter // of requests, as they were asked for
}

// effects are the counters of one control, by effect and mode.
type effects [policy.NotApplicable + 1][policy.Enforce + 1]prometheus.Counter

func (e *effects) count(effect policy.Effect, mode policy.Mode) {
	if e != nil {
		e[effect][mode].Inc()
	}
}

// requestLabels are the labels of requests_total.
type requestLabels struct {
	operation, method, disposition string
	class                          int // the first digit of the status
}

var _ audit.Consumer = (*Metrics)(nil)

// New returns metrics without a policy; call Use with the first one before
// requests come.
func New(o Options) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), operations: map[string]struct{}{policy.UnmatchedID: {}}, counters: map[requestLabels]prometheus.Counter{}}
	m.requests = m.vec("requests_total", "Requests by what was done with them and the status class that the client got.",
		"operation", "method", "status_class", "disposition")
	m.denials = m.vec("control_denials_total", "Denials of a control, whether they blocked (mode enforce) or not (mode shadow).",
		"control", "operation", "mode")
	m.observations = m.vec("observations_total", "What answers said about violated controls, in front of and behind the sidecar.",
		"control", "operation", "position", "signal")
	m.overhead = m.histogram("overhead_seconds", "Time that the sidecar added before an answer began.",
		[]float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1})
	m.backend = m.histogram("backend_seconds", "Time from forwarding a request to the head of the backend's answer.",
		[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30})
	m.lifetime = m.histogram("token_lifetime_seconds", "Whole lifetime of the tokens of authenticated requests, from issue to expiry.",
		[]float64{60, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400, 604800, 2592000})
	m.inspected = m.counter("inspected_bytes_total", "Body bytes that were inspected, of requests and answers.")
	m.partial = m.counter("partial_inspection_total", "Requests of which a body was inspected in part, or not where a control asked for it.")
	m.reloadOK = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "reload_success", Help: "Whether the last load of the configuration succeeded.",
	})
	m.reloadOK.Set(1)
	m.fixed()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Version of the program; always 1.",
		ConstLabels: prometheus.Labels{"version": o.Version},
	})
	build.Set(1)
	m.registry.MustRegister(m.reloadOK, build, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&scraped{sources: o.Sources, digest: &m.digest})
	return m
}

// fixed makes the series whose labels are known: every implemented control with
// every effect and mode. Consume finds them without a lock.
func (m *Metrics) fixed() {
	counters := m.vec("control_effects_total", "Verdicts of a control by effect and mode.", "control", "effect", "mode")
	failOpen := m.vec("fail_open_total", "Undecided verdicts that let a request through because their control is listed under insecure_fail_open.", "control")
	reloads := m.vec("reload_total", "Reloads of the configuration by result.", "result")
	m.effects = make(map[policy.Control]*effects)
	m.failOpen = make(map[policy.Control]prometheus.Counter)
	for _, entry := range policy.Catalogue() {
		if !entry.Implemented {
			continue
		}
		m.failOpen[entry.ID] = failOpen.WithLabelValues(string(entry.ID))
		of := &effects{}
		m.effects[entry.ID] = of
		for _, e := range []policy.Effect{policy.Permit, policy.Deny, policy.NotApplicable, policy.Indeterminate} {
			for _, mode := range []policy.Mode{policy.Shadow, policy.Enforce} {
				of[e][mode] = counters.WithLabelValues(string(entry.ID), e.String(), mode.String())
			}
		}
	}
	m.reloads = map[bool]prometheus.Counter{
		true: reloads.WithLabelValues("success"), false: reloads.WithLabelValues("failure"),
	}
}

func (m *Metrics) vec(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets})
	m.registry.MustRegister(h)
	return h
}

// Use tells which policy decides from now on: its digest, its operations, and the
// series of leaks that its rules may show. Operations of earlier policies keep
// their series and count towards the bound of 500.
func (m *Metrics) Use(p *policy.Policy) {
	digest := p.Digest
	m.digest.Store(&digest)
	plans := p.Operations
	if p.Unmatched != nil {
		plans = append([]*policy.Operation{p.Unmatched}, plans...)
	}
	m.mu.Lock()
	for _, op := range plans {
		if len(m.operations) <= maxOperations { // the set also holds "unmatched"
			m.operations[op.ID] = struct{}{}
		}
	}
	m.mu.Unlock()
	for _, op := range plans {
		for _, rule := range op.Rules {
			m.observations.WithLabelValues(string(rule.Control), m.operation(op.ID), string(policy.AtBackend), string(policy.Leaked))
		}
	}
}

// Reloaded counts a reload of the configuration. After a failed one the old policy
// stays in force and reload_success is 0 until one succeeds.
func (m *Metrics) Reloaded(ok bool) {
	m.reloads[ok].Inc()
	if ok {
		m.reloadOK.Set(1)
		return
	}
	m.reloadOK.Set(0)
}

func (m *Metrics) operation(id string) string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if _, known := m.operations[id]; known {
		return id
	}
	return other
}

// request returns the counter of a request. Labels are of closed sets, so as many
// are kept as there are series.
func (m *Metrics) request(op string, rec *audit.Record) prometheus.Counter {
	labels := requestLabels{op, rec.HTTP.Method, rec.Disposition, rec.Client.Status / 100}
	m.mu.RLock()
	c, known := m.counters[labels]
	m.mu.RUnlock()
	if !known {
		c = m.requests.WithLabelValues(op, rec.HTTP.Method, statusClass(rec.Client.Status), rec.Disposition)
		m.mu.Lock()
		m.counters[labels] = c
		m.mu.Unlock()
	}
	return c
}

// Consume counts one record.
func (m *Metrics) Consume(rec *audit.Record) {
	op := m.operation(rec.Op.ID)
	m.request(op, rec).Inc()
	m.verdicts(op, rec)
	for _, o := range rec.Observations {
		m.observations.WithLabelValues(string(o.Control), op, string(o.Position), string(o.Signal)).Inc()
	}
	if rec.OverheadUS > 0 {
		m.overhead.Observe((time.Duration(rec.OverheadUS) * time.Microsecond).Seconds())
	}
	if rec.Be.LatencyMS > 0 {
		m.backend.Observe(rec.Be.LatencyMS / 1000)
	}
	if rec.Tok != nil && rec.Tok.TTLS != nil && rec.Auth.Outcome == audit.AuthSuccess {
		m.lifetime.Observe(float64(*rec.Tok.TTLS))
	}
	m.inspected.Add(float64(rec.HTTP.InspectedBytes))
	if rec.HTTP.PartiallyInspected {
		m.partial.Inc()
	}
}

func (m *Metrics) verdicts(op string, rec *audit.Record) {
	for i := range rec.Findings {
		f := &rec.Findings[i]
		mode := policy.Shadow
		if f.Mode == policy.Enforce.String() {
			mode = policy.Enforce
		}
		switch f.Effect {
		case policy.Indeterminate.String():
			m.effects[f.Control].count(policy.Indeterminate, mode)
		case policy.Deny.String():
			m.effects[f.Control].count(policy.Deny, mode)
			m.denials.WithLabelValues(string(f.Control), op, f.Mode).Inc()
		}
		if c, ok := m.failOpen[f.Control]; ok && f.FailedOpen {
			c.Inc()
		}
	}
	m.passes(rec, rec.Permits, policy.Permit)
	m.passes(rec, rec.NotApplicable, policy.NotApplicable)
}

// passes counts the controls of a list. A record has them in order of evaluation,
// and those that enforce too, so that each is usually the next one there.
func (m *Metrics) passes(rec *audit.Record, list []policy.Control, effect policy.Effect) {
	next := 0
	for _, c := range list {
		mode := policy.Shadow
		if next < len(rec.Enforced) && rec.Enforced[next] == c {
			mode = policy.Enforce
			next++
		} else if at := slices.Index(rec.Enforced, c); at >= 0 {
			mode = policy.Enforce
			next = at + 1
		}
		m.effects[c].count(effect, mode)
	}
}

func statusClass(status int) string {
	if status < 100 || status > 599 {
		return "none"
	}
	return strconv.Itoa(status/100) + "xx"
}

// Gatherer returns the registry, for tests and dashboards that read it directly.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// Handler answers scrapes, in OpenMetrics where the client asks for it. At most
// four scrapes run at once, each for at most 10 seconds; more get 503. A source
// that fails is counted, and the rest is still served.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		Registry:            m.registry,
		ErrorHandling:       promhttp.ContinueOnError,
		EnableOpenMetrics:   true,
		MaxRequestsInFlight: 4,
		Timeout:             10 * time.Second,
	})
}
