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
	"maps"
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
	backendTLS                      map[string]prometheus.Counter // by state; complete
	reloads                         map[bool]prometheus.Counter
	reloadOK                        prometheus.Gauge

	digest atomic.Pointer[string]

	mu         sync.Mutex                            // for replacing operations
	operations atomic.Pointer[map[string]*operation] // replaced, never changed
	rest       *operation                            // all that operations does not have
}

// effects are the counters of one control, by effect and mode.
type effects [policy.NotApplicable + 1][policy.Enforce + 1]prometheus.Counter

func (e *effects) count(effect policy.Effect, mode policy.Mode) {
	if e != nil {
		e[effect][mode].Inc()
	}
}

var _ audit.Consumer = (*Metrics)(nil)

// New returns metrics without a policy; call Use with the first one before
// requests come.
func New(o Options) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), rest: newOperation(other)}
	m.operations.Store(&map[string]*operation{policy.UnmatchedID: newOperation(policy.UnmatchedID)})
	m.requests = newVec("requests_total", "Requests by what was done with them and the status class that the client got.",
		"operation", "method", "status_class", "disposition")
	m.denials = m.vec("control_denials_total", "Denials of a control, whether they blocked (mode enforce) or not (mode shadow).",
		"control", "operation", "mode")
	m.observations = m.vec("observations_total", "What answers said about violated controls, in front of and behind the sidecar.",
		"control", "operation", "position", "signal")
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
	counters := newVec("control_effects_total", "Verdicts of a control by effect and mode.", "control", "effect", "mode")
	m.registry.MustRegister(&folded{operations: m.all, counters: []prometheus.Collector{m.requests, counters}})
	failOpen := m.vec("fail_open_total", "Undecided verdicts that let a request through because their control is listed under insecure_fail_open.", "control")
	reloads := m.vec("reload_total", "Reloads of the configuration by result.", "result")
	handshakes := m.vec("backend_tls_total", "Requests to a backend that is reached over TLS, by whether its certificate was verified, or why there was no connection.", "state")
	m.backendTLS = map[string]prometheus.Counter{policy.StateVerified: handshakes.WithLabelValues(policy.StateVerified)}
	for _, fault := range policy.TransportFaults() {
		m.backendTLS[string(fault)] = handshakes.WithLabelValues(string(fault))
	}
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
	v := newVec(name, help, labels...)
	m.registry.MustRegister(v)
	return v
}

func newVec(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
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
	if len(p.Health) > 0 {
		plans = append([]*policy.Operation{p.Health[0]}, plans...) // all have one id
	}
	m.mu.Lock()
	known := maps.Clone(*m.operations.Load())
	for _, op := range plans {
		if known[op.ID] == nil && len(known) <= maxOperations { // the set also holds "unmatched"
			known[op.ID] = newOperation(op.ID)
		}
	}
	m.operations.Store(&known)
	m.mu.Unlock()
	for _, op := range plans {
		for _, rule := range op.Rules {
			m.observations.WithLabelValues(string(rule.Control), m.operation(op.ID).label, string(policy.AtBackend), string(policy.Leaked))
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

func (m *Metrics) operation(id string) *operation {
	if op, known := (*m.operations.Load())[id]; known {
		return op
	}
	return m.rest
}

// all returns every operation.
func (m *Metrics) all() []*operation {
	return append(slices.Collect(maps.Values(*m.operations.Load())), m.rest)
}

// Consume counts one record.
func (m *Metrics) Consume(rec *audit.Record) {
	op := m.operation(rec.Op.ID)
	op.consume(m, rec)
	if t := rec.Be.TLS; t != nil {
		if c, known := m.backendTLS[t.State]; known {
			c.Inc()
		}
	}
	for i := range rec.Findings {
		m.finding(op.label, &rec.Findings[i])
	}
	for _, o := range rec.Observations {
		m.observations.WithLabelValues(string(o.Control), op.label, string(o.Position), string(o.Signal)).Inc()
	}
}

func (m *Metrics) finding(op string, f *audit.Finding) {
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
