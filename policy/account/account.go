// Package account judges whose data a request asks for: against whose data the
// caller's token is for, by az.account, and for a partner against what was
// delegated to it, by az.delegate.
//
// Every value that any selector finds in the request must be one of the
// caller's accounts. There is no precedence between selectors and no "first
// value": a request that names its own account in the path and a stranger's in
// a header is denied, whichever of the two the backend reads.
//
// A partner is a client, which is a pair of issuer and client, that has a
// delegation. For it az.delegate alone judges the accounts, and its delegations
// alone say which they are: that its token names an account opens nothing, or a
// delegation could neither end nor be for some operations only.
//
// # Guarantees
//
// Values are compared as exact strings: "1", "01" and "1e0" are three accounts,
// and so are "A" and "a". A path or query value is compared as it is after one
// percent-decoding, a JSON number by its literal text. A header value is one
// account, also if it holds a comma, and each header line counts. Names of path
// and query parameters are compared exactly, header names without case.
//
// A carrier is judged whether or not the operation declares it: a value that is
// there counts. A denial says which carrier denied and never the account.
//
// The check of an account costs the same for a partner with one account and with
// ten thousand.
//
// # What it leaves to others
//
// Reading values out of a body belongs to policy/payload; which selectors and
// delegations there are, to policy/compile. Whose account an opaque object id
// belongs to cannot be seen in a request; that is az.object.
package account

import (
	"context"
	"net/http"

	"github.com/sidewarden/sidewarden/policy"
)

// Options say where a request of one operation can name accounts.
type Options struct {
	// Path and Query are names of parameters, Header names of headers.
	Path, Query, Header []string
	// Body are the JSON pointers of the body selectors, in the order of
	// Body.Selected of the request.
	Body []string
	// Required denies a request that names no account.
	Required bool
	// Unbound says that the operation declares nothing that a selector reads, and
	// that nobody said it needs none. Whose data it gives is then not decided by
	// anything, and the check is undecided; only a stranger's account that is
	// there all the same is denied.
	Unbound bool
	// Partners are the clients that az.delegate judges, and az.account does not; nil
	// for none.
	Partners *Delegations
}

// Check is the check of az.account. It is immutable.
type Check struct {
	boundary boundary
	partners *Delegations
}

var _ policy.Check = (*Check)(nil)

// New returns the check of one operation.
func New(o Options) *Check {
	return &Check{boundary: newBoundary(o), partners: o.Partners}
}

// Check implements [policy.Check]. It denies with account-not-in-token, and the
// carrier as detail, such as "path.accountId" or "body./accountId"; or with
// account-missing. It is undecided without an operation or identity, by
// in.wellformed when a body that may name accounts could not be read,
// not-inspected when its type is not one that values are read from, and with
// account-unbound. A denial by any value that is known goes before the last
// three. It does not apply to partners.
func (c *Check) Check(_ context.Context, r *policy.Request) policy.Verdict {
	if v, missing := r.Match.Missing(); missing {
		return v
	}
	if v, missing := r.Auth.Missing(); missing {
		return v
	}
	if c.partners.of(r.Auth.Identity) != nil {
		return policy.Inapplicable()
	}
	return c.boundary.judge(r, search{owner: r.Auth.Identity})
}

// boundary is where a request of one operation can name accounts, and what it
// means that it names none.
type boundary struct {
	path, query, header, body []carrier
	required, unbound         bool
}

// carrier is one selector with the detail of a denial by it.
type carrier struct{ name, detail string }

func newBoundary(o Options) boundary {
	canonical := make([]string, len(o.Header))
	for i, name := range o.Header {
		canonical[i] = http.CanonicalHeaderKey(name)
	}
	return boundary{
		path:   carriers("path.", o.Path, o.Path),
		query:  carriers("query.", o.Query, o.Query),
		header: carriers("header.", canonical, o.Header),
		body:   carriers("body.", o.Body, o.Body),

		required: o.Required,
		unbound:  o.Unbound,
	}
}

func carriers(prefix string, names, written []string) []carrier {
	all := make([]carrier, len(names))
	for i := range names {
		all[i] = carrier{name: names[i], detail: prefix + written[i]}
	}
	return all
}

// judge looks at every account that the request names. What is refused is told
// first, because it is refused whatever else is not known.
func (b *boundary) judge(r *policy.Request, s search) policy.Verdict {
	b.judgeHead(&s, r)
	unread, blind := b.judgeBody(&s, r)
	switch {
	case s.refused != "":
		return policy.Denied(s.refused, s.detail)
	case b.unbound:
		return policy.Undecided(policy.AccountUnbound, nil)
	case blind:
		return unread
	case s.found:
		return policy.Permitted()
	case b.required:
		return policy.Denied(policy.AccountMissing, "")
	}
	return policy.Inapplicable()
}

// search is what was seen of the values of one request, and whose they may be:
// the owner's, or what was delegated.
type search struct {
	owner     *policy.Identity
	delegated mandate

	found   bool
	refused policy.Reason // of the first value that is refused
	detail  string        // its carrier
}

func (s *search) value(c carrier, account string) {
	s.found = true
	if s.refused != "" {
		return
	}
	switch {
	case s.delegated.grants != nil:
		s.refused = s.delegated.refusal(account)
	case !s.owner.Owns(account):
		s.refused = policy.AccountNotInToken
	}
	if s.refused != "" {
		s.detail = c.detail
	}
}

func (b *boundary) judgeHead(s *search, r *policy.Request) {
	for _, at := range b.path {
		s.pairs(at, r.Match.Params)
	}
	for _, at := range b.query {
		s.pairs(at, r.Query)
	}
	for _, at := range b.header {
		for _, account := range r.Header[at.name] {
			s.value(at, account)
		}
	}
}

func (s *search) pairs(at carrier, pairs []policy.Pair) {
	for _, p := range pairs {
		if p.Name == at.name {
			s.value(at, p.Value)
		}
	}
}

// judgeBody judges the selected values. If the body may name accounts that
// nobody could read, it returns the verdict for that, and true.
func (b *boundary) judgeBody(s *search, r *policy.Request) (policy.Verdict, bool) {
	switch {
	case len(b.body) == 0 || !r.HasBody():
		return policy.Verdict{}, false
	case !r.Body.WellFormed.Passes():
		return r.Body.WellFormed.Dependent(policy.InWellformed), true
	case len(r.Body.Selected) != len(b.body):
		return policy.Undecided(policy.NotInspected, nil), true
	}
	for i, at := range b.body {
		for _, account := range r.Body.Selected[i] {
			s.value(at, account)
		}
	}
	return policy.Verdict{}, false
}
