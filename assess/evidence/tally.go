package evidence

import (
	"slices"

	"github.com/sidewarden/sidewarden/policy"
)

// Bounds of one position of one stratum.
const (
	maxTallies    = 32 // a control reads nearly every response class in one way
	maxPrincipals = 16 // distinct leakers that are told apart
)

// tally counts trials that ended alike.
type tally struct {
	class  policy.ResponseClass
	signal policy.Signal
	// timely reports that a clean request was served within baselineReach of the
	// trial; it matters to refusals only.
	timely bool
	// apart, split and refused are of windows over a limit that leaked: several
	// instances kept to the limit, and refused, each by itself; and the class in which
	// some requests were refused.
	apart, split bool
	refused      policy.ResponseClass
	count        uint64
}

// position holds what one stratum saw at one position.
type position struct {
	tallies    []tally
	principals []uint64 // keyed hashes of those whose violation leaked

	// sample gets the trials that count, under the number that the stratum has
	// there; nil at the gateway, where attempts are not known.
	sample *sample
	number uint16
}

// add counts one trial. Beyond maxTallies kinds the class is forgotten, which
// keeps leaks and makes refusals ambiguous. It returns which tally has the trial.
func (p *position) add(class policy.ResponseClass, signal policy.Signal, timely bool) int {
	for i := range p.tallies {
		if t := &p.tallies[i]; t.class == class && t.signal == signal && t.timely == timely {
			t.count++
			return i
		}
	}
	if len(p.tallies) >= maxTallies && class != "" {
		return p.add("", signal, false)
	}
	p.tallies = append(p.tallies, tally{class: class, signal: signal, timely: timely, count: 1})
	return len(p.tallies) - 1
}

// effective adds one trial that counts: a leak, or a refusal with a clean request
// near it. The cell samples those.
func (p *position) effective(class policy.ResponseClass, signal policy.Signal, timely bool, principal uint64) {
	p.sample.note(p.number, p.add(class, signal, timely), principal)
}

// take removes one trial that add counted before.
func (p *position) take(class policy.ResponseClass, signal policy.Signal, timely bool) bool {
	for i := range p.tallies {
		t := &p.tallies[i]
		if t.class == class && t.signal == signal && t.timely == timely && t.count > 0 {
			t.count--
			return true
		}
	}
	return false
}

// leaker notes whose violation leaked and reports whether there was room.
func (p *position) leaker(principal uint64) bool {
	if slices.Contains(p.principals, principal) {
		return true
	}
	if len(p.principals) >= maxPrincipals {
		return false
	}
	p.principals = append(p.principals, principal)
	return true
}
