package evidence

import (
	"hash/maphash"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

// Defaults of Options.
const (
	DefaultMaxStrata    = 4096
	DefaultMaxInstances = 32
)

// Options say what a Store counts. They describe one epoch: a new policy or
// another gateway starts a new one.
type Options struct {
	// Policy is the digest of the policy that decides; records of another one are
	// not counted, such as those of requests that a reload overtook. Empty counts
	// all records.
	Policy string
	// Operations are all operations with the controls of their plans.
	// OperationsOf makes them.
	Operations []Operation
	Gateway    Gateway
	// CredentialKind is credential.kind of the config. Unless it is "client_token"
	// or empty, nothing can be said of the client's token: tok.* is untestable. With
	// "api_key", key.valid and tok.present judge the client's own key.
	CredentialKind string
	// AccountParameters are the path parameters that name the account, which the
	// resource of an operation may lie under.
	AccountParameters []string
	// Limits are the rates and quotas of the policy. Of one that is not here no
	// violation counts: how long its window is and what it allows is not known.
	Limits []Limit
	// MaxStrata bounds strata and baselines together, MaxInstances the backend
	// instances that are told apart. Zero means the default.
	MaxStrata, MaxInstances int
	// Since is when counting began.
	Since time.Time
}

// Operation is one operation of the contract, or "unmatched", with the controls
// that are not off.
type Operation struct {
	ID string
	// Template is the path template; operations of one resource are compared.
	Template string
	Controls []policy.Control
}

// Gateway says what stands in front of us.
type Gateway struct {
	// Present reports that there is a gateway.
	Present bool
	// Proof reports that requests show that they came through it, and that
	// path.gateway judges whether they do.
	Proof bool
}

// OperationsOf lists the plans of a policy, that of unmatched requests last.
func OperationsOf(p *policy.Policy) []Operation {
	all := make([]Operation, 0, len(p.Operations)+1)
	for _, op := range p.Operations {
		all = append(all, planOf(op))
	}
	if p.Unmatched != nil {
		all = append(all, planOf(p.Unmatched))
	}
	return all
}

func planOf(op *policy.Operation) Operation {
	plan := Operation{ID: op.ID, Template: op.Template}
	for _, r := range op.Rules {
		if !slices.Contains(plan.Controls, r.Control) {
			plan.Controls = append(plan.Controls, r.Control)
		}
	}
	return plan
}

// Stats counts what did not go into the cells as it came.
type Stats struct {
	// Strata is the number of strata and baselines now in use.
	Strata int
	// Unknown counts records of an operation that is not known, Stale those of
	// another policy.
	Unknown, Stale uint64
	// StrataOverflow counts violations that no stratum of their own was left for,
	// InstanceOverflow answers of instances beyond the bound, PrincipalOverflow
	// leaks of callers beyond the bound of their stratum.
	StrataOverflow, InstanceOverflow, PrincipalOverflow uint64
	// PendingOverflow counts refusals that lost their chance to be backed by a
	// later clean request, RunOverflow requests over a
	// limit of which too many windows were open for one more.
	PendingOverflow, RunOverflow uint64
	// ExistenceOverflow counts masked answers that lost their chance of a proof, and
	// deletions that were forgotten, which costs masked answers theirs.
	ExistenceOverflow uint64
}

type counters struct {
	unknown, stale, strata, instances, principals, pending, runs, existence atomic.Uint64
}

// Store holds the cells. It is safe for concurrent use.
type Store struct {
	seed  maphash.Seed
	stats counters
	epoch atomic.Pointer[epoch]
}

var _ audit.Consumer = (*Store)(nil)

// New returns a store in which every operation and control has a cell without
// evidence.
func New(o Options) *Store {
	s := &Store{seed: maphash.MakeSeed()}
	s.Restart(o)
	return s
}

// Restart begins a new epoch: all cells are empty again. Trials of an earlier
// policy say nothing about those of a later one, so they are not carried over.
// Stats go on.
func (s *Store) Restart(o Options) { s.epoch.Store(newEpoch(o, s.seed)) }

// Accept lets records of another policy count into the epoch, one that differs
// from those before in its modes alone: trials of one say as much as of the other.
// It is called before the policy decides.
func (s *Store) Accept(policy string) { s.epoch.Load().accept(policy) }

// Consume counts one record. It keeps nothing of it but its list of permits, one or
// two for each operation, and costs a clean request no allocation once its operation
// and instance were seen.
func (s *Store) Consume(rec *audit.Record) {
	if rec.Op.ID == policy.HealthID {
		return // nobody judged it
	}
	t := trialOf(rec)
	s.count(&t)
}

// Stats returns what was counted beside the cells.
func (s *Store) Stats() Stats {
	return Stats{
		Strata:            int(s.epoch.Load().strata.Load()),
		Unknown:           s.stats.unknown.Load(),
		Stale:             s.stats.stale.Load(),
		StrataOverflow:    s.stats.strata.Load(),
		InstanceOverflow:  s.stats.instances.Load(),
		PrincipalOverflow: s.stats.principals.Load(),
		PendingOverflow:   s.stats.pending.Load(),
		RunOverflow:       s.stats.runs.Load(),
		ExistenceOverflow: s.stats.existence.Load(),
	}
}

func (s *Store) count(t *trial) {
	e := s.epoch.Load()
	if !e.decidedBy(t.policy) {
		s.stats.stale.Add(1)
		return
	}
	op, ok := e.byID[t.operation]
	if !ok {
		s.stats.unknown.Add(1)
		return
	}
	if t.proven && !e.proven.Load() {
		e.proven.Store(true)
	}
	instance := ""
	if t.answered() {
		var fits bool
		if instance, fits = e.instance(t.instance); !fits {
			s.stats.instances.Add(1)
		}
	}
	if t.deletes && e.deletions.add(t.deleted, t.at) {
		s.stats.existence.Add(1)
	}
	principal := maphash.String(s.seed, t.client)
	s.measure(op, e, t, instance)
	op.mu.Lock()
	defer op.mu.Unlock()
	op.request(t)
	if t.clean {
		s.serve(e, op, t, instance, principal)
	}
	for i := range t.observations {
		o := &t.observations[i]
		// Those of one control stand together.
		if !o.Isolated && (i == 0 || t.observations[i-1].Control != o.Control) {
			op.confound(o.Control)
		}
		s.observe(e, op, t, o, instance, principal)
	}
}

// serve counts a clean request. The caller holds op.mu.
func (s *Store) serve(e *epoch, op *operation, t *trial, instance string, principal uint64) {
	if b := op.baseline(e, instance); b != nil && t.answered() {
		b.serve(t.at, principal, t.class)
	}
	if t.class == policy.ClassOK && t.thing.named() {
		op.existence.serve(e, t, t.thing.key(s.seed), &s.stats)
	}
}

// observe counts one observation. The caller holds op.mu.
func (s *Store) observe(e *epoch, op *operation, t *trial, o *policy.Observation, instance string, principal uint64) {
	c := op.cell(o.Control, 0)
	if c == nil {
		s.stats.unknown.Add(1)
		return
	}
	if !o.Isolated {
		return
	}
	atBackend := o.Position == policy.AtBackend
	if atBackend && !t.answered() {
		return // what was not forwarded says nothing about the backend
	}
	st, fits := c.stratum(e, o.Reason, instance)
	if !fits {
		s.stats.strata.Add(1)
	}
	if c.limit && isOutcome(o.Signal) {
		p, b := &st.gateway, (*baseline)(nil)
		if atBackend {
			p, b = &st.backend, op.baseline(e, st.instance)
		}
		s.weighLimit(c, p, b, t, o, principal)
		return
	}
	if atBackend {
		b := op.baseline(e, st.instance)
		s.weigh(c, &st.backend, b, t, t.class, o.Signal, principal)
		if o.Signal == policy.Masked && t.thing.named() && op.existence.wait(masked{
			key: t.thing.key(s.seed), at: t.at.UnixNano(), class: t.class, timely: b.near(t.at),
			in: &st.backend, from: b, principal: principal,
		}) {
			s.stats.existence.Add(1)
		}
		return
	}
	// The class is the backend's answer: it says nothing about the gateway.
	s.weigh(c, &st.gateway, nil, t, "", o.Signal, principal)
}

// weigh counts one isolated observation at a position. Refusals are held against
// the baseline b.
func (s *Store) weigh(
	c *cell, p *position, b *baseline, t *trial, class policy.ResponseClass, signal policy.Signal, principal uint64,
) {
	leak := signal == policy.Leaked || signal == policy.Weak
	refusal := signal == policy.Enforced || signal == policy.Soft
	if refusal {
		if b.refuse(t.at, p, class, signal, principal) {
			s.stats.pending.Add(1)
		}
		return
	}
	if !leak {
		p.add(class, signal, false)
		return
	}
	p.effective(class, signal, false, principal)
	if !p.leaker(principal) {
		s.stats.principals.Add(1)
	}
}
