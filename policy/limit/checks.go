package limit

import (
	"context"

	"github.com/sidewarden/sidewarden/policy"
)

// Limits is the check of rate.app, rate.customer and rate.quota: every limit in
// its slots has something left.
type Limits struct {
	// Slots are the places of the limits in Request.Spent.
	Slots []int
}

var _ policy.Check = Limits{}

// Check implements [policy.Check]. It denies with rate-exceeded or quota-exceeded
// if any limit does, with the name of the limit that takes longest to wait for,
// and that time. It does not apply if no limit does. It is undecided,
// accounts-too-many, if a limit could not charge all accounts of the request, and
// internal-error if nothing was spent.
func (c Limits) Check(_ context.Context, r *policy.Request) policy.Verdict {
	worst := policy.Inapplicable()
	for _, slot := range c.Slots {
		if v := spent(r, slot); graver(v, worst) {
			worst = v
		}
	}
	return worst
}

// graver reports whether v says more than w: a denial before an undecided
// verdict before a permit, and a long wait before a short one.
func graver(v, w policy.Verdict) bool {
	if v.Effect == policy.Deny && w.Effect == policy.Deny {
		return v.RetryAfter > w.RetryAfter
	}
	return rank(v.Effect) > rank(w.Effect)
}

func rank(e policy.Effect) int {
	switch e {
	case policy.Deny:
		return 3
	case policy.Indeterminate:
		return 2
	case policy.Permit:
		return 1
	case policy.NotApplicable:
	}
	return 0
}

// Replay is the check of tok.replay: the token id was not used before, or not by
// another sender. It is there only where a [TokenUse] asks for it: a bearer token is
// used often by design, and nothing is to be said of that.
type Replay struct {
	// Slot is the place of the use in Request.Spent.
	Slot int
}

var _ policy.Check = Replay{}

// Check implements [policy.Check]. It returns the verdict of the slot, which
// [Stage.Spend] describes, and is undecided, internal-error, if nothing was
// spent.
func (c Replay) Check(_ context.Context, r *policy.Request) policy.Verdict {
	return spent(r, c.Slot)
}

// spent returns the verdict of a slot. A slot that nobody filled is a fault of
// ours.
func spent(r *policy.Request, slot int) policy.Verdict {
	if slot < 0 || slot >= len(r.Spent) {
		return policy.Undecided(policy.InternalError, nil)
	}
	v := r.Spent[slot]
	if v.Effect == policy.Indeterminate && v.Reason == "" {
		return policy.Undecided(policy.InternalError, nil)
	}
	return v
}
