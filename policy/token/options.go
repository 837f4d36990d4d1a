package token

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
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
	// CacheBytes bounds the cache of verified facts, in bytes; a token takes about
	// twice its own length and half a kilobyte. Zero means DefaultCacheBytes, a
	// negative number means no cache.
	CacheBytes int64
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
	// must be equal to Issuer.
	Keys *KeySet
	// Algorithms are the allowed values of the header member alg (RFC 7518 section
	// 3.1): RS256 to RS512, PS256 to PS512, ES256 to ES512, EdDSA.
	Algorithms []string
	// Types are the allowed values of the header member typ, such as at+jwt. They
	// are media types: the prefix "application/" and letter case do not count (RFC
	// 7515 section 4.1.9).
	Types []string
	// Audiences are the values of aud that mean this API.
	Audiences []string
	// AllAudiences requires every one of Audiences; otherwise one is enough.
	AllAudiences bool
	// Claims say where the identity is.
	Claims Claims
}

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
}

type mapping struct{ client, principal, actor, accounts, scopes pointer }

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

func compileIssuer(i Issuer) (*issuer, error) {
	if i.Issuer == "" {
		return nil, errors.New("an issuer has no name: give the value of the claim iss")
	}
	if i.Keys == nil || i.Keys.issuer != i.Issuer {
		return nil, fmt.Errorf("issuer %q: the key set is missing or belongs to another issuer", i.Issuer)
	}
	compiled := &issuer{name: i.Issuer, keys: i.Keys, uses: &uses{}, allowed: make(map[string]bool, len(i.Algorithms))}
	if len(i.Algorithms) == 0 {
		return nil, fmt.Errorf("issuer %q: no algorithm is allowed: name at least one", i.Issuer)
	}
	for _, name := range i.Algorithms {
		if _, ok := algorithmOf(name); !ok {
			return nil, fmt.Errorf("issuer %q: algorithm %q is not one of %s", i.Issuer, name, strings.Join(Algorithms(), " "))
		}
		compiled.allowed[name] = true
	}
	for _, p := range []struct {
		field, pointer string
		to             *pointer
	}{
		{"client", i.Claims.Client, &compiled.claims.client},
		{"principal", i.Claims.Principal, &compiled.claims.principal},
		{"actor", i.Claims.Actor, &compiled.claims.actor},
		{"accounts", i.Claims.Accounts, &compiled.claims.accounts},
		{"scopes", i.Claims.Scopes, &compiled.claims.scopes},
	} {
		var err error
		if *p.to, err = parsePointer(p.pointer); err != nil {
			return nil, fmt.Errorf("issuer %q: claims.%s: %w", i.Issuer, p.field, err)
		}
	}
	return compiled, nil
}
