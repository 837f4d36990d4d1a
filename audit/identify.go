package audit

import (
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// identify fills in who asks and whose data it is. Proven and claimed values never
// mix: without an identity everything that the token says is claimed.
func (b *builder) identify(rec *Record) {
	c := b.caller()
	rec.ClientID, rec.PrincipalID, rec.ActorID, rec.Account.Token = c.client, c.principal, c.actor, c.accounts
	b.cut = b.cut || c.cut || c.cutScopes
	rec.Account.Requested, rec.Account.Carrier = b.requested()
	rec.Tok = b.facts()
	t := b.r.Auth.Token
	claims := b.r.Auth.Claimed
	if t != nil {
		claims = &t.Claimed
	}
	if claims == nil || b.r.Auth.Identity != nil {
		return
	}
	p := b.options.Pseudonyms
	rec.Claimed = &Claimed{
		ClientID:    p.Owned(TypeClient, claims.Issuer, claims.Client),
		PrincipalID: p.Owned(TypePrincipal, claims.Issuer, claims.Principal),
		ActorID:     p.Owned(TypeActor, claims.Issuer, claims.Actor),
		Accounts:    b.accounts(claims.Accounts),
		Iss:         b.issuer(claims.Issuer),
	}
}

func (b *builder) issuer(iss string) string {
	if iss == "" {
		return ""
	}
	if _, configured := b.words.issuers[iss]; configured {
		return iss
	}
	return b.options.Pseudonyms.Of(TypeIssuer, iss)
}

func (b *builder) accounts(raw []string) []string {
	if len(raw) > maxAccounts {
		raw, b.cut = raw[:maxAccounts], true
	}
	if c := b.caller(); !c.cut && len(raw) > 0 && slices.Equal(raw, c.raw) {
		return c.accounts
	}
	list := make([]string, 0, len(raw))
	for _, a := range raw {
		list = append(list, b.account(a))
	}
	return list
}

// account returns the pseudonym of an account. A clean request names one account
// again and again: in its token, its path, and as the requested one.
func (b *builder) account(raw string) string {
	const few = 4
	c := b.caller()
	for i := range min(few, len(c.raw)) {
		if c.raw[i] == raw {
			return c.accounts[i]
		}
	}
	return b.options.Pseudonyms.Of(TypeAccount, raw)
}

const maxCarrier = 2 * maxText

// requested returns the accounts that the request names, each once, and where.
func (b *builder) requested() (accounts []string, carrier string) {
	var some [4]string
	raw := some[:0]
	var several [4]string
	carriers := several[:0]
	var only *selector
	body := 0
	for i := range b.words.selectors {
		s := &b.words.selectors[i]
		found := false
		switch s.In {
		case "path":
			raw, found = addPairs(raw, b.r.Match.Params, s.Name)
		case "query":
			raw, found = addPairs(raw, b.r.Query, s.Name)
		case "header":
			raw, found = addAll(raw, b.r.Header[s.Name])
		case "body":
			if body < len(b.r.Body.Selected) {
				raw, found = addAll(raw, b.r.Body.Selected[body])
			}
			body++
		}
		if found {
			only, carriers = s, append(carriers, s.raw)
		}
	}
	switch len(carriers) {
	case 0:
	case 1:
		carrier = b.sieve.word("account.carrier", only.carrier)
	default:
		carrier = b.sieve.text("account.carrier", strings.Join(carriers, ","), maxCarrier)
	}
	return b.accounts(raw), carrier
}

func addPairs(raw []string, pairs []policy.Pair, name string) (more []string, found bool) {
	for i := range pairs {
		if pairs[i].Name == name {
			raw, found = addOnce(raw, pairs[i].Value), true
		}
	}
	return raw, found
}

func addAll(raw, values []string) (more []string, found bool) {
	for _, v := range values {
		raw = addOnce(raw, v)
	}
	return raw, len(values) > 0
}

// addOnce keeps one more than fits into a record, so that the cut is noticed.
func addOnce(raw []string, v string) []string {
	if len(raw) > maxAccounts || slices.Contains(raw, v) {
		return raw
	}
	return append(raw, v)
}
