package evidence

import (
	"slices"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// The baseline rule of the measurement plan, 4.3: how many policy-clean requests
// must have been served, to how many callers, how near to the refusal, and which
// share of them may have been refused alike.
const (
	baselineServed     = 20
	baselinePrincipals = 2
	baselineReach      = 15 * time.Minute
	baselineRefused    = 50 // one in 50 is 2 %
)

// maxPending bounds the refusals of one operation and instance that wait for a
// clean request. A refusal that is displaced stays ambiguous, and is counted.
const maxPending = 32

// maxClasses bounds the response classes that one baseline tells apart; there
// are fewer.
const maxClasses = 64

// clean is what became of the policy-clean requests of one operation and
// instance.
type clean struct {
	served, total uint64
	principals    int
	refused       uint64 // of the class in question
}

// supports is the baseline rule: whether a refusal of one class is a refusal of
// the violation. A backend that refuses clean requests too, or that nobody saw
// serving any, proves nothing.
func supports(c clean, timely bool) bool {
	return timely &&
		c.served >= baselineServed &&
		c.principals >= baselinePrincipals &&
		c.refused*baselineRefused <= c.total
}

// baseline counts the clean requests of one operation and instance.
type baseline struct {
	classes    []tally // signal unused
	served     uint64
	total      uint64
	principals [baselinePrincipals]uint64
	known      int // principals in use
	lastServed time.Time
	pending    []pending
}

// pending is a refusal that no clean request was near to, yet.
type pending struct {
	at     int64 // Unix time in nanoseconds
	in     *position
	class  policy.ResponseClass
	signal policy.Signal
	// principal is the keyed hash of who was refused.
	principal uint64
}

// of returns the baseline as it bears on refusals of one class. A nil baseline
// supports nothing.
func (b *baseline) of(class policy.ResponseClass) clean {
	if b == nil {
		return clean{}
	}
	c := clean{served: b.served, total: b.total, principals: b.known}
	for _, t := range b.classes {
		if t.class == class {
			c.refused = t.count
		}
	}
	return c
}

// serve counts one clean request and promotes the refusals that waited for it.
func (b *baseline) serve(at time.Time, principal uint64, class policy.ResponseClass) {
	b.total++
	b.count(class)
	if class != policy.ClassOK && class != policy.ClassUpgrade {
		return
	}
	b.served++
	b.meet(principal)
	if at.After(b.lastServed) {
		b.lastServed = at
	}
	kept := b.pending[:0]
	for _, p := range b.pending {
		switch gap := time.Duration(at.UnixNano() - p.at); {
		case gap.Abs() <= baselineReach:
			if p.in.take(p.class, p.signal, false) {
				p.in.effective(p.class, p.signal, true, p.principal)
			}
		case gap < 0: // the trial is ahead; a later request may come near
			kept = append(kept, p)
		}
	}
	clear(b.pending[len(kept):])
	b.pending = kept
}

func (b *baseline) count(class policy.ResponseClass) {
	for i := range b.classes {
		if b.classes[i].class == class {
			b.classes[i].count++
			return
		}
	}
	if len(b.classes) < maxClasses {
		b.classes = append(b.classes, tally{class: class, count: 1})
	}
}

func (b *baseline) meet(principal uint64) {
	if b.known < len(b.principals) && !slices.Contains(b.principals[:b.known], principal) {
		b.principals[b.known] = principal
		b.known++
	}
}

// refuse counts one refusal at p. It reports whether an earlier one lost its
// chance to find a clean request for it. A nil baseline never supports a
// refusal.
func (b *baseline) refuse(
	at time.Time, p *position, class policy.ResponseClass, signal policy.Signal, principal uint64,
) (displaced bool) {
	if b == nil {
		p.add(class, signal, false)
		return false
	}
	if b.near(at) {
		p.effective(class, signal, true, principal)
		return false
	}
	p.add(class, signal, false)
	if len(b.pending) >= maxPending {
		copy(b.pending, b.pending[1:])
		b.pending = b.pending[:maxPending-1]
		displaced = true
	}
	b.pending = append(b.pending, pending{at: at.UnixNano(), in: p, class: class, signal: signal, principal: principal})
	return displaced
}

// near reports whether a clean request was served within baselineReach, as far as
// known now. Nothing is near to a nil baseline.
func (b *baseline) near(at time.Time) bool {
	return b != nil && !b.lastServed.IsZero() && at.Sub(b.lastServed).Abs() <= baselineReach
}
