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
	rec.Tok = &Tok{
		Iss: b.issuer(claims.Issuer), Alg: algorithm(t.Algorithm), Typ: tokenType(t.Type),
		ScopesN: len(claims.Scopes), FP: p.Of(TypeToken, string(t.Fingerprint[:])),
	}
	if t.KeyID != "" {
		rec.Tok.Kid = p.Of(TypeKey, t.KeyID)
	}
	if !t.IssuedAt.IsZero() {
		rec.Tok.AgeS = seconds(b.r.Time.Sub(t.IssuedAt))
		if !t.Expires.IsZero() {
			rec.Tok.TTLS = seconds(t.Expires.Sub(t.IssuedAt))
		}
	}
}

func seconds(d time.Duration) *int64 {
	s := int64(d / time.Second)
	return &s
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
	list := make([]string, 0, len(raw))
	for _, a := range raw {
		list = append(list, b.options.Pseudonyms.Of(TypeAccount, a))
	}
	return list
}

// requested returns the accounts that the request names, each once, and where.
func (b *builder) requested() (accounts []string, carrier string) {
	var raw, carriers []string
	body := 0
	for _, s := range b.words.selectors {
		found := false
		add := func(v string) {
			found = true
			// One more than fits is kept, so that the cut is noticed.
			if len(raw) <= maxAccounts && !slices.Contains(raw, v) {
				raw = append(raw, v)
			}
		}
		switch s.In {
		case "path":
			addPairs(b.r.Match.Params, s.Name, add)
		case "query":
			addPairs(b.r.Query, s.Name, add)
		case "header":
			for _, v := range b.r.Header.Values(s.Name) {
				add(v)
			}
		case "body":
			if body < len(b.r.Body.Selected) {
				for _, v := range b.r.Body.Selected[body] {
					add(v)
				}
			}
			body++
		}
		if found {
			carriers = append(carriers, s.In+"."+s.Name)
		}
	}
	return b.accounts(raw), b.sieve.text("account.carrier", strings.Join(carriers, ","), 2*maxText)
}

func addPairs(pairs []policy.Pair, name string, add func(string)) {
	for _, p := range pairs {
		if p.Name == name {
			add(p.Value)
		}
	}
}
