package token

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// Authenticator is the stage that turns an access token into an identity. It is
// safe for concurrent use. A reload that changes no issuer keeps it, and with it
// its cache.
type Authenticator struct {
	header  string
	scheme  string
	issuers map[string]*issuer
	b64     *base64.Encoding
	cache   *cache // nil when nothing is cached

	certificates *Certificates // nil when they come from TLS connections alone
	everySender  bool
}

var _ policy.Authenticator = (*Authenticator)(nil)

// NewAuthenticator returns the stage for these issuers. The error names the
// issuer and the field.
func NewAuthenticator(o Options) (*Authenticator, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	a := &Authenticator{
		header:  o.header(),
		scheme:  o.Scheme,
		issuers: make(map[string]*issuer, len(o.Issuers)),
		b64:     base64.RawURLEncoding.Strict(),

		certificates: o.Certificates,
		everySender:  o.EverySender,
	}
	for _, i := range o.Issuers {
		compiled, err := compileIssuer(i)
		if err != nil {
			return nil, fmt.Errorf("token: %w", err)
		}
		if a.issuers[i.Issuer] != nil {
			return nil, fmt.Errorf("token: issuer %q is given twice", i.Issuer)
		}
		if o.Previous != nil && o.Previous.issuers[i.Issuer] != nil {
			compiled.uses = o.Previous.issuers[i.Issuer].uses
		}
		a.issuers[i.Issuer] = compiled
	}
	bytes := o.CacheBytes
	if bytes == 0 {
		bytes = DefaultCacheBytes
	}
	if bytes > 0 {
		var err error
		if a.cache, err = newCache(bytes); err != nil {
			return nil, fmt.Errorf("token: cache of %d bytes: %w", bytes, err)
		}
	}
	return a, nil
}

// Authenticate returns the facts of the request's credential, and of a token that
// proved itself those of its sender. It reads r.Header, r.Query, r.Peer and r.Time and
// never waits: not for a key set, and not for ctx. The returned token and identity may
// be shared with other requests, so they are read-only.
func (a *Authenticator) Authenticate(ctx context.Context, r *policy.Request) policy.Authentication {
	facts := a.authenticate(r)
	if facts.Identity != nil {
		facts.Sender = a.senderOf(ctx, r, facts.Token)
	}
	return facts
}

func (a *Authenticator) authenticate(r *policy.Request) policy.Authentication {
	t, reason := a.credential(r)
	if reason != "" {
		return unproven(nil, policy.Verdict{Effect: policy.Indeterminate, Reason: reason, Cause: policy.TokPresent})
	}
	if len(t) > maxToken {
		return unproven(nil, policy.Denied(policy.TokenOversize, ""))
	}
	if strings.Count(t, ".") != 2 {
		return unproven(nil, policy.Denied(policy.TokenMalformed, "segments"))
	}
	if f, ok := a.cache.get(t); ok {
		// What is cached is what the token says and which key proved it. Whether
		// that key still counts is asked each time.
		set, err := f.issuer.keys.at(r.Time)
		if err != nil {
			return unproven(f.token, policy.Undecided(policy.KeySetUnavailable, err))
		}
		if set.has(f.key) {
			f.issuer.uses.hits.Add(1)
			return proven(f.token)
		}
		a.cache.drop(t)
	}
	return a.read(t, r)
}

// credential returns the token that the request carries, or the reason of
// tok.present that it has none.
func (a *Authenticator) credential(r *policy.Request) (string, policy.Reason) {
	values := r.Header[a.header]
	switch len(values) {
	case 0:
		return "", policy.CredentialMissing
	case 1:
	default:
		return "", policy.CredentialDuplicate
	}
	for i := range r.Query {
		// RFC 6750 section 2: a client uses one method only.
		if r.Query[i].Name == "access_token" {
			return "", policy.CredentialDuplicate
		}
	}
	t := values[0]
	if n := len(a.scheme); n > 0 {
		if len(t) <= n || t[n] != ' ' || !strings.EqualFold(t[:n], a.scheme) {
			return "", policy.CredentialScheme
		}
		t = strings.TrimLeft(t[n:], " ") // RFC 9110 section 11.4: one or more spaces
	}
	if t == "" {
		return "", policy.CredentialScheme
	}
	return t, ""
}

// read reads and verifies a token that is not in the cache.
func (a *Authenticator) read(t string, r *policy.Request) policy.Authentication {
	p, verdict := split(t, a.b64)
	if verdict.Effect != policy.Permit {
		return unproven(nil, verdict)
	}
	h, headed := readHeader(p.header)
	members, err := readObject(p.claims)
	if h == nil && err != nil {
		return unproven(nil, headed)
	}
	facts := &policy.Token{Fingerprint: sha256.Sum256([]byte(t))}
	if h != nil {
		facts.Algorithm, facts.KeyID, facts.Type = h.algorithm, h.keyID, h.typ
	}
	if err != nil {
		if headed.Effect == policy.Permit {
			headed = policy.Denied(policy.TokenMalformed, "claims")
		}
		return unproven(facts, headed)
	}
	var m mapping
	from := a.issuers[issuerOf(members)]
	if from != nil {
		m = from.claims
	}
	claimed := readClaims(members, m, facts)
	switch {
	case headed.Effect != policy.Permit:
		return unproven(facts, headed)
	case claimed.Effect != policy.Permit:
		return unproven(facts, claimed)
	case facts.Claimed.Issuer == "":
		return unproven(facts, policy.Verdict{Effect: policy.Indeterminate, Reason: policy.IssuerMissing, Cause: policy.TokIss})
	case from == nil:
		return unproven(facts, policy.Verdict{Effect: policy.Indeterminate, Reason: policy.IssuerUnknown, Cause: policy.TokIss})
	}
	from.uses.misses.Add(1)
	by, verdict := from.prove(h, p, r)
	if verdict.Effect != policy.Permit {
		return unproven(facts, verdict)
	}
	a.cache.put(t, fact{token: facts, issuer: from, key: by})
	return proven(facts)
}

// issuerOf returns the claim iss as far as it is needed to find the issuer's
// claim mapping; readClaims judges it.
func issuerOf(members []member) string {
	if v := find(members, "iss"); v.Kind() == '"' {
		return unquote(v)
	}
	return ""
}

// prove verifies the signature and returns the key that did it.
func (i *issuer) prove(h *header, p parts, r *policy.Request) (*key, policy.Verdict) {
	if !i.allowed[h.alg.name] {
		return nil, policy.Denied(policy.TokenAlg, "")
	}
	set, err := i.keys.at(r.Time)
	if err != nil {
		return nil, policy.Undecided(policy.KeySetUnavailable, err)
	}
	k := set.find(h.keyID, h.alg.name)
	if k == nil {
		if h.keyID != "" {
			i.keys.want()
		}
		return nil, policy.Denied(policy.KeyUnknown, "")
	}
	if k.alg.name != h.alg.name {
		return nil, policy.Denied(policy.TokenAlg, "")
	}
	if !k.verifies(p.input, p.signature) {
		return nil, policy.Denied(policy.TokenSignature, "")
	}
	return k, policy.Permitted()
}

func proven(t *policy.Token) policy.Authentication {
	return policy.Authentication{Proof: policy.Permitted(), Token: t, Identity: &t.Claimed}
}

func unproven(t *policy.Token, proof policy.Verdict) policy.Authentication {
	return policy.Authentication{Proof: proof, Token: t}
}
