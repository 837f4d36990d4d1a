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
	opaque  []*issuer // those with opaque tokens, in the order in which prefixes are compared
	b64     *base64.Encoding
	cache   *cache // nil when nothing is cached
	dpop    *dpop  // nil when no proof is taken

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
	if o.Questions == nil {
		o.Questions = NewQuestions()
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
		compiled, err := compileIssuer(i, o)
		if err != nil {
			return nil, fmt.Errorf("token: %w", err)
		}
		if a.issuers[i.Issuer] != nil {
			return nil, fmt.Errorf("token: issuer %q is given twice", i.Issuer)
		}
		if o.Previous != nil {
			compiled.follow(o.Previous.issuers[i.Issuer])
		}
		a.issuers[i.Issuer] = compiled
	}
	err := a.route()
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	if a.dpop, err = compileDPoP(o.DPoP, o.Previous); err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	bytes := o.CacheBytes
	if bytes == 0 {
		bytes = DefaultCacheBytes
	}
	if bytes > 0 {
		if a.cache, err = newCache(bytes); err != nil {
			return nil, fmt.Errorf("token: cache of %d bytes: %w", bytes, err)
		}
	}
	return a, nil
}

// Authenticate returns the facts of the request's credential and of who sends it. It
// reads r.Method, r.Path, r.Header, r.Query, r.Peer and r.Time. It never waits for a key set;
// where the issuer of a token is asked about it, it waits for Options.DecisionTimeout at
// most, and for ctx. The returned token and identity may be shared with other requests,
// so they are read-only.
func (a *Authenticator) Authenticate(ctx context.Context, r *policy.Request) policy.Authentication {
	c, reason := a.credential(r)
	if reason != "" {
		return unproven(nil, policy.Verdict{Effect: policy.Indeterminate, Reason: reason, Cause: policy.TokPresent})
	}
	auth := a.identify(ctx, c.token, r)
	if c.dpop {
		auth.SentBy = a.dpop.sender(ctx, c.token, auth, r)
	}
	a.certify(ctx, r, &auth)
	return auth
}

// identify returns what the token says and whether it proved itself.
func (a *Authenticator) identify(ctx context.Context, t string, r *policy.Request) policy.Authentication {
	if len(t) > maxToken {
		return unproven(nil, policy.Denied(policy.TokenOversize, ""))
	}
	if strings.Count(t, ".") != 2 {
		if len(a.opaque) > 0 {
			return a.introspect(ctx, t, r)
		}
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
			f.key.life.use(r.Time)
			if f.issuer.confirms {
				return f.issuer.confirm(ctx, t, f.token, r)
			}
			return proven(f.token)
		}
		a.cache.drop(t)
	}
	if len(a.opaque) > 0 && !isJWT(t) {
		return a.introspect(ctx, t, r)
	}
	return a.read(ctx, t, r)
}

// credential returns the token that the request carries, or the reason of
// tok.present that it has none.
func (a *Authenticator) credential(r *policy.Request) (credential, policy.Reason) {
	values := r.Header[a.header]
	switch len(values) {
	case 0:
		return credential{}, policy.CredentialMissing
	case 1:
	default:
		return credential{}, policy.CredentialDuplicate
	}
	for i := range r.Query {
		// RFC 6750 section 2: a client uses one method only.
		if r.Query[i].Name == "access_token" {
			return credential{}, policy.CredentialDuplicate
		}
	}
	c, ok := a.scheming(values[0])
	if !ok || c.token == "" {
		return credential{}, policy.CredentialScheme
	}
	return c, ""
}

// read reads and verifies a token that is not in the cache.
func (a *Authenticator) read(ctx context.Context, t string, r *policy.Request) policy.Authentication {
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
		if from.keys == nil {
			return from.introspect(ctx, t, r) // to its issuer alone it is a JWT
		}
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
	if from.confirms {
		return from.confirm(ctx, t, facts, r)
	}
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
		return nil, i.refused(policy.KeyUnknown, set, h, p, r)
	}
	if k.alg.name != h.alg.name {
		return nil, i.refused(policy.TokenAlg, set, h, p, r)
	}
	if !k.verifies(p.input, p.signature) {
		return nil, i.refused(policy.TokenSignature, set, h, p, r)
	}
	k.life.use(r.Time)
	return k, policy.Permitted()
}

// refused denies a token that no key of the set proves. If a key that left the set
// signed it, that is the cause: the token is genuine, and too late.
func (i *issuer) refused(why policy.Reason, s *set, h *header, p parts, r *policy.Request) policy.Verdict {
	if i.keys.timeline.signed(s, h, p, r.Time) {
		why = policy.KeyRetired
	}
	return policy.Denied(why, "")
}

// proven is what is known of a token that proved itself, of whose sender nothing is
// asked.
func proven(t *policy.Token) policy.Authentication {
	return policy.Authentication{Proof: policy.Permitted(), Token: t, Identity: &t.Claimed}
}

func unproven(t *policy.Token, proof policy.Verdict) policy.Authentication {
	return policy.Authentication{Proof: proof, Token: t}
}
