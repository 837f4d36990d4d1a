package evidence

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/sidewarden/sidewarden/policy"
)

// other names the instance and the reason of what found no stratum of its own.
const other = "other"

// maxInstanceName is the longest name of an instance in bytes; a backend that
// sends longer ones is "other".
const maxInstanceName = 128

// epoch is all cells since one policy began.
type epoch struct {
	options    Options
	operations []*operation // sorted for reading
	byID       map[string]*operation
	strata     atomic.Int64 // strata and baselines in use
	deletions  deletions
	proven     atomic.Bool // some credential proved itself
	unknown    *meter      // of limits that Options do not have

	mu        sync.Mutex                          // for writing instances and policies
	instances atomic.Pointer[map[string]struct{}] // replaced, never changed
	policies  atomic.Pointer[[]string]            // replaced, never changed; nil accepts all
}

// operation holds the cells of one operation.
type operation struct {
	id string
	// resource is what the operation works on, as far as the template tells.
	resource string

	mu        sync.Mutex
	cells     []*cell // in order of evaluation
	baselines map[string]*baseline
	existence existence
	bypassed  bool     // a request came without the proof of the gateway
	meters    []*meter // of the limits that count its requests

	// passed counts requests that just the controls of shared permit, for settle to
	// count at the cells. Records share the list of those that pass; one that comes
	// twice in a row is such a list.
	passed       uint64
	shared, last []policy.Control
}

// cell holds what is counted of one control of one operation. Its operation's
// mu guards it.
type cell struct {
	control policy.Control
	limit   bool // its trial is a window, not a request
	token   bool // it judges the client's token

	requests, undecided, confounded uint64

	strata map[stratumKey]*stratum
	// overflow has the violations that found no stratum: its instance is "other",
	// which has no baseline.
	overflow *stratum
	trials   []limitTrial // windows over a limit, the last ones

	sample sample // of trials at the backend
	found  finding
}

type stratumKey struct {
	reason   policy.Reason
	instance string
}

// stratum is the violations of one cell for one reason, answered by one instance.
type stratum struct {
	stratumKey
	gateway, backend position
}

func newEpoch(o Options, seed maphash.Seed) *epoch {
	if o.MaxStrata <= 0 {
		o.MaxStrata = DefaultMaxStrata
	}
	if o.MaxInstances <= 0 {
		o.MaxInstances = DefaultMaxInstances
	}
	e := &epoch{options: o, byID: make(map[string]*operation, len(o.Operations))}
	e.deletions.seed = seed
	e.instances.Store(&map[string]struct{}{})
	if o.Policy != "" {
		e.policies.Store(&[]string{o.Policy})
	}
	for _, plan := range o.Operations {
		op, ok := e.byID[plan.ID]
		if !ok {
			op = &operation{
				id: plan.ID, resource: resourceOf(plan.Template, o.AccountParameters), baselines: map[string]*baseline{},
			}
			e.byID[plan.ID] = op
			e.operations = append(e.operations, op)
		}
		for _, control := range plan.Controls {
			if op.cell(control, 0) == nil {
				op.cells = append(op.cells, newCell(plan.ID, control))
			}
		}
		slices.SortFunc(op.cells, func(a, b *cell) int { return compareControls(a.control, b.control) })
	}
	slices.SortFunc(e.operations, func(a, b *operation) int { return compareOperations(a.id, b.id) })
	e.unknown = newMeter(Limit{})
	for _, l := range o.Limits {
		m := newMeter(l)
		for _, op := range e.operations {
			if m.covers(op.id) {
				op.meters = append(op.meters, m)
			}
		}
	}
	e.options.Operations, e.options.Limits = nil, nil // the cells have them
	return e
}

// decidedBy reports whether a policy of this epoch decided.
func (e *epoch) decidedBy(digest string) bool {
	accepted := e.policies.Load()
	return accepted == nil || slices.Contains(*accepted, digest)
}

// accept adds a policy to the epoch. The oldest of many is forgotten: its requests
// have long ended.
func (e *epoch) accept(digest string) {
	const most = 8
	e.mu.Lock()
	defer e.mu.Unlock()
	var next []string
	if accepted := e.policies.Load(); accepted != nil {
		next = append(next, *accepted...)
	}
	next = append(next, digest)
	next = next[max(0, len(next)-most):]
	e.policies.Store(&next)
}

func newCell(operation string, control policy.Control) *cell {
	c := &cell{control: control, token: strings.HasPrefix(string(control), "tok.") || control == policy.KeyValid}
	c.sample.random.Seed(fixedHash(operation), fixedHash(string(control)))
	if entry, ok := policy.Lookup(control); ok {
		c.limit = entry.Family == policy.Rate || entry.Family == policy.Abuse
	}
	return c
}

// compareOperations sorts by id, unmatched requests last.
func compareOperations(a, b string) int {
	if (a == policy.UnmatchedID) != (b == policy.UnmatchedID) {
		if a == policy.UnmatchedID {
			return 1
		}
		return -1
	}
	return cmp.Compare(a, b)
}

// compareControls sorts by order of evaluation.
func compareControls(a, b policy.Control) int {
	return cmp.Or(cmp.Compare(policy.Order(a), policy.Order(b)), cmp.Compare(a, b))
}

// instance returns the name under which an instance is counted, and false when
// there is no room for its own.
func (e *epoch) instance(name string) (string, bool) {
	if _, ok := (*e.instances.Load())[name]; ok {
		return name, true
	}
	if name == other || len(name) > maxInstanceName || !printable(name) {
		return other, false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	known := *e.instances.Load()
	if _, ok := known[name]; ok {
		return name, true
	}
	if len(known) >= e.options.MaxInstances {
		return other, false
	}
	name = strings.Clone(name) // may be a part of something larger
	next := make(map[string]struct{}, len(known)+1)
	for n := range known {
		next[n] = struct{}{}
	}
	next[name] = struct{}{}
	e.instances.Store(&next)
	return name, true
}

// printable reports whether a name can be shown on a terminal as it is.
func printable(name string) bool {
	return utf8.ValidString(name) && strings.IndexFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// room takes one stratum from the bound.
func (e *epoch) room() bool {
	if e.strata.Add(1) <= int64(e.options.MaxStrata) {
		return true
	}
	e.strata.Add(-1)
	return false
}

// cell returns the cell of a control, looking from index hint on; nil if the
// plan does not have it.
func (o *operation) cell(control policy.Control, hint int) *cell {
	for i := range o.cells {
		if c := o.cells[(hint+i)%len(o.cells)]; c.control == control {
			return c
		}
	}
	return nil
}

// request counts a request at every cell that judged it. The caller holds o.mu.
func (o *operation) request(t *trial) {
	if same(t.permits, o.shared) {
		o.passed++
	} else {
		o.permit(t.permits, 1)
		if same(t.permits, o.last) {
			o.settle()
			o.shared = o.last
		}
		o.last = t.permits
	}
	for _, ob := range t.objections {
		if ob.control == policy.PathGateway && !ob.undecided {
			o.bypassed = true
		}
		if c := o.cell(ob.control, 0); c != nil {
			c.requests++
			if ob.undecided {
				c.undecided++
			}
		}
	}
}

// permit counts requests that every control of a list permits. The caller holds o.mu.
func (o *operation) permit(list []policy.Control, requests uint64) {
	for i, control := range list {
		if c := o.cell(control, i); c != nil {
			c.requests += requests
		}
	}
}

// settle gives the cells what was counted of the shared list. The caller holds o.mu.
func (o *operation) settle() {
	o.permit(o.shared, o.passed)
	o.passed = 0
}

// same reports whether both are the same piece of memory. Records are immutable, so
// it says what it said before.
func same(a, b []policy.Control) bool { return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0] }

// confound counts a violation that decides nothing. The caller holds o.mu.
func (o *operation) confound(control policy.Control) {
	if c := o.cell(control, 0); c != nil {
		c.confounded++
	}
}

// baseline returns the baseline of an instance; nil when it can have none. The
// caller holds o.mu. The instances that share the name "other" have none:
// one that serves cannot vouch for one that refuses everything.
func (o *operation) baseline(e *epoch, instance string) *baseline {
	if instance == other {
		return nil
	}
	b, ok := o.baselines[instance]
	if !ok && e.room() {
		b = &baseline{}
		o.baselines[instance] = b
	}
	return b
}

// stratum returns the stratum of a violation, and false when it had to be the
// overflow. The caller holds the operation's mu.
func (c *cell) stratum(e *epoch, reason policy.Reason, instance string) (*stratum, bool) {
	key := stratumKey{reason: reason, instance: instance}
	if st, ok := c.strata[key]; ok {
		return st, true
	}
	if e.room() {
		if c.strata == nil {
			c.strata = map[stratumKey]*stratum{}
		}
		c.strata[key] = c.newStratum(key)
		return c.strata[key], true
	}
	if c.overflow == nil {
		c.overflow = c.newStratum(stratumKey{reason: other, instance: other})
	}
	return c.overflow, false
}

func (c *cell) newStratum(key stratumKey) *stratum {
	st := &stratum{stratumKey: key}
	c.sample.join(st)
	return st
}
