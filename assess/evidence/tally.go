package evidence

import (
	"slices"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// Bounds of one position of one stratum.
const (
	maxTallies    = 32 // a control reads nearly every response class in one way
	maxPrincipals = 16 // distinct leakers that are told apart
	maxRuns       = 16 // callers over a limit that are followed at the same time
)

// window is the length of a limit's window: a leak of a limit counts when it
// persists for one, and once more for each further one.
const window = time.Minute

// tally counts trials that ended alike.
type tally struct {
	class  policy.ResponseClass
	signal policy.Signal
	// timely reports that a clean request was served within baselineReach of the
	// trial; it matters to refusals only.
	timely bool
	count  uint64
}

// run is one caller's uninterrupted violation of a limit with one signal. Its
// zero value is a run that has not begun.
type run struct {
	principal   uint64
	signal      policy.Signal
	class       policy.ResponseClass // of the first answer
	start, last int64                // Unix time in nanoseconds
	windows     int64                // full windows that were counted
}

// position holds what one stratum saw at one position.
type position struct {
	tallies    []tally
	principals []uint64 // keyed hashes of those whose violation leaked
	runs       []run

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

// limited counts what a caller over a limit met. A run is one trial for each
// full window that it lasts without a gap of a window; a leak that has not
// lasted one yet is a single ambiguous trial, a refusal is a trial at once. It
// reports whether the caller has a trial to add now, and whether an unfinished
// run had to be forgotten for this one.
func (p *position) limited(at time.Time, principal uint64, class policy.ResponseClass, signal policy.Signal) (trial, forgot bool) {
	now := at.UnixNano()
	r, forgot := p.runOf(now, principal, signal)
	if r.signal == "" {
		*r = run{principal: principal, signal: signal, class: class, start: now, last: now}
		if signal == policy.Leaked {
			p.add(class, policy.Ambiguous, false)
			return false, forgot
		}
		return true, forgot
	}
	r.last = max(r.last, now)
	// No gap reaches a window, so at most one window is completed at a time.
	if r.last-r.start < (r.windows+1)*int64(window) {
		return false, forgot
	}
	if r.windows == 0 && signal == policy.Leaked {
		p.take(r.class, policy.Ambiguous, false)
	}
	r.windows++
	return true, forgot
}

// runOf returns the caller's run, zeroed if it has to begin anew.
func (p *position) runOf(now int64, principal uint64, signal policy.Signal) (found *run, forgot bool) {
	oldest := 0
	for i := range p.runs {
		r := &p.runs[i]
		if r.principal == principal && r.signal == signal {
			if now-r.last >= int64(window) {
				*r = run{}
			}
			return r, false
		}
		if r.last < p.runs[oldest].last {
			oldest = i
		}
	}
	if len(p.runs) < maxRuns {
		p.runs = append(p.runs, run{})
		return &p.runs[len(p.runs)-1], false
	}
	forgot = now-p.runs[oldest].last < int64(window)
	p.runs[oldest] = run{}
	return &p.runs[oldest], forgot
}
