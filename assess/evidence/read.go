package evidence

import (
	"cmp"
	"maps"
	"slices"

	"github.com/sidewarden/sidewarden/policy"
)

// What a claim needs to go without LOW_N, and which share of undecided requests
// makes the policy itself the finding: one in 20 is 5 %.
const (
	enoughTrials     = 3
	enoughPrincipals = 2
	undecidedShare   = 20
)

// Document returns all cells as they are now.
func (s *Store) Document() Document {
	e := s.epoch.Load()
	return Document{Cells: e.cells(), Since: e.options.Since.UTC()}
}

// Cells returns all cells as they are now, sorted by operation, unmatched
// requests last, and by order of evaluation of the control. The cells of one
// operation belong to one moment; the caller may keep and change them.
func (s *Store) Cells() []Cell { return s.epoch.Load().cells() }

func (e *epoch) cells() []Cell {
	all := []Cell{}
	resources := []string{} // of the cells
	for _, op := range e.operations {
		op.mu.Lock()
		op.settle()
		var open []question
		for _, c := range op.cells {
			all, resources = append(all, e.read(op, c)), append(resources, op.resource)
			if shown := &all[len(all)-1]; shown.inconsistent() && !c.limit { // a window is no trial of one instance
				open = append(open, question{cell: c, shown: len(all) - 1, trials: c.sample.effective(op.baselines), known: c.found})
			}
		}
		op.mu.Unlock()
		for _, q := range open {
			all[q.shown].mark(q.answer(op))
		}
	}
	compareOperationsOf(all, resources)
	return all
}

// sum is the trials of some strata at one position.
type sum struct {
	n, k, ambiguous, unattributable uint64
	// errors are the leaks that ended in a server error; soft are the counted
	// refusals inside success answers, concealed those that look like nothing is
	// there; masked are answers that look like that and may be no refusals.
	errors, soft, concealed, masked uint64
	// partly are the windows over a limit that leaked although some of their
	// requests were refused; in apart of all that leaked each of several instances kept
	// to the limit by itself, and in split it refused as well.
	partly, apart, split uint64
	principals           map[uint64]struct{}
	answers              map[policy.ResponseClass]uint64
}

// add adds what p counted; refusals are trials where b supports them. A nil b
// supports none.
func (s *sum) add(p *position, b *baseline) {
	for _, t := range p.tallies {
		s.tally(t, b)
		if t.count > 0 {
			if s.answers == nil {
				s.answers = make(map[policy.ResponseClass]uint64)
			}
			s.answers[t.class] += t.count
		}
	}
	for _, h := range p.principals {
		if s.principals == nil {
			s.principals = map[uint64]struct{}{}
		}
		s.principals[h] = struct{}{}
	}
}

func (s *sum) tally(t tally, b *baseline) {
	switch t.signal {
	case policy.Leaked, policy.Weak:
		s.n += t.count
		s.k += t.count
		if isServerError(t.class) {
			s.errors += t.count
		}
		s.inPart(t, b)
	case policy.Enforced, policy.Soft, concealed:
		s.refusal(t, supports(b.of(t.class), t.timely))
	case policy.Masked:
		s.masked += t.count
		s.ambiguous += t.count
	case policy.Unattributable:
		s.unattributable += t.count
	case policy.Ambiguous:
		s.ambiguous += t.count
	}
}

// inPart counts windows over a limit that leaked and yet show a limiter.
func (s *sum) inPart(t tally, b *baseline) {
	if t.apart {
		s.apart += t.count
	}
	if t.refused == "" || !supports(b.of(t.refused), t.timely) {
		return
	}
	s.partly += t.count
	if t.split {
		s.split += t.count
	}
}

// refusal counts refusals, which are trials only if a baseline supports them.
func (s *sum) refusal(t tally, supported bool) {
	if !supported {
		s.ambiguous += t.count
		if t.signal == concealed {
			s.masked += t.count
		}
		return
	}
	s.n += t.count
	switch t.signal { //nolint:exhaustive // these have a modifier
	case policy.Soft:
		s.soft += t.count
	case concealed:
		s.concealed += t.count
	}
}

func isServerError(class policy.ResponseClass) bool {
	switch class { //nolint:exhaustive // these are the classes without an answer of the application
	case policy.Class500, policy.Class501, policy.ClassUnavail, policy.ClassAbort:
		return true
	}
	return false
}

// merge adds the trials of another sum; answers stay with the strata.
func (s *sum) merge(o sum) {
	s.n += o.n
	s.k += o.k
	s.ambiguous += o.ambiguous
	s.unattributable += o.unattributable
	s.errors += o.errors
	s.soft += o.soft
	s.concealed += o.concealed
	s.masked += o.masked
	s.partly += o.partly
	s.apart += o.apart
	s.split += o.split
	if s.principals == nil {
		s.principals = map[uint64]struct{}{}
	}
	maps.Copy(s.principals, o.principals)
}

func (s *sum) empty() bool { return s.n == 0 && s.ambiguous == 0 && s.unattributable == 0 }

// atBackend returns the counts at the backend, where attempts are known.
func (s *sum) atBackend(known bool) Counts {
	c := Counts{
		State: StateUNK, N: s.n, K: s.k, Ambiguous: s.ambiguous, Unattributable: s.unattributable,
		Principals: len(s.principals), Answers: s.answers,
	}
	switch {
	case !known:
	case s.n > 0 && s.k == 0:
		c.State = StateENF
	case s.n > 0 && s.k == s.n && s.partly == 0:
		c.State = StateNOT
	case s.n > 0:
		c.State = StatePART
	case s.ambiguous > 0:
		c.State = StateAMB
	}
	return c
}

// atGateway returns the counts at the gateway: arrivals, of unknown attempts.
func (s *sum) atGateway(g Gateway, known bool) Counts {
	c := Counts{
		State: StateUNK, K: s.k, Ambiguous: s.ambiguous, Unattributable: s.unattributable,
		Principals: len(s.principals),
	}
	switch {
	case !g.Present:
		c.State = StateNA
	case !known:
	case s.k > 0:
		c.State = StateOPEN
		c.Unproven = !g.Proof
	case s.ambiguous > 0:
		c.State = StateAMB
	}
	return c
}

// read makes the cell as others see it. The caller holds op.mu.
func (e *epoch) read(op *operation, c *cell) Cell {
	front := e.options.Gateway
	if c.control == policy.PathGateway {
		front.Present = false // who came around the gateway says nothing of it
	}
	known := !c.token || (e.clients(c.control) && e.proven.Load())
	cell := Cell{
		Operation: op.id, Control: c.control, Modifiers: []Modifier{}, Strata: []Stratum{},
		Requests: c.requests, Undecided: c.undecided, Confounded: c.confounded,
	}
	var gateway, backend sum
	for _, st := range c.all() {
		var g, b sum
		g.add(&st.gateway, nil)
		b.add(&st.backend, op.baselines[st.instance])
		gateway.merge(g)
		backend.merge(b)
		shown := Stratum{Reason: st.reason, Instance: st.instance, Backend: b.atBackend(known)}
		if !g.empty() {
			counts := g.atGateway(front, known)
			shown.Gateway = &counts
		}
		cell.Strata = append(cell.Strata, shown)
	}
	cell.Gateway = gateway.atGateway(front, known)
	cell.Backend = backend.atBackend(known)
	tried := !gateway.empty() || !backend.empty()
	untestable := c.token && (!e.clients(c.control) || (tried && !known))
	cell.classify(untestable, op.bypassed, &backend)
	return cell
}

// clients reports that a control judges a credential which is the client's own: its
// token, or its API key.
func (e *epoch) clients(control policy.Control) bool {
	switch e.options.CredentialKind {
	case "", "client_token":
		return true
	case "api_key":
		return control == policy.KeyValid || control == policy.TokPresent
	}
	return false
}

// all returns the strata in a stable order, the overflow last.
func (c *cell) all() []*stratum {
	strata := slices.SortedFunc(maps.Values(c.strata), func(a, b *stratum) int {
		return cmp.Or(cmp.Compare(a.reason, b.reason), cmp.Compare(a.instance, b.instance))
	})
	if c.overflow != nil {
		strata = append(strata, c.overflow)
	}
	return strata
}

// classify sets class and modifiers: overrides first, then the table.
func (c *Cell) classify(untestable, bypassed bool, backend *sum) {
	class, given := ClassOf(c.Gateway.State, c.Backend.State)
	c.Class = class
	switch {
	case class == ClassNotApplicable:
		return
	case untestable:
		c.Class = ClassUntestable
		return
	case c.Undecided > 0 && c.Undecided*undecidedShare >= c.Requests:
		c.Class = ClassIndeterminatePolicy
		return
	}
	refusals := backend.n - backend.k
	low := c.Backend.State == StateENF ||
		(c.Backend.State == StateNOT && (backend.n < enoughTrials || len(backend.principals) < enoughPrincipals))
	for _, m := range Modifiers() {
		if slices.Contains(given, m) ||
			(m == ModBypassable && bypassed && class != ClassUnobserved) ||
			(m == ModSoft && refusals > 0 && backend.soft == refusals) ||
			(m == ModMasked && backend.concealed == refusals && backend.concealed+backend.masked > 0) ||
			(m == ModErrorMasked && backend.k > 0 && backend.errors == backend.k) ||
			(m == ModByInstance && backend.split > 0 && backend.apart == backend.k) ||
			(m == ModLowN && low) {
			c.Modifiers = append(c.Modifiers, m)
		}
	}
}
