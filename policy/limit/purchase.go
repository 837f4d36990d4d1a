package limit

import (
	"context"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

const (
	// maxAccounts bounds the accounts of one request that are charged, and so the
	// work of one step. A request that names more is not counted by account.
	maxAccounts = 32

	maxScratch = 16 << 10 // a larger one is not kept
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

// purchase is what one request takes.
type purchase struct {
	r         *policy.Request
	operation string
	head      policy.Decision
	proven    bool // a proven client calls, and no tok.* verdict objects
	tooMany   bool // accounts to charge
	// caller is how many bytes of keys name the proven client, or the peer.
	caller int
	nobody [1]string // stands for the caller where there is no account to charge
	*scratch
}

// scratch is room that is used again. It holds names only while a request is
// spent.
type scratch struct {
	keys []byte // that of the caller, and then those of a step
	// accounts are charged; with none, a limit by account counts by caller.
	accounts []string
}

// begin finds who calls.
func (p *purchase) begin() {
	p.proven = isProven(p.r, p.head)
	if p.proven {
		id := p.r.Auth.Identity
		p.keys = part(part(p.keys[:0], kindIssuer, id.Issuer), kindClient, id.Client)
	} else {
		p.keys = appendPeer(p.keys[:0], p.r)
	}
	p.caller = len(p.keys)
}

// isProven reports whether a credential proved a client and no verdict on it objects.
func isProven(r *policy.Request, head policy.Decision) bool {
	if r.Auth.Identity == nil || r.Auth.Identity.Client == "" {
		return false
	}
	return !doubted(head, func(f *policy.Finding) bool { return !f.Verdict.Passes() })
}

// refused reports whether the request is refused, where everything enforces, for the
// credential that it has. What an exception or insecure_fail_open lets through is not:
// it is served, in every mode.
func refused(head policy.Decision) bool {
	return doubted(head, func(f *policy.Finding) bool { return f.Exception == "" && head.Objects(f) })
}

// doubted reports whether a finding on the credential, of tok.* or key.valid, has a
// property.
func doubted(head policy.Decision, property func(*policy.Finding) bool) bool {
	for i := range head.Findings {
		f := &head.Findings[i]
		if (strings.HasPrefix(string(f.Rule.Control), "tok.") || f.Rule.Control == policy.KeyValid) && property(f) {
			return true
		}
	}
	return false
}

// findAccounts finds the accounts to charge: those that the request names, if the
// account boundary permits them; else, where the body is still to come and the
// head names none, the only account that the token has. Everything else is the
// caller's own affair, so that nobody spends a stranger's.
func (p *purchase) findAccounts(ctx context.Context, boundary Boundary) {
	if !p.proven {
		return
	}
	permits, objects := false, false
	judge := func(v policy.Verdict) {
		permits = permits || v.Effect == policy.Permit
		objects = objects || !v.Passes()
	}
	for i := range p.head.Findings {
		if f := &p.head.Findings[i]; f.Rule.Control == policy.AzAccount || f.Rule.Control == policy.AzDelegate {
			judge(f.Verdict)
		}
	}
	for _, c := range boundary.Pending {
		judge(c.Check(ctx, p.r))
	}
	switch own := p.r.Auth.Identity.Accounts; {
	case objects:
	case permits:
		p.charge(boundary.Named.Accounts(p.r, p.accounts))
	case len(boundary.Pending) > 0 && p.r.HasBody() && len(own) == 1:
		p.accounts = append(p.accounts, own[0])
	}
}

// charge keeps each account once.
func (p *purchase) charge(named []string) {
	p.accounts = named[:0]
	for _, a := range named {
		switch {
		case slices.Contains(p.accounts, a):
		case len(p.accounts) == maxAccounts:
			p.tooMany = true
			return
		default:
			p.accounts = append(p.accounts, a)
		}
	}
}

// charges returns the accounts that a limit charges, and false if these are too
// many. An empty one stands for the caller.
func (p *purchase) charges(l *Limit) ([]string, bool) {
	if !l.byAccount() || len(p.accounts) == 0 {
		return p.nobody[:], true
	}
	return p.accounts, !p.tooMany
}

// standsIn reports whether the peer stands in the key for a client or an account
// that nobody proved.
func (p *purchase) standsIn(l *Limit) bool {
	return !p.proven && slices.ContainsFunc(l.Key, func(k Key) bool { return k == Client || k == Account })
}

// key appends the key of a limit and returns it. Without an account, the caller
// stands for it.
func (p *purchase) key(l *Limit, account string) []byte {
	from := len(p.keys)
	for _, k := range l.Key {
		switch {
		case k == Client || k == Account && account == "":
			p.keys = append(p.keys, p.keys[:p.caller]...)
		case k == Account:
			p.keys = part(part(p.keys, kindNamespace, p.r.Auth.Identity.Issuer), kindAccount, account)
		case k == Peer:
			p.keys = appendPeer(p.keys, p.r)
		default:
			p.keys = part(p.keys, kindOperation, p.operation)
		}
	}
	return p.keys[from:len(p.keys):len(p.keys)]
}

// forget drops the names that the room still holds.
func (s *scratch) forget() {
	clear(s.keys[:cap(s.keys)])
	clear(s.accounts[:cap(s.accounts)])
	s.keys, s.accounts = s.keys[:0], s.accounts[:0]
}
