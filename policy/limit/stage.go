package limit

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/ratelimit"
)

// Key is one part of what a limit counts by.
type Key string

// The parts of keys.
const (
	// Client is the proven pair of issuer and client, or the peer if there is
	// none.
	Client Key = "client"
	// Peer is the connected client address: an IPv4 address or an IPv6 /64.
	Peer Key = "peer"
	// Operation is the operation's id; requests that match none share one.
	Operation Key = "operation"
)

// Limit is one limit of the stage.
type Limit struct {
	// Name is the limit's name in the configuration. It is the detail of a denial.
	Name string
	// Key lists what the limit counts by; together they are one key.
	Key []Key
	// Limiter holds the buckets. No other limit uses it.
	Limiter *ratelimit.Limiter
	// Group says with which other entries the limit is taken in one step.
	Group int
	// Operations are the ids of the operations that the limit is for, among which
	// policy.UnmatchedID may be; nil means all, and requests that match none.
	Operations []string
}

// SingleUse says that a token id may be used once, in any of some operations.
type SingleUse struct {
	// Store remembers the uses.
	Store *ratelimit.Once
	// Skew is how long after its expiry a token is still accepted, and so how
	// much longer its id is remembered.
	Skew time.Duration
	// Group says with which limits the use is taken in one step.
	Group int
	// Operations are the ids of the operations that ask for single use.
	Operations []string
}

// Options make a Stage. The slot of Limits[i] is i; the slots of Replay follow,
// so that of Replay[j] is len(Limits)+j.
type Options struct {
	Limits []Limit
	Replay []SingleUse
}

// Stage is the spending stage of one policy. It is immutable; its limiters and
// stores are not, and are safe for concurrent use.
type Stage struct {
	options Options
	groups  []int
	asked   []map[string]bool // by slot, the operations; nil for all
}

var _ policy.Spender = (*Stage)(nil)

// New returns a stage. The error names every problem: a limit without limiter,
// without key or with an unknown part in it, two limits on one limiter, single
// use without a store or with a negative skew.
func New(o Options) (*Stage, error) {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	s := &Stage{options: o}
	owner := make(map[*ratelimit.Limiter]string)
	for _, l := range o.Limits {
		s.add(l.Group, l.Operations, l.Operations == nil)
		if other, taken := owner[l.Limiter]; taken && l.Limiter != nil {
			problem("limit %q shares its limiter with %q; give each its own", l.Name, other)
		}
		owner[l.Limiter] = l.Name
		if l.Limiter == nil {
			problem("limit %q has no limiter; make one with ratelimit.New", l.Name)
		}
		if len(l.Key) == 0 {
			problem("limit %q has no key; give client, peer or operation", l.Name)
		}
		for _, k := range l.Key {
			if k != Client && k != Peer && k != Operation {
				problem("limit %q has the key %q; give client, peer or operation", l.Name, k)
			}
		}
	}
	for _, u := range o.Replay {
		s.add(u.Group, u.Operations, false)
		if u.Store == nil {
			problem("single use of operations %q has no store; make one with ratelimit.NewOnce", u.Operations)
		}
		if u.Skew < 0 {
			problem("single use of operations %q has the clock skew %s; give zero or more", u.Operations, u.Skew)
		}
	}
	slices.Sort(s.groups)
	s.groups = slices.Compact(s.groups)
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return s, nil
}

// add makes the next slot.
func (s *Stage) add(group int, operations []string, all bool) {
	s.groups = append(s.groups, group)
	var asked map[string]bool
	if !all {
		asked = make(map[string]bool, len(operations))
		for _, id := range operations {
			asked[id] = true
		}
	}
	s.asked = append(s.asked, asked)
}

// asks reports whether the entry of a slot is for an operation.
func (s *Stage) asks(slot int, operation string) bool {
	return s.asked[slot] == nil || s.asked[slot][operation]
}

// Slots returns how many slots Spend fills: one per limit and one per single use.
func (s *Stage) Slots() int { return len(s.asked) }

// Spend implements [policy.Spender]. It returns one verdict per slot; an entry
// that is not for the request's operation does not apply. A limit denies with
// rate-exceeded, its name and how long to wait. A single use denies with
// token-replayed or token-id-missing; it is undecided without a proven token, by
// tok.time for a token that is past its time or has none, and with
// replay-store-full.
func (s *Stage) Spend(_ context.Context, r *policy.Request, head policy.Decision) []policy.Verdict {
	p := purchase{stage: s, r: r, slots: make([]policy.Verdict, s.Slots()), operation: policy.UnmatchedID}
	if r.Match.Operation != nil {
		p.operation = r.Match.Operation.ID
	}
	p.client = clientKey(r, head)
	for _, group := range s.groups {
		p.take(group)
	}
	return p.slots
}

// purchase is what one request takes.
type purchase struct {
	stage             *Stage
	r                 *policy.Request
	operation, client string
	slots             []policy.Verdict
}

// take asks everything of one group in one step.
func (p *purchase) take(group int) {
	var asks []ratelimit.Ask
	var uses []ratelimit.Use
	var askSlots, useSlots []int
	for i, l := range p.stage.options.Limits {
		switch {
		case l.Group != group:
		case !p.stage.asks(i, p.operation):
			p.slots[i] = policy.Inapplicable()
		default:
			asks = append(asks, ratelimit.Ask{Limiter: l.Limiter, Key: p.key(l.Key), N: 1})
			askSlots = append(askSlots, i)
		}
	}
	for j, u := range p.stage.options.Replay {
		slot := len(p.stage.options.Limits) + j
		switch {
		case u.Group != group:
		case !p.stage.asks(slot, p.operation):
			p.slots[slot] = policy.Inapplicable()
		default:
			use, v, ok := useOf(p.r, u)
			if !ok {
				p.slots[slot] = v
				continue
			}
			uses = append(uses, use)
			useSlots = append(useSlots, slot)
		}
	}
	results, useResults := ratelimit.TakeOnce(p.r.Time, asks, uses)
	for i, slot := range askSlots {
		p.slots[slot] = rateVerdict(p.stage.options.Limits[slot].Name, results[i])
	}
	for i, slot := range useSlots {
		p.slots[slot] = useVerdict(useResults[i])
	}
}

func rateVerdict(name string, result ratelimit.Result) policy.Verdict {
	if result.Allowed {
		return policy.Permitted()
	}
	v := policy.Denied(policy.RateExceeded, name)
	if result.RetryAfter != ratelimit.Never {
		v.RetryAfter = result.RetryAfter
	}
	return v
}

// useOf returns the use of the request's token id, or the verdict and false if
// there is nothing that could be remembered.
func useOf(r *policy.Request, u SingleUse) (ratelimit.Use, policy.Verdict, bool) {
	if v, missing := r.Auth.Missing(); missing {
		return ratelimit.Use{}, v, false
	}
	token := r.Auth.Token
	switch {
	case token == nil || token.ID == "":
		return ratelimit.Use{}, policy.Denied(policy.TokenIDMissing, ""), false
	case token.Expires.IsZero():
		return ratelimit.Use{}, policy.UndecidedBy(policy.TokTime), false
	}
	key := part(part(nil, 't', r.Auth.Identity.Issuer), 't', token.ID)
	return ratelimit.Use{Once: u.Store, Key: string(key), Until: token.Expires.Add(u.Skew)}, policy.Verdict{}, true
}

func useVerdict(result ratelimit.UseResult) policy.Verdict {
	switch {
	case result.First:
		return policy.Permitted()
	case errors.Is(result.Err, ratelimit.ErrPast):
		return policy.UndecidedBy(policy.TokTime)
	case result.Err != nil:
		return policy.Undecided(policy.ReplayStoreFull, result.Err)
	}
	return policy.Denied(policy.TokenReplayed, "")
}

// clientKey returns the key of the proven client, or of the peer if there is none
// or a tok.* verdict objects to its token.
func clientKey(r *policy.Request, head policy.Decision) string {
	id := r.Auth.Identity
	if id == nil || id.Client == "" {
		return peerKey(r)
	}
	for _, f := range head.Findings {
		if strings.HasPrefix(string(f.Rule.Control), "tok.") && !f.Verdict.Passes() {
			return peerKey(r)
		}
	}
	return string(part(part(nil, 'i', id.Issuer), 'c', id.Client))
}

func peerKey(r *policy.Request) string {
	return string(part(nil, 'p', ratelimit.PeerKey(r.Peer.Addr)))
}

// key joins the parts of a limit's key.
func (p *purchase) key(parts []Key) string {
	var key []byte
	for _, k := range parts {
		switch k {
		case Client:
			key = append(key, p.client...)
		case Peer:
			key = append(key, peerKey(p.r)...)
		case Operation:
			key = part(key, 'o', p.operation)
		}
	}
	return string(key)
}

// part appends a kind, the length of the value and the value.
func part(key []byte, kind byte, value string) []byte {
	key = binary.AppendUvarint(append(key, kind), uint64(len(value)))
	return append(key, value...)
}
