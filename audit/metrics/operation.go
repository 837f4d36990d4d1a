package metrics

import (
	"math"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

// operation counts the requests of one operation in plain numbers, because one
// lock costs less than an atomic addition for every control. They are added up
// when they are scraped.
type operation struct {
	label string // its id, or other

	mu sync.Mutex // guards the rest

	// requests counts those with the labels of the last one.
	requests uint64
	labels   requestLabels
	counter  prometheus.Counter                   // of labels
	series   map[requestLabels]prometheus.Counter // as they were asked for

	// passed counts the records with the lists of shared: nearly all that pass. One
	// with other lists is counted at once. Lists that come twice in a row are shared.
	passed       uint64
	counters     []prometheus.Counter // of each control in shared
	shared, last lists

	inspected, partial          uint64
	overhead, backend, lifetime samples
}

// requestLabels are the labels of requests_total but for the operation. They are of
// closed sets, so as many are kept as there are series.
type requestLabels struct {
	method, disposition string
	class               int // the first digit of the status
}

// lists are those of the passing controls of a record.
type lists struct{ permits, inapplicable, enforced []policy.Control }

func listsOf(rec *audit.Record) lists { return lists{rec.Permits, rec.NotApplicable, rec.Enforced} }

// of reports whether a record has these very lists. Records are immutable, so they
// say what they said before.
func (l *lists) of(rec *audit.Record) bool {
	return same(l.permits, rec.Permits) && same(l.inapplicable, rec.NotApplicable) && same(l.enforced, rec.Enforced)
}

func same(a, b []policy.Control) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }

func newOperation(label string) *operation {
	return &operation{label: label, series: make(map[requestLabels]prometheus.Counter)}
}

// consume counts what a record says but for its findings and observations.
func (op *operation) consume(m *Metrics, rec *audit.Record) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.request(m, rec)
	op.passes(m, rec)
	if rec.OverheadUS > 0 {
		op.overhead.observe(overheadSeconds, rec.OverheadUS)
	}
	if rec.Be.LatencyMS > 0 {
		op.backend.observe(backendSeconds, int64(math.Round(rec.Be.LatencyMS*1000)))
	}
	if rec.Tok != nil && rec.Tok.TTLS != nil && rec.Auth.Outcome == audit.AuthSuccess {
		op.lifetime.observe(lifetimeSeconds, *rec.Tok.TTLS)
	}
	op.inspected += uint64(max(rec.HTTP.InspectedBytes, 0))
	if rec.HTTP.PartiallyInspected {
		op.partial++
	}
}

// request needs mu.
func (op *operation) request(m *Metrics, rec *audit.Record) {
	labels := requestLabels{rec.HTTP.Method, rec.Disposition, rec.Client.Status / 100}
	if labels != op.labels || op.counter == nil {
		op.settle()
		c, known := op.series[labels]
		if !known {
			c = m.requests.WithLabelValues(op.label, rec.HTTP.Method, statusClass(rec.Client.Status), rec.Disposition)
			op.series[labels] = c
		}
		op.counter, op.labels = c, labels
	}
	op.requests++
}

// passes needs mu.
func (op *operation) passes(m *Metrics, rec *audit.Record) {
	if op.shared.of(rec) {
		op.passed++
		return
	}
	var room [64]prometheus.Counter
	counters := m.passing(room[:0], rec)
	if op.last.of(rec) {
		op.settle()
		op.shared, op.counters = op.last, slices.Clone(counters)
	}
	op.last = listsOf(rec)
	for _, c := range counters {
		c.Inc()
	}
}

// settle gives the counters what was counted for them. It needs mu.
func (op *operation) settle() {
	if op.requests > 0 {
		op.counter.Add(float64(op.requests))
		op.requests = 0
	}
	if op.passed > 0 {
		for _, c := range op.counters {
			c.Add(float64(op.passed))
		}
		op.passed = 0
	}
}

// passing appends the counters of the controls of a record that pass.
func (m *Metrics) passing(to []prometheus.Counter, rec *audit.Record) []prometheus.Counter {
	to = m.effectsOf(to, rec.Enforced, rec.Permits, policy.Permit)
	return m.effectsOf(to, rec.Enforced, rec.NotApplicable, policy.NotApplicable)
}

// effectsOf appends the counters of the controls of a list. A record has them in
// order of evaluation, and those that enforce too, so that each is usually the next
// one there.
func (m *Metrics) effectsOf(to []prometheus.Counter, enforced, list []policy.Control, effect policy.Effect) []prometheus.Counter {
	next := 0
	for _, c := range list {
		mode := policy.Shadow
		if next < len(enforced) && enforced[next] == c {
			mode = policy.Enforce
			next++
		} else if at := slices.Index(enforced, c); at >= 0 {
			mode = policy.Enforce
			next = at + 1
		}
		if of := m.effects[c]; of != nil {
			to = append(to, of[effect][mode])
		}
	}
	return to
}
