package account

import (
	"context"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// Delegation lets a partner act for accounts.
type Delegation struct {
	// Issuer and Client name the partner, together.
	Issuer, Client string
	// Accounts are compared as exact strings.
	Accounts []string
	// Operations are ids of operations; none stands for all.
	Operations []string
	// Until is when the delegation ends, that moment not included; zero is never.
	Until time.Time
}

// Delegations are what all partners may do. Several of one partner are
// alternatives: an account is open to it when any one is for the account, for the
// operation, and has not ended. They are immutable, and nil is no partner.
type Delegations struct{ partners map[client]partner }

// client is the only name of a client: issuers give the same id to different ones.
type client struct{ issuer, id string }

// partner are the grants of one partner by account; never nil.
type partner map[string][]*grant

type grant struct {
	operations map[string]struct{} // nil is every one
	until      time.Time
}

// NewDelegations returns delegations that any number of operations share.
func NewDelegations(all []Delegation) *Delegations {
	d := &Delegations{partners: make(map[client]partner, len(all))}
	for _, one := range all {
		g := &grant{until: one.Until}
		if len(one.Operations) > 0 {
			g.operations = make(map[string]struct{}, len(one.Operations))
			for _, id := range one.Operations {
				g.operations[id] = struct{}{}
			}
		}
		key := client{issuer: one.Issuer, id: one.Client}
		p := d.partners[key]
		if p == nil {
			p = make(partner, len(one.Accounts))
			d.partners[key] = p
		}
		for _, account := range one.Accounts {
			p[account] = append(p[account], g)
		}
	}
	return d
}

// of returns the grants of a client; nil if it is no partner.
func (d *Delegations) of(i *policy.Identity) partner {
	if d == nil {
		return nil
	}
	return d.partners[client{issuer: i.Issuer, id: i.Client}]
}

// mandate is what one request of a partner is judged by. Without grants there is
// no partner.
type mandate struct {
	grants    partner
	operation string
	at        time.Time
}

// refusal returns why the partner may not act for the account, or "". The grant
// that comes nearest gives the reason.
func (m *mandate) refusal(account string) policy.Reason {
	reason := policy.AccountNotDelegated
	for _, g := range m.grants[account] {
		if g.operations != nil {
			if _, ok := g.operations[m.operation]; !ok {
				if reason == policy.AccountNotDelegated {
					reason = policy.OperationNotDelegated
				}
				continue
			}
		}
		if g.until.IsZero() || m.at.Before(g.until) {
			return ""
		}
		reason = policy.DelegationExpired
	}
	return reason
}

// Delegate is the check of az.delegate. It is immutable.
type Delegate struct {
	boundary boundary
	partners *Delegations
}

var _ policy.Check = (*Delegate)(nil)

// NewDelegate returns the check of one operation, which judges the partners of
// the options.
func NewDelegate(o Options) *Delegate {
	return &Delegate{boundary: newBoundary(o), partners: o.Partners}
}

// Check implements [policy.Check]. It denies a partner with account-not-delegated,
// operation-not-delegated or delegation-expired, and the carrier as detail, or with
// account-missing, and is undecided as az.account is. It does not apply to clients
// that are no partners.
func (c *Delegate) Check(_ context.Context, r *policy.Request) policy.Verdict {
	if v, missing := r.Match.Missing(); missing {
		return v
	}
	if v, missing := r.Auth.Missing(); missing {
		return v
	}
	grants := c.partners.of(r.Auth.Identity)
	if grants == nil {
		return policy.Inapplicable()
	}
	return c.boundary.judge(r, search{
		delegated: mandate{grants: grants, operation: r.Match.Operation.ID, at: r.Time},
	})
}
