package audit

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

const (
	callerSlots = 4096
	// maxCaller is the most text of a token that is remembered; see callers.
	maxCaller = 1024
	// nameBytes is about what a name takes besides its text.
	nameBytes = 16
)

// caller is what the records of one token have in common.
type caller struct {
	// token is the one that proved itself, and raw are its accounts.
	token *policy.Token
	raw   []string

	client, principal, actor string
	accounts                 []string // pseudonyms, in the order of raw
	cut                      bool     // raw has more than a record has

	tok       Tok  // without its age
	cutScopes bool // the token has more than tok names
}

// regular is a caller that is remembered.
type regular struct {
	caller
	last atomic.Pointer[aged] // of its last request
}

// aged is the token part of a record. Its age is in whole seconds, so all records
// of one token within a second share it.
type aged struct {
	tok      Tok
	age, ttl int64
}

// meet finds out who calls.
func (b *builder) meet() {
	if b.known = b.remembered(); b.known == nil {
		b.own.learn(b)
	}
}

func (b *builder) caller() *caller {
	if b.known != nil {
		return &b.known.caller
	}
	return &b.own
}

// byToken reports whether the identity is what the token says. Tokens are
// read-only and a verified one is shared by all requests that carry it, so that it
// is the same as long as it is the same piece of memory.
func (b *builder) byToken() bool {
	t := b.r.Auth.Token
	return t != nil && b.r.Auth.Identity == &t.Claimed
}

// callers remembers what records say of proven tokens by the token itself, because
// that is one look where there are six pseudonyms. At most 4096 tokens of 1 KiB,
// with their pseudonyms at most 8 MB, are remembered, whatever clients send: each
// token has one place. It gets there with its second request in that place, so that
// tokens that are used once cost nothing and drive out nobody. Nothing unproven
// gets in.
type callers struct {
	slots [callerSlots]struct {
		seen  atomic.Uint64 // begin of the fingerprint of the last one that was not known
		known atomic.Pointer[regular]
	}
}

// remembered returns what is remembered of the caller; nil for one that is not proven by
// a token, or not known yet.
func (b *builder) remembered() *regular {
	if !b.byToken() {
		return nil
	}
	t := b.r.Auth.Token
	begin := binary.BigEndian.Uint64(t.Fingerprint[:])
	slot := &b.words.callers.slots[begin%callerSlots]
	if c := slot.known.Load(); c != nil && c.token == t {
		return c
	}
	if slot.seen.Swap(begin) != begin || weight(t) > maxCaller {
		return nil
	}
	c := &regular{}
	c.learn(b)
	slot.known.Store(c)
	return c
}

// weight is about how many bytes a token takes that could be any number.
func weight(t *policy.Token) int {
	id := &t.Claimed
	n := len(t.Algorithm) + len(t.KeyID) + len(t.Type) + len(t.TokenType) + len(t.ID) + len(id.Issuer) + len(id.Client) + len(id.Principal) + len(id.Actor)
	n += len(t.Confirmation.Key) + len(t.Confirmation.Certificate)
	for _, list := range [][]string{t.Audience, id.Accounts, id.Scopes} {
		for _, name := range list {
			n += nameBytes + len(name)
		}
	}
	return n
}

// learn makes the pseudonyms of the request's caller. Without an identity there is
// none, and only the facts of its token are known.
func (c *caller) learn(b *builder) {
	p := b.options.Pseudonyms
	c.accounts = []string{}
	if id := b.r.Auth.Identity; id != nil {
		c.client, c.principal = p.Owned(TypeClient, id.Issuer, id.Client), p.Owned(TypePrincipal, id.Issuer, id.Principal)
		c.actor = p.Owned(TypeActor, id.Issuer, id.Actor)
		c.cut = len(id.Accounts) > maxAccounts
		c.accounts = b.accounts(id.Accounts)
		c.raw = id.Accounts
	}
	t := b.r.Auth.Token
	if t == nil {
		return
	}
	c.token = t
	c.tok = Tok{
		Iss: b.issuer(t.Claimed.Issuer), Alg: algorithm(t.Algorithm), Typ: tokenType(t.Type),
		ScopesN: len(t.Claimed.Scopes), Missing: b.claimSets.missing(t), Bound: bound(t.Confirmation),
		FP: p.ofToken(t.Fingerprint),
	}
	c.tok.Scopes, c.cutScopes = b.words.declared(t.Claimed.Scopes)
	if t.KeyID != "" {
		c.tok.Kid = p.Of(TypeKey, t.KeyID)
	}
}

// bound says what a token is bound to. A thumbprint names a client and is not repeated.
func bound(to policy.Confirmation) string {
	switch {
	case to.Other:
		return other
	case to.Key != "" && to.Certificate != "":
		return "dpop+mtls"
	case to.Key != "":
		return "dpop"
	case to.Certificate != "":
		return "mtls"
	}
	return ""
}

// facts returns the token part of the record; nil when no token was read.
func (b *builder) facts() *Tok {
	c := b.caller()
	t := c.token
	if t == nil {
		return nil
	}
	var age int64
	if !t.IssuedAt.IsZero() {
		age = int64(b.r.Time.Sub(t.IssuedAt) / time.Second)
	}
	if b.known != nil {
		if last := b.known.last.Load(); last != nil && last.age == age {
			return &last.tok
		}
	}
	now := &aged{tok: c.tok, age: age}
	if !t.IssuedAt.IsZero() {
		now.tok.AgeS = &now.age
		if !t.Expires.IsZero() {
			now.ttl = int64(t.Expires.Sub(t.IssuedAt) / time.Second)
			now.tok.TTLS = &now.ttl
		}
	}
	if b.known != nil {
		b.known.last.Store(now)
	}
	return &now.tok
}
