package limit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/ratelimit"
)

// Limit is one limit of the stage: a rate or a quota.
type Limit struct {
	// Name is the limit's name in the configuration. It is the detail of a denial.
	Name string
	// Key lists what the limit counts by; together they are one key.
	Key []Key
	// Limiter holds the buckets of a rate, Quota the tallies of a quota; exactly one
	// is set. No other limit uses it.
	Limiter *ratelimit.Limiter
	Quota   *ratelimit.Quota
	// Group says with which other entries the limit is taken in one step.
	Group int
	// Operations are the ids of the operations that the limit is for, among which
	// policy.UnmatchedID may be; nil means all, and requests that match none.
	Operations []string
}

func (l *Limit) byAccount() bool { return slices.Contains(l.Key, Account) }

// Options make a Stage. The slot of Limits[i] is i; the slots of Replay follow,
// so that of Replay[j] is len(Limits)+j.
type Options struct {
	Limits []Limit
	Replay []TokenUse
	// Boundaries tell by operation id whose data a request names. Without one, a
	// limit by account counts the requests of that operation by client.
	Boundaries map[string]Boundary
}

// inline is the number of asks of one step that are made without allocating.
const inline = 8

// Stage is the spending stage of one policy. It is immutable but for its limiters,
// quotas and stores, and is safe for concurrent use.
type Stage struct {
	options Options
	// plans are what the requests of an operation take, others is that of all
	// operations that no entry names.
	plans   map[string]*plan
	others  *plan
	scratch sync.Pool
}

// plan is what one request takes, by group.
type plan struct {
	groups   []group
	boundary *Boundary // nil if no limit of the plan counts by account
}

// group is what is taken in one step: slots of limits, and of uses of tokens.
type group struct{ limits, uses []int }

var _ policy.Spender = (*Stage)(nil)

// New returns a stage. The error names every problem: a limit without limiter or
// quota or with both, without key or with an unknown part in it, two limits on one
// limiter or quota, a use of tokens without a store, without a space for its keys
// or with a negative skew.
func New(o Options) (*Stage, error) {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	owner := make(map[any]string)
	for _, l := range o.Limits {
		var counts any = l.Limiter
		if l.Quota != nil {
			counts = l.Quota
		}
		other, taken := owner[counts]
		switch {
		case (l.Limiter == nil) == (l.Quota == nil):
			problem("limit %q needs a limiter or a quota, and not both; make one with ratelimit.New or ratelimit.NewQuota", l.Name)
		case taken:
			problem("limit %q shares its limiter or quota with %q; give each its own", l.Name, other)
		default:
			owner[counts] = l.Name
		}
		if len(l.Key) == 0 {
			problem("limit %q has no key; give client, account, peer or operation", l.Name)
		}
		for _, k := range l.Key {
			if !k.known() {
				problem("limit %q has the key %q; give client, account, peer or operation", l.Name, k)
			}
		}
	}
	problems = append(problems, problemsOf(o.Replay)...)
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	s := &Stage{options: o, plans: map[string]*plan{}}
	s.scratch.New = func() any { return new(scratch) }
	s.others = s.planOf("")
	for _, ids := range s.named() {
		for _, id := range ids {
			if s.plans[id] == nil {
				s.plans[id] = s.planOf(id)
			}
		}
	}
	return s, nil
}

// named lists the operations that differ from others.
func (s *Stage) named() [][]string {
	var all [][]string
	byAccount := false
	for _, l := range s.options.Limits {
		all = append(all, l.Operations)
		byAccount = byAccount || l.byAccount()
	}
	for _, u := range s.options.Replay {
		all = append(all, u.Operations)
	}
	if byAccount {
		all = append(all, slices.Collect(maps.Keys(s.options.Boundaries)))
	}
	return all
}

// planOf returns what requests of an operation take.
func (s *Stage) planOf(operation string) *plan {
	p := &plan{}
	at := map[int]int{}
	in := func(id int) *group {
		if _, ok := at[id]; !ok {
			at[id] = len(p.groups)
			p.groups = append(p.groups, group{})
		}
		return &p.groups[at[id]]
	}
	byAccount := false
	for i, l := range s.options.Limits {
		if l.Operations == nil || slices.Contains(l.Operations, operation) {
			g := in(l.Group)
			g.limits = append(g.limits, i)
			byAccount = byAccount || l.byAccount()
		}
	}
	for j, u := range s.options.Replay {
		if slices.Contains(u.Operations, operation) {
			g := in(u.Group)
			g.uses = append(g.uses, len(s.options.Limits)+j)
		}
	}
	if b, ok := s.options.Boundaries[operation]; ok && byAccount {
		p.boundary = &b
	}
	return p
}

// Slots returns how many slots Spend fills: one per limit and one per use of tokens.
func (s *Stage) Slots() int { return len(s.options.Limits) + len(s.options.Replay) }

// Spend implements [policy.Spender]. It returns one verdict per slot; an entry
// that is not for the request's operation does not apply. A rate denies with
// rate-exceeded and a quota with quota-exceeded, its name and how long to wait; a
// limit by account is undecided, accounts-too-many, when the request names more
// accounts than one step takes. A use of a token denies with token-replayed,
// token-other-sender or token-id-missing; it is undecided without a proven token, by
// tok.time for a token that is past its time or has none, and with replay-store-full
// or replay-store-unavailable.
func (s *Stage) Spend(ctx context.Context, r *policy.Request, head policy.Decision) []policy.Verdict {
	slots := make([]policy.Verdict, s.Slots())
	for i := range slots {
		slots[i].Effect = policy.NotApplicable // as policy.Inapplicable
	}
	p := purchase{r: r, head: head, operation: policy.UnmatchedID}
	if r.Match.Operation != nil {
		p.operation = r.Match.Operation.ID
	}
	plan := s.plans[p.operation]
	if plan == nil {
		plan = s.others
	}
	p.scratch = s.scratch.Get().(*scratch) //nolint:errcheck // the pool holds nothing else
	p.begin()
	if plan.boundary != nil {
		p.findAccounts(ctx, *plan.boundary)
	}
	for i := range plan.groups {
		s.take(ctx, &plan.groups[i], &p, slots)
	}
	// After a panic the room is not used again.
	if p.forget(); cap(p.keys) <= maxScratch {
		s.scratch.Put(p.scratch)
	}
	return slots
}

// take asks everything of one group in one step.
func (s *Stage) take(ctx context.Context, g *group, p *purchase, slots []policy.Verdict) {
	var askRoom [inline]ratelimit.Ask
	var resultRoom [inline]ratelimit.Result
	var slotRoom [inline]int
	asks, askSlots := askRoom[:0], slotRoom[:0]
	p.keys = p.keys[:p.caller]
	for _, slot := range g.limits {
		l := &s.options.Limits[slot]
		accounts, ok := p.charges(l)
		if !ok {
			slots[slot] = policy.Undecided(policy.AccountsTooMany, nil)
			continue
		}
		for _, account := range accounts {
			asks = append(asks, ratelimit.Ask{Limiter: l.Limiter, Quota: l.Quota, Key: p.key(l, account), N: 1, Guest: p.standsIn(l)})
			askSlots = append(askSlots, slot)
		}
	}
	results := resultRoom[:0]
	if len(g.uses) == 0 {
		results = ratelimit.Take(p.r.Time, asks, results)
	} else {
		results = s.takeUses(ctx, g, p, asks, results, slots)
	}
	for i, slot := range askSlots {
		if results[i].Allowed {
			if slots[slot].Effect == policy.NotApplicable {
				slots[slot].Effect = policy.Permit // as policy.Permitted
			}
			continue
		}
		if v := exceeded(&s.options.Limits[slot], results[i]); graver(v, slots[slot]) {
			slots[slot] = v
		}
	}
}

// exceeded is the verdict of a limit that has nothing left.
func exceeded(l *Limit, result ratelimit.Result) policy.Verdict {
	v := policy.Denied(policy.RateExceeded, l.Name)
	if l.Quota != nil {
		v.Reason = policy.QuotaExceeded
	}
	if result.RetryAfter != ratelimit.Never {
		v.RetryAfter = result.RetryAfter
	}
	return v
}
