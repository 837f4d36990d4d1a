package evidence

import (
	"math"
	"math/rand/v2"
	"slices"
)

// The dimensions in which the trials of one cell differ.
const (
	byInstance = iota
	byReason
	bySubject
	dimensions
)

const (
	shuffles = 999
	// significant is 1 % of the arrangements, the observed one included.
	significant = (shuffles + 1) / 100
	// fewTrials is where a caller becomes one of those that are taken together: who
	// came once explains everything, and therefore nothing.
	fewTrials = 4
	// enoughMixed is how many leaks and how many refusals it takes to say that
	// nothing explains them. Fewer fall to one of two equally busy instances by
	// chance once in a hundred times: 2/2⁸ < 1 %.
	enoughMixed = 8
)

// question is a cell that is open only sometimes, and what may tell when.
type question struct {
	cell   *cell
	shown  int // index of the cell among those that are shown
	trials []fact
	known  finding
}

// finding is what explains some trials; empty if nothing does.
type finding struct {
	of uint64 // digest of the trials, 0 for none
	by Modifier
}

// answer explains the cell. The caller does not hold the operation's mu: it takes
// milliseconds. The same trials are explained once.
func (q *question) answer(op *operation) Modifier {
	if of := digest(q.trials); of != q.known.of {
		q.known = finding{of: of, by: explain(q.trials, of)}
		op.mu.Lock()
		q.cell.found = q.known
		op.mu.Unlock()
	}
	return q.known.by
}

// explain returns the dimension that tells which trials leaked (measurement plan,
// 4.7), ModIntermittent if it can be said that none does, and nothing if neither
// can be said.
//
// The measure is the mutual information of the dimension's value and the leak. It
// is held against that of shuffled leaks: the largest over all dimensions, so
// that looking at three of them finds no more by chance than looking at one.
// Leaks are shuffled among the trials of one caller, so that an instance does not
// get the blame for who was sent there; for the callers themselves, among all.
// Trials are counted as they come: one caller who repeats a request counts often.
func explain(facts []fact, seed uint64) Modifier {
	t := newTrialTable(facts)
	if t == nil {
		return ""
	}
	var beyond, alone [dimensions]int        // shuffles that reach the observed measure
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // the same trials have to be shuffled alike, and nobody gains by it
	for range shuffles {
		t.shuffle(random)
		inside, anywhere := t.largest()
		hopeless := true
		for d := range dimensions {
			const rounding = 1e-9
			if inside >= t.observed[d]-rounding {
				beyond[d]++
			}
			if anywhere >= t.observed[d]-rounding {
				alone[d]++
			}
			hopeless = hopeless && beyond[d] >= significant-1 && alone[d] >= significant-1
		}
		if hopeless {
			break
		}
	}
	best, related := -1, false
	for d := range dimensions {
		related = related || alone[d] < significant-1
		if beyond[d] < significant-1 && (best < 0 || t.observed[d] > t.observed[best]) {
			best = d
		}
	}
	switch {
	case best >= 0:
		return [dimensions]Modifier{byInstance: ModByInstance, byReason: ModByReason, bySubject: ModBySubject}[best]
	case !related && min(t.leaks, len(facts)-t.leaks) >= enoughMixed:
		return ModIntermittent
	}
	return "" // two dimensions that cannot be told apart, or too few trials
}

// trialTable has the trials by column.
type trialTable struct {
	values   [dimensions][]uint8
	leaks    int
	callers  [][]int             // the trials of each caller
	observed [dimensions]float64 // measures
	// inside has the leaks shuffled among the trials of each caller, anywhere among
	// all trials.
	inside, anywhere []bool
	// weights has n·log n, which the measure is made of.
	weights [maxSample + 1]float64
}

// newTrialTable returns nil if there is nothing to explain.
func newTrialTable(facts []fact) *trialTable {
	t := &trialTable{}
	var trials [maxSample]int // by caller
	for _, f := range facts {
		trials[f.values[bySubject]]++
	}
	few, place := -1, map[uint8]int{}
	for i, f := range facts {
		caller, known := place[f.values[bySubject]]
		if trials[f.values[bySubject]] < fewTrials {
			caller, known = few, few >= 0
		}
		if !known {
			caller = len(t.callers)
			t.callers = append(t.callers, nil)
			if trials[f.values[bySubject]] < fewTrials {
				few = caller
			} else {
				place[f.values[bySubject]] = caller
			}
		}
		t.callers[caller] = append(t.callers[caller], i)
		f.values[bySubject] = uint8(caller) //nolint:gosec // less than maxSample
		for d := range dimensions {
			t.values[d] = append(t.values[d], f.values[d])
		}
		t.anywhere = append(t.anywhere, f.leaked)
		if f.leaked {
			t.leaks++
		}
	}
	if t.leaks == 0 || t.leaks == len(facts) {
		return nil
	}
	for n := 2; n <= len(facts); n++ {
		t.weights[n] = float64(n) * math.Log(float64(n))
	}
	t.inside = slices.Clone(t.anywhere)
	for d := range dimensions {
		t.observed[d] = t.measure(d, t.anywhere)
	}
	return t
}

// measure is the mutual information of a dimension and the leaks, but for a
// factor and a summand that are the same for all dimensions and shuffles.
func (t *trialTable) measure(dimension int, leaked []bool) float64 {
	var n, k [maxSample]uint16
	last := 0
	for i, v := range t.values[dimension] {
		n[v]++
		if leaked[i] {
			k[v]++
		}
		last = max(last, int(v))
	}
	sum := 0.0
	for v := range last + 1 {
		sum += t.weights[k[v]] + t.weights[n[v]-k[v]] - t.weights[n[v]]
	}
	return sum
}

func (t *trialTable) shuffle(random *rand.Rand) {
	random.Shuffle(len(t.anywhere), func(i, j int) { t.anywhere[i], t.anywhere[j] = t.anywhere[j], t.anywhere[i] })
	for _, own := range t.callers {
		random.Shuffle(len(own), func(i, j int) {
			t.inside[own[i]], t.inside[own[j]] = t.inside[own[j]], t.inside[own[i]]
		})
	}
}

// largest returns the largest measures of the shuffled leaks, with dimensions
// shuffled within callers where they can be, and with all shuffled anywhere.
func (t *trialTable) largest() (inside, anywhere float64) {
	inside, anywhere = math.Inf(-1), math.Inf(-1)
	for d := range dimensions {
		free := t.measure(d, t.anywhere)
		anywhere = max(anywhere, free)
		if d != bySubject {
			free = t.measure(d, t.inside)
		}
		inside = max(inside, free)
	}
	return inside, anywhere
}

// compareOperationsOf marks the cells of operations on the same resource of which
// the backend refuses every violation for one and none for another.
func compareOperationsOf(cells []Cell, resources []string) {
	type sibling struct{ resource, control string }
	seen := map[sibling]map[State]bool{}
	each := func(do func(c *Cell, key sibling)) {
		for i := range cells {
			c := &cells[i]
			decided := c.Backend.State == StateENF || c.Backend.State == StateNOT
			if resources[i] != "" && decided && c.Backend.N >= enoughTrials && !c.overridden() {
				do(c, sibling{resources[i], string(c.Control)})
			}
		}
	}
	each(func(c *Cell, key sibling) {
		if seen[key] == nil {
			seen[key] = map[State]bool{}
		}
		seen[key][c.Backend.State] = true
	})
	each(func(c *Cell, key sibling) {
		if len(seen[key]) > 1 {
			c.mark(ModByOperation)
		}
	})
}

// inconsistent reports whether the backend refuses only some violations.
func (c *Cell) inconsistent() bool { return c.Backend.State == StatePART && !c.overridden() }

// overridden reports whether the class is not that of the table.
func (c *Cell) overridden() bool {
	return c.Class == ClassUntestable || c.Class == ClassIndeterminatePolicy || c.Class == ClassNotApplicable
}

// mark adds a modifier where it belongs; an empty one is none.
func (c *Cell) mark(m Modifier) {
	if m == "" || c.Has(m) {
		return
	}
	order := Modifiers()
	at := slices.IndexFunc(c.Modifiers, func(o Modifier) bool { return slices.Index(order, o) > slices.Index(order, m) })
	if at < 0 {
		at = len(c.Modifiers)
	}
	c.Modifiers = slices.Insert(c.Modifiers, at, m)
}
