package limit

import (
	"context"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/ratelimit"
)

const (
	// maxAccounts bounds the accounts of one request that are charged, and so the
	// work of one step. A request that names more is not counted by account.
	maxAccounts = 32

	// A basket that a single request has made larger is not kept.
	maxBasketKeys = 16 << 10
	maxBasketAsks = 256
)

// Boundary tells whose data the requests of one operation name.
type Boundary struct {
	// Named finds the accounts in the head of a request.
	Named Named
	// Pending stand for the controls az.account and az.delegate where these wait for
	// the body, which limits do not: each judges the head as its control does. Nil
	// where they judge in the head themselves.
	Pending []policy.Check
}

// Named finds the accounts that the head of a request names.
type Named interface {
	// Accounts appends the values of all selectors of path, query and header.
	Accounts(r *policy.Request, into []string) []string
}

// basket is what one request takes, with room that is used again.
type basket struct {
	r         *policy.Request
	operation string
	// caller is the key of the proven client, or of the peer if there is none or a
	// tok.* verdict objects to its token; proven tells which.
	caller []byte
	proven bool
	head   policy.Decision
	// accounts are charged; with none, a limit by account counts by caller.
	accounts []string
	tooMany  bool

	keys     []byte // that of caller and all of asks
	asks     []ratelimit.Ask
	askSlots []int
	results  []ratelimit.Result
	uses     []ratelimit.Use
	useSlots []int
}

// begin finds who calls.
func (b *basket) begin(r *policy.Request, head policy.Decision, operation string) {
	b.r, b.head, b.operation = r, head, operation
	b.proven = isProven(r, head)
	if b.proven {
		b.keys = part(part(b.keys, kindIssuer, r.Auth.Identity.Issuer), kindClient, r.Auth.Identity.Client)
	} else {
		b.keys = appendPeer(b.keys, r)
	}
	b.caller = b.keys[:len(b.keys):len(b.keys)]
}

// isProven reports whether a credential proved a client and no tok.* verdict
// objects to it.
func isProven(r *policy.Request, head policy.Decision) bool {
	if r.Auth.Identity == nil || r.Auth.Identity.Client == "" {
		return false
	}
	for i := range head.Findings {
		f := &head.Findings[i]
		if !f.Verdict.Passes() && strings.HasPrefix(string(f.Rule.Control), "tok.") {
			return false
		}
	}
	return true
}

// findAccounts finds the accounts to charge: those that the request names, if the
// account boundary permits them; else, where the body is still to come and the
// head names none, the only account that the token has. Everything else is the
// caller's own affair, so that nobody spends a stranger's.
func (b *basket) findAccounts(ctx context.Context, boundary Boundary) {
	if !b.proven {
		return
	}
	permits, objects := false, false
	judge := func(v policy.Verdict) {
		permits = permits || v.Effect == policy.Permit
		objects = objects || !v.Passes()
	}
	for i := range b.head.Findings {
		if f := &b.head.Findings[i]; f.Rule.Control == policy.AzAccount || f.Rule.Control == azDelegate {
			judge(f.Verdict)
		}
	}
	for _, c := range boundary.Pending {
		judge(c.Check(ctx, b.r))
	}
	switch own := b.r.Auth.Identity.Accounts; {
	case objects:
	case permits:
		b.charge(boundary.Named.Accounts(b.r, b.accounts))
	case len(boundary.Pending) > 0 && b.r.HasBody() && len(own) == 1:
		b.accounts = append(b.accounts, own[0])
	}
}

// azDelegate judges the accounts of a partner, whether or not this version has it.
const azDelegate policy.Control = "az.delegate"

// charge keeps each account once.
func (b *basket) charge(named []string) {
	b.accounts = named[:0]
	for _, a := range named {
		switch {
		case slices.Contains(b.accounts, a):
		case len(b.accounts) == maxAccounts:
			b.tooMany = true
			return
		default:
			b.accounts = append(b.accounts, a)
		}
	}
}

// ask adds what a limit asks for: one event of one key, or of one key per account.
// It reports false if these are too many.
func (b *basket) ask(l *Limit, slot int) bool {
	if !slices.Contains(l.Key, Account) || len(b.accounts) == 0 {
		b.askOne(l, slot, "")
		return true
	}
	if b.tooMany {
		return false
	}
	for _, account := range b.accounts {
		b.askOne(l, slot, account)
	}
	return true
}

// askOne adds the ask of one key. Without an account, the caller stands for it.
func (b *basket) askOne(l *Limit, slot int, account string) {
	from := len(b.keys)
	for _, k := range l.Key {
		switch k {
		case Client:
			b.keys = append(b.keys, b.caller...)
		case Account:
			if account == "" {
				b.keys = append(b.keys, b.caller...)
				continue
			}
			b.keys = part(part(b.keys, kindNamespace, b.r.Auth.Identity.Issuer), kindAccount, account)
		case Peer:
			b.keys = appendPeer(b.keys, b.r)
		case Operation:
			b.keys = part(b.keys, kindOperation, b.operation)
		}
	}
	b.asks = append(b.asks, ratelimit.Ask{Limiter: l.Limiter, Quota: l.Quota, Key: b.keys[from:len(b.keys):len(b.keys)], N: 1})
	b.askSlots = append(b.askSlots, slot)
}

// empty makes room for the next group; who calls stays.
func (b *basket) empty() {
	clear(b.uses)
	b.keys = b.keys[:len(b.caller)]
	b.asks, b.askSlots, b.results = b.asks[:0], b.askSlots[:0], b.results[:0]
	b.uses, b.useSlots = b.uses[:0], b.useSlots[:0]
}

// clear forgets the request, and everything of it that is not in the room itself.
func (b *basket) clear() {
	b.empty()
	clear(b.accounts[:cap(b.accounts)])
	*b = basket{
		keys: b.keys[:0], asks: b.asks, askSlots: b.askSlots, results: b.results,
		uses: b.uses, useSlots: b.useSlots, accounts: b.accounts[:0],
	}
}
