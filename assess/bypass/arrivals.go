package bypass

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

// Bounds of what is told apart of arrivals.
const (
	// MaxSources bounds the networks that requests come from.
	MaxSources = 1000
	// MaxOperations bounds the operations, those of earlier contracts among them.
	MaxOperations = 2048
	// maxReasons is more than path.gateway has.
	maxReasons = 64
)

// Front is what a policy says of what stands in front of us.
type Front struct {
	// Gateway reports that there is a gateway.
	Gateway bool
	// Proof reports that path.gateway judges every operation.
	Proof bool
}

// Arrivals count the requests that arrive without the proof of the gateway. They are
// safe for concurrent use.
type Arrivals struct {
	mu         sync.Mutex // guards all below
	front      Front
	judged     uint64
	forwarded  uint64
	all        record
	operations map[string]*record
	sources    map[string]*record
	reasons    map[string]*record
}

var _ audit.Consumer = (*Arrivals)(nil)

// NewArrivals returns arrivals of which none was seen, by what the first policy says.
func NewArrivals(f Front) *Arrivals {
	return &Arrivals{front: f, operations: map[string]*record{}, sources: map[string]*record{}, reasons: map[string]*record{}}
}

// Use tells what a new policy says. What was counted stays.
func (a *Arrivals) Use(f Front) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.front = f
}

// Consume counts one record if path.gateway judged its request. It keeps nothing of it
// but the operation, the reason and the network of the peer.
func (a *Arrivals) Consume(rec *audit.Record) {
	around := slices.IndexFunc(rec.Findings, func(f audit.Finding) bool {
		return f.Control == policy.PathGateway && f.Effect == policy.Deny.String()
	})
	if around < 0 && !slices.Contains(rec.Permits, policy.PathGateway) {
		return // health checks, and what ended before anybody judged it
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.judged++
	if around < 0 {
		return
	}
	if rec.Disposition != policy.Blocked.String() {
		a.forwarded++
	}
	a.all.add(1, rec.Time)
	tally(a.operations, MaxOperations, rec.Op.ID, rec.Time)
	tally(a.sources, MaxSources, rec.Client.IP, rec.Time)
	tally(a.reasons, maxReasons, string(rec.Findings[around].Reason), rec.Time)
}

// tally counts one request under a name, or under "other" where there is no room.
func tally(counts map[string]*record, most int, name string, at time.Time) {
	if name == "" {
		name = other
	}
	r := counts[name]
	if r == nil && len(counts) >= most {
		name = other
		r = counts[name]
	}
	if r == nil {
		r = &record{}
		counts[strings.Clone(name)] = r // may be part of something larger
	}
	r.add(1, at)
}

// Stats returns what metrics tell of BY1.
func (a *Arrivals) Stats() Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	state, _ := a.state()
	return Stats{Detected: a.all.count, Tested: state == Found || state == NoneFound}
}

// state returns what BY1 found. The caller holds a.mu.
func (a *Arrivals) state() (State, Why) {
	switch {
	case a.all.count > 0:
		return Found, ""
	case !a.front.Gateway:
		return NotApplicable, NoGateway
	case !a.front.Proof:
		return Unknown, NoProof
	case a.judged == 0:
		return Unknown, NoRequest
	}
	return NoneFound, ""
}

// document returns what is known of BY1, for [Compose].
func (a *Arrivals) document() ArrivalsDocument {
	a.mu.Lock()
	defer a.mu.Unlock()
	state, why := a.state()
	return ArrivalsDocument{
		Finding: findingOf(BY1, state, why, a.all), Judged: a.judged, Forwarded: a.forwarded,
		Operations: listOf(a.operations), Sources: listOf(a.sources), Reasons: listOf(a.reasons),
	}
}

// listOf sorts counts by name.
func listOf(counts map[string]*record) []Count {
	all := make([]Count, 0, len(counts))
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, countOf(name, *counts[name]))
	}
	return all
}
