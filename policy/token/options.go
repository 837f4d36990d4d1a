package token

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// DefaultCacheBytes bounds the cache of verified facts when Options.CacheBytes is
// zero: some 6,000 tokens of a kilobyte.
const DefaultCacheBytes = 16 << 20

// Options configure an Authenticator.
type Options struct {
	// Header is the header that carries the credential; empty means Authorization.
	Header string
	// Scheme is the authentication scheme before the token, such as Bearer,
	// compared without regard to case (RFC 9110 section 11.1). Empty means that the
	// header holds the token alone.
	Scheme string
	// Issuers are the issuers whose tokens can prove themselves.
	Issuers []Issuer
	// DPoP says which proofs of possession are taken; nil takes none, and no token
	// with that scheme unless it is Scheme.
	DPoP *DPoP
	// CacheBytes bounds the cache of verified facts, in bytes; a token takes about
	// twice its own length and half a kilobyte. Zero means DefaultCacheBytes, a
	// negative number means no cache.
	CacheBytes int64
	// DecisionTimeout is how long a request waits for an issuer that is asked about its
	// token; then it is undecided. Zero means DefaultDecisionTimeout.
	DecisionTimeout time.Duration
	// Offline asks nobody: what an issuer would have to be asked for is undecided.
	Offline bool
	// Questions owns the questions to issuers; nil makes an owner that nobody runs, so
	// that they end by their timeouts alone.
	Questions *Questions
	// Certificates find the certificate of who sends a token; nil means those of TLS
	// connections alone.
	Certificates *Certificates
	// EverySender looks for the sender's certificate of every token that proved itself,
	// for whoever compares senders; otherwise only tokens that are bound to one are
	// looked at (RFC 8705 section 3).
	EverySender bool
	// Previous is the authenticator that the new one takes the place of; its counts of
	// issuers that stay go on. Nil for the first one.
	Previous *Authenticator
}

// Issuer is one issuer of access tokens and what this API expects of them.
type Issuer struct {
	// Issuer is the exact value of the claim iss.
	Issuer string
	// Keys verify the tokens of this issuer and of no other; KeySetOptions.Issuer
	// must be equal to Issuer. Nil when all its tokens are opaque; then a JWT that names
	// the issuer is opaque, too.
	Keys *KeySet
	// Introspection says about which tokens the issuer is asked; nil asks about none.
	Introspection *Introspection
	// Algorithms are the allowed values of the header member alg (RFC 7518 section
	// 3.1): RS256 to RS512, PS256 to PS512, ES256 to ES512, EdDSA. They need Keys.
	Algorithms []string
	// Profile is what tok.typ asks of a token beside its type.
	Profile Profile
	// Types are the allowed values of the header member typ, such as at+jwt. They
	// are media types: the prefix "application/" and letter case do not count (RFC
	// 7515 section 4.1.9).
	Types []string
	// Audiences are the values of aud that mean this API.
	Audiences []string
	// AllAudiences requires every one of Audiences; otherwise one is enough.
	AllAudiences bool
	// Skew is how far the clocks of issuer and sidecar may differ, in the caller's
	// favour; MaxLifetime is the longest lifetime of a token.
	Skew, MaxLifetime time.Duration
	// Namespace are beginnings of the accounts that the issuer may assert; nil means
	// all. An account that begins with none of them is not part of the identity, and
	// tok.iss denies the token.
	Namespace []string
	// Claims say where the identity is.
	Claims Claims
	// Sender is what every token of the issuer has to be bound to.
	Sender SenderConstraint
}

// Profile is a profile of access tokens.
type Profile uint8

// The profiles. The zero value is the strict one.
const (
	// ProfileRFC9068 asks for every claim that RFC 9068 section 2.2 requires.
	ProfileRFC9068 Profile = iota
	// ProfileJWT is for issuers whose tokens do not follow RFC 9068: typ may be
	// missing, no claim is asked for, and what other kinds of tokens are known by
	// (RFC 8725 section 3.12) must not be there.
	ProfileJWT
)

// Claims are JSON pointers (RFC 6901) to the parts of an identity, such as
// "/client_id" or "/act/sub". An empty pointer reads nothing.
//
// A missing claim, null and the empty string assert nothing: the part of the
// identity stays empty, so that a token without a client claim has an identity
// with an empty Client, which equals no configured client. A value of any other
// type makes the token malformed.
type Claims struct {
	// Client, Principal and Actor point to strings.
	Client, Principal, Actor string
	// Accounts points to a string, a number or an array of them. A number is its
	// literal text.
	Accounts string
	// AccountMember is for accounts that are objects, one or an array of them: it
	// points, within each, to the string or number that is the account. Empty means
	// that no account is an object.
	AccountMember string
	// Scopes points to a string of values separated by spaces (RFC 8693 section
	// 4.2) or to an array of strings.
	Scopes string
}

// issuer is an Issuer with its pointers and allow-list compiled.
type issuer struct {
	name    string
	keys    *KeySet
	allowed map[string]bool
	claims  mapping
	uses    *uses
	// endpoint asks the issuer about tokens; nil when nobody is asked.
	endpoint *endpoint
	// confirms reports that the issuer is asked about JWTs, too.
	confirms bool
}

// follow goes on with the counts of the same issuer in a previous authenticator, nil
// for none.
func (i *issuer) follow(previous *issuer) {
	if previous == nil {
		return
	}
	i.uses = previous.uses
	if i.endpoint != nil && previous.endpoint != nil {
		i.endpoint.counts = previous.endpoint.counts
	}
}

type mapping struct {
	client, principal, actor, accounts, member, scopes pointer
	namespace                                          []string
}

func (o Options) validate() error {
	var problems []error
	if o.Header != "" && strings.ContainsAny(o.Header, " \t\r\n:") {
		problems = append(problems, fmt.Errorf("header %q is not a header name", o.Header))
	}
	if strings.ContainsAny(o.Scheme, " \t\r\n") {
		problems = append(problems, fmt.Errorf("scheme %q is not an authentication scheme", o.Scheme))
	}
	if len(o.Issuers) == 0 {
		problems = append(problems, errors.New("no issuer is given, so no token can prove itself"))
	}
	return errors.Join(problems...)
}

func (o Options) header() string {
	if o.Header == "" {
		return "Authorization"
	}
	return http.CanonicalHeaderKey(o.Header)
}

func compileIssuer(i Issuer, o Options) (*issuer, error) {
	if i.Issuer == "" {
		return nil, errors.New("an issuer has no name: give the value of the claim iss")
	}
	opaque := i.Introspection != nil && i.Introspection.Opaque
	if i.Keys == nil && !opaque || i.Keys != nil && i.Keys.issuer != i.Issuer {
		return nil, fmt.Errorf("issuer %q: the key set is missing or belongs to another issuer", i.Issuer)
	}
	compiled := &issuer{name: i.Issuer, keys: i.Keys, uses: &uses{}, allowed: make(map[string]bool, len(i.Algorithms))}
	if len(i.Algorithms) == 0 && i.Keys != nil {
		return nil, fmt.Errorf("issuer %q: no algorithm is allowed: name at least one", i.Issuer)
	}
	for _, name := range i.Algorithms {
		if _, ok := algorithmOf(name); !ok {
			return nil, fmt.Errorf("issuer %q: algorithm %q is not one of %s", i.Issuer, name, strings.Join(Algorithms(), " "))
		}
		compiled.allowed[name] = true
	}
	if slices.Contains(i.Namespace, "") {
		return nil, fmt.Errorf("issuer %q: an empty beginning in the namespace is every account: name it, or leave the namespace out", i.Issuer)
	}
	compiled.claims.namespace = slices.Clone(i.Namespace)
	if err := compiled.point(i.Claims); err != nil {
		return nil, fmt.Errorf("issuer %q: %w", i.Issuer, err)
	}
	if i.Introspection == nil {
		return compiled, nil
	}
	var err error
	if compiled.endpoint, err = newEndpoint(i, compiled.claims, o); err != nil {
		return nil, fmt.Errorf("issuer %q: %w", i.Issuer, err)
	}
	compiled.confirms = i.Introspection.JWTs
	return compiled, nil
}

// point compiles the pointers to the parts of an identity.
func (i *issuer) point(c Claims) error {
	for _, p := range []struct {
		field, pointer string
		to             *pointer
	}{
		{"client", c.Client, &i.claims.client},
		{"principal", c.Principal, &i.claims.principal},
		{"actor", c.Actor, &i.claims.actor},
		{"accounts", c.Accounts, &i.claims.accounts},
		{"account_member", c.AccountMember, &i.claims.member},
		{"scopes", c.Scopes, &i.claims.scopes},
	} {
		var err error
		if *p.to, err = parsePointer(p.pointer); err != nil {
			return fmt.Errorf("claims.%s: %w", p.field, err)
		}
	}
	return nil
}
