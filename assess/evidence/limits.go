package evidence

import (
	"hash/maphash"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// Limit is one rate or quota of the policy. A violation of it is not a request but
// a window: one key that goes over the limit.
type Limit struct {
	// Name is the limit's name in the configuration, which the findings of Control
	// have as detail.
	Name    string
	Control policy.Control
	// Key lists what is counted apart: client, account, peer, operation.
	Key []string
	// Operations are the ids of those that the limit counts; nil means all.
	Operations []string
	// Rate is what a key regains, in requests per second, and Burst the most at once.
	Rate  float64
	Burst int
	// Quota is the total of a Period, in place of a rate.
	Quota  int64
	Period time.Duration
}

const (
	// shortest is the least length of a window: below it the path to us and back is
	// no smaller than what is measured.
	shortest = time.Second
	// unknownWindow is that of a limit that Options do not have.
	unknownWindow = time.Minute
	// marginShare and marginLeast are how far the volume of a window must lie over
	// what the limit allows: one in 5 is 20 %.
	marginShare = 5
	marginLeast = 2
	// maxWindows bounds the windows of one limit, maxShares the instances that are
	// told apart in one, and maxTrials the windows of one cell.
	maxWindows = 256
	maxShares  = 8
	maxTrials  = 64
)

// window is the time in which a burst is regained, at least a second; of a quota its
// period.
func (l *Limit) window() time.Duration {
	switch {
	case l.Period > 0:
		return l.Period
	case l.Rate > 0:
		full := float64(l.Burst) / l.Rate * float64(time.Second)
		return max(shortest, time.Duration(min(full, math.MaxInt64/2)))
	}
	return unknownWindow
}

// allows is the most that the limit allows in any span as long as its window: a
// backend that has the same limit, and began to count at another moment, is within.
func (l *Limit) allows() uint64 {
	if l.Period > 0 {
		return 2 * uint64(max(l.Quota, 0)) //nolint:gosec // not negative
	}
	return uint64(math.Ceil(float64(l.Burst) + l.Rate*l.window().Seconds()))
}

// meter counts the windows of one limit.
type meter struct {
	limit  Limit
	length int64  // of a window, in nanoseconds
	most   uint64 // a larger volume is over the limit
	exact  bool   // records tell the key in full

	until   atomic.Int64 // when the last window is past, so that calm traffic costs a look
	mu      sync.Mutex   // guards windows
	windows map[uint64]*window
}

func newMeter(l Limit) *meter {
	allows := l.allows()
	m := &meter{
		limit: l, length: int64(l.window()), most: allows + max(allows/marginShare, marginLeast),
		exact:   len(l.Key) > 0 && !slices.Contains(l.Key, "peer"),
		windows: map[uint64]*window{},
	}
	m.until.Store(math.MinInt64)
	return m
}

// window is one key's time over a limit, from its first denial on.
type window struct {
	start           int64 // Unix time in nanoseconds
	arrived, passed uint64
	shares          []share
}

// share is what one instance did in a window.
type share struct {
	instance        string
	passed, refused uint64
}

// apart reports that several instances answered, and each passed no more than the
// limit allows; split, that each refused as well: they have a limit of their own.
func (w *window) apart(most uint64) (apart, split bool) {
	if len(w.shares) < 2 || len(w.shares) == maxShares { // there may be more
		return false, false
	}
	split = true
	for _, s := range w.shares {
		if s.passed > most {
			return false, false
		}
		split = split && s.refused > 0
	}
	return true, split
}

// standing is what a window has seen when a request over its limit is judged.
type standing struct {
	control     policy.Control
	key         uint64
	start, ends int64
	// over reports that more arrived, or passed, than the limit allows.
	arrivedOver, passedOver bool
	apart, split            bool
}

// keyOf returns the key that a request counts for, and false if its record does not
// tell: what is told coarsely would be many callers in one.
func (m *meter) keyOf(seed maphash.Seed, t *trial) (key uint64, exact bool) {
	var h maphash.Hash
	h.SetSeed(seed)
	part := func(kind byte, value string) {
		_ = h.WriteByte(kind)
		_, _ = h.WriteString(value)
		_ = h.WriteByte(0)
	}
	exact = m.exact
	caller := func() {
		part('c', t.caller.client)
		exact = exact && t.caller.client != ""
	}
	for _, k := range m.limit.Key {
		switch {
		case k == "operation":
			part('o', t.operation)
		case k == "account" && len(t.caller.accounts) > 0:
			part('i', t.caller.issuer)
			part('a', t.caller.accounts[0])
			exact = exact && t.caller.sure && len(t.caller.accounts) == 1
		default:
			caller()
		}
	}
	if len(m.limit.Key) == 0 {
		caller()
	}
	return h.Sum64(), exact
}

// count counts a request in the window of its key. With denied, it begins one if
// none is open, and returns its standing. Near reports that there is a window, or
// was one that ended less than its length ago: who was over the limit may still pay
// for it. Fits is false when there was no room for one more.
func (m *meter) count(seed maphash.Seed, t *trial, instance string, denied bool) (st standing, near, fits bool) {
	now := t.at.UnixNano()
	if !denied && now >= m.until.Load() {
		return standing{}, false, true
	}
	key, exact := m.keyOf(seed, t)
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.windows[key]
	near = w != nil && now < w.start+2*m.length && now >= w.start-m.length
	switch {
	case near && now < w.start+m.length:
	case !denied:
		return standing{}, near, true
	case !m.room(now):
		return standing{}, false, false
	default:
		w = &window{start: now}
		m.windows[key] = w
		m.until.Store(max(m.until.Load(), now+2*m.length))
	}
	if exact && now >= w.start { // what came before was allowed
		w.add(t, instance)
	}
	st = standing{
		control: m.limit.Control, key: key, start: w.start, ends: w.start + m.length,
		arrivedOver: w.arrived > m.most, passedOver: w.passed > m.most,
	}
	st.apart, st.split = w.apart(m.most)
	return st, true, true
}

// add counts one request.
func (w *window) add(t *trial, instance string) {
	w.arrived++
	passes, refuses := passedLimit(t.class), t.class == policy.Class429
	if !passes && !refuses {
		return
	}
	i := slices.IndexFunc(w.shares, func(s share) bool { return s.instance == instance })
	if i < 0 && len(w.shares) < maxShares {
		i, w.shares = len(w.shares), append(w.shares, share{instance: instance})
	}
	if passes {
		w.passed++
	}
	switch {
	case i < 0:
	case passes:
		w.shares[i].passed++
	default:
		w.shares[i].refused++
	}
}

// passedLimit reports whether the answer to a request over a limit says that the
// backend did not mind.
func passedLimit(class policy.ResponseClass) bool {
	switch class { //nolint:exhaustive // these read as leaked in the column of rates
	case policy.ClassOK, policy.ClassUpgrade, policy.ClassOpaque, policy.ClassEmpty, policy.ClassAccepted:
		return true
	}
	return false
}

// room reports whether there is room for one more window, if need be that of one
// which has ended. The caller holds mu.
func (m *meter) room(now int64) bool {
	if len(m.windows) < maxWindows {
		return true
	}
	maps.DeleteFunc(m.windows, func(_ uint64, w *window) bool { return now >= w.start+m.length })
	return len(m.windows) < maxWindows
}

// covers reports whether the limit counts requests of an operation.
func (m *meter) covers(operation string) bool {
	return m.limit.Operations == nil || slices.Contains(m.limit.Operations, operation)
}

// measure counts a request at all limits of its operation, and keeps in it how those
// stand that deny it. What the backend refuses of somebody who is over a limit is no
// refusal of a clean request.
func (s *Store) measure(op *operation, e *epoch, t *trial, instance string) {
	for _, m := range op.meters {
		denied := t.denies(m.limit.Control, m.limit.Name)
		st, near, fits := m.count(s.seed, t, instance, denied)
		switch {
		case !fits:
			s.stats.runs.Add(1)
			t.crowded = true
		case denied:
			t.standings = append(t.standings, st)
		}
		if near && t.class == policy.Class429 {
			t.clean = false
		}
	}
	for i := 0; i < len(t.observations) && !t.crowded; i++ {
		o := &t.observations[i]
		if c := op.cell(o.Control, 0); c == nil || !c.limit || !o.Isolated || t.standing(o.Control) != nil {
			continue
		}
		// A limit that is not known: its volume means nothing.
		unknown := *t
		unknown.class = ""
		st, _, fits := e.unknown.count(s.seed, &unknown, instance, true)
		if !fits {
			s.stats.runs.Add(1)
			return
		}
		st.control, st.arrivedOver = o.Control, false
		t.standings = append(t.standings, st)
	}
}

// denies reports whether a limit denies the request, and its control alone objects.
func (t *trial) denies(control policy.Control, limit string) bool {
	for _, o := range t.objections {
		if o.control == control && o.limit == limit && !o.undecided {
			return slices.ContainsFunc(t.observations, func(o policy.Observation) bool { return o.Control == control && o.Isolated })
		}
	}
	return false
}

// standing returns how the limit stands that a control denies for; nil if it is not
// known.
func (t *trial) standing(control policy.Control) *standing {
	for i := range t.standings {
		if t.standings[i].control == control {
			return &t.standings[i]
		}
	}
	return nil
}
