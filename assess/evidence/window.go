package evidence

import (
	"slices"

	"github.com/sidewarden/sidewarden/policy"
)

// limitTrial is one window over a limit at one position of a cell, and where it is
// counted.
type limitTrial struct {
	key         uint64
	start, ends int64
	gateway     bool
	in          *position
	as          tally
}

// trialOf returns the trial of a window, which is not counted anywhere yet if it is
// a new one; nil if there is no room for it. The caller holds the operation's mu.
func (c *cell) trialOf(st *standing, gateway bool, now int64) *limitTrial {
	free := -1
	for i := range c.trials {
		w := &c.trials[i]
		if w.key == st.key && w.start == st.start && w.gateway == gateway {
			return w
		}
		if now >= w.ends {
			free = i
		}
	}
	switch {
	case len(c.trials) < maxTrials:
		free, c.trials = len(c.trials), append(c.trials, limitTrial{})
	case free < 0:
		return nil
	}
	// What was counted of an ended one stays so.
	c.trials[free] = limitTrial{key: st.key, start: st.start, ends: st.ends, gateway: gateway}
	return &c.trials[free]
}

// weighLimit counts a request over a limit: its window is one trial of the cell,
// which is what the window has shown so far. It leaked once more passed than the
// limit allows; until then it was refused if any request was, and is ambiguous if
// none was. The caller holds the operation's mu.
func (s *Store) weighLimit(c *cell, p *position, b *baseline, t *trial, o *policy.Observation, principal uint64) {
	atGateway := o.Position != policy.AtBackend
	st := t.standing(o.Control)
	if st == nil {
		return
	}
	w := c.trialOf(st, atGateway, t.at.UnixNano())
	if w == nil {
		s.stats.runs.Add(1)
		return
	}
	before := w.as
	next := tally{class: t.class, signal: policy.Ambiguous, refused: before.refused, timely: before.timely}
	if atGateway {
		next.class = ""
	}
	if o.Signal == policy.Enforced || o.Signal == policy.Soft {
		next.timely = b.near(t.at) || next.timely && next.refused == t.class
		next.refused = t.class
	}
	switch {
	case atGateway && st.arrivedOver, !atGateway && st.passedOver:
		next.signal, next.apart, next.split = policy.Leaked, st.apart, st.split && next.refused != ""
		if before.signal == policy.Leaked {
			next.class = before.class
		} else if next.refused == t.class {
			next.class = policy.ClassOK // a refusal shows what others before it got
		}
	case next.refused == policy.ClassSoftDeny:
		next.class, next.signal = next.refused, policy.Soft
	case next.refused != "":
		next.class, next.signal = next.refused, policy.Enforced
	}
	if w.in != nil {
		w.in.uncount(before)
	}
	if w.in == nil || before.signal != next.signal {
		w.in = p
	}
	w.as = w.in.count(next)
	if next.signal == policy.Leaked && !w.in.leaker(principal) {
		s.stats.principals.Add(1)
	}
}

// isOutcome reports whether a signal says how a window over a limit went.
func isOutcome(signal policy.Signal) bool {
	return signal == policy.Leaked || signal == policy.Enforced || signal == policy.Soft
}

// count adds one window and returns as what it was counted. Beyond maxTallies kinds,
// what was refused is forgotten, which keeps leaks and makes refusals ambiguous.
func (p *position) count(t tally) tally {
	t.count = 0
	for i := range p.tallies {
		known := p.tallies[i]
		if known.count = 0; known == t {
			p.tallies[i].count++
			return t
		}
	}
	free := slices.IndexFunc(p.tallies, func(t tally) bool { return t.count == 0 })
	switch {
	case len(p.tallies) < maxTallies:
		free, p.tallies = len(p.tallies), append(p.tallies, tally{})
	case free >= 0:
	case t.class != "" || t.refused != "" || t.timely:
		return p.count(tally{signal: t.signal})
	default:
		free, p.tallies = len(p.tallies), append(p.tallies, tally{}) // one for each signal at most
	}
	p.tallies[free] = t
	p.tallies[free].count = 1
	return t
}

// uncount removes one window that count added.
func (p *position) uncount(t tally) {
	for i := range p.tallies {
		known := p.tallies[i]
		if known.count = 0; known == t && p.tallies[i].count > 0 {
			p.tallies[i].count--
			return
		}
	}
}
