package audit

import (
	"slices"
	"strings"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// identify fills in who asks and whose data it is. Proven and claimed values never
// mix: without an identity everything that the token says is claimed.
func (b *builder) identify(rec *Record) {
	p := b.options.Pseudonyms
	rec.Account.Token = []string{}
	if id := b.r.Auth.Identity; id != nil {
		rec.ClientID = p.Owned(TypeClient, id.Issuer, id.Client)
		rec.PrincipalID = p.Owned(TypePrincipal, id.Issuer, id.Principal)
		rec.Account.Token = b.accounts(id.Accounts)
	}
	rec.Account.Requested, rec.Account.Carrier = b.requested()
	t := b.r.Auth.Token
	if t == nil {
		return
	}
	claims := &t.Claimed
	if b.r.Auth.Identity == nil {
		rec.Claimed = &Claimed{
			ClientID:    p.Owned(TypeClient, claims.Issuer, claims.Client),
			PrincipalID: p.Owned(TypePrincipal, claims.Issuer, claims.Principal),
			Accounts:    b.accounts(claims.Accounts),
			Iss:         b.issuer(claims.Issuer),
		}
	}
	rec.Tok = &b.room.tok
	*rec.Tok = Tok{
		Iss: b.issuer(claims.Issuer), Alg: algorithm(t.Algorithm), Typ: tokenType(t.Type),
		ScopesN: len(claims.Scopes), FP: p.ofToken(t.Fingerprint),
	}
	if t.KeyID != "" {
		rec.Tok.Kid = p.Of(TypeKey, t.KeyID)
	}
	if !t.IssuedAt.IsZero() {
		b.room.age = int64(b.r.Time.Sub(t.IssuedAt) / time.Second)
		rec.Tok.AgeS = &b.room.age
		if !t.Expires.IsZero() {
			b.room.ttl = int64(t.Expires.Sub(t.IssuedAt) / time.Second)
			rec.Tok.TTLS = &b.room.ttl
		}
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
	list := b.room.list(len(raw))
	for _, a := range raw {
		list = append(list, b.account(a))
	}
	return list
}

// account returns the pseudonym of an account. A clean request names one account
// again and again: in its token, its path, and as the requested one.
func (b *builder) account(raw string) string {
	if raw != b.lastAccount || b.lastPseudonym == "" {
		b.lastAccount, b.lastPseudonym = raw, b.options.Pseudonyms.Of(TypeAccount, raw)
	}
	return b.lastPseudonym
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
