package token

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// route orders the issuers with opaque tokens: the one without a prefix, if there is
// one, is asked last. A token that began with two prefixes would be sent to a
// stranger.
func (a *Authenticator) route() error {
	for _, i := range a.issuers {
		if i.endpoint != nil && i.endpoint.options.Opaque {
			a.opaque = append(a.opaque, i)
		}
	}
	prefix := func(i *issuer) string { return i.endpoint.options.Prefix }
	slices.SortFunc(a.opaque, func(x, y *issuer) int { return cmp.Compare(prefix(y), prefix(x)) })
	for i, x := range a.opaque {
		for _, y := range a.opaque[:i] {
			if prefix(x) == prefix(y) || prefix(x) != "" && strings.HasPrefix(prefix(y), prefix(x)) {
				return fmt.Errorf("opaque tokens of issuers %q and %q cannot be told apart: give each a prefix, none the begin of another", x.name, y.name)
			}
		}
	}
	return nil
}

// introspect finds the issuer of an opaque token by its prefix, and asks it.
func (a *Authenticator) introspect(ctx context.Context, t string, r *policy.Request) policy.Authentication {
	switch {
	case len(t) > maxOpaque:
		return unproven(nil, policy.Denied(policy.TokenOversize, ""))
	case !isBearerToken(t):
		return unproven(nil, policy.Denied(policy.TokenMalformed, "characters"))
	}
	for _, i := range a.opaque {
		if strings.HasPrefix(t, i.endpoint.options.Prefix) {
			return i.introspect(ctx, t, r)
		}
	}
	return unproven(nil, policy.Verdict{Effect: policy.Indeterminate, Reason: policy.IssuerUnknown, Cause: policy.TokIss})
}

// introspect asks the issuer for the facts of a token.
func (i *issuer) introspect(ctx context.Context, t string, r *policy.Request) policy.Authentication {
	said := i.endpoint.ask(ctx, t, nil, r.Time)
	var proof policy.Verdict
	switch said.outcome {
	case active:
		return asked(said.token, &said)
	case revoked:
		// Its issuer's word was all that proved it. It is known whose it was, and that
		// is for the record.
		proof := policy.Verdict{Effect: policy.Indeterminate, Reason: policy.TokenRevoked, Cause: policy.TokRevoked}
		return unproven(said.token, proof)
	case inactive:
		proof = policy.Denied(policy.TokenInactive, "")
	case foreign:
		proof = policy.Denied(policy.IntrospectionIssuer, "")
	case untold:
		proof = *said.active
	}
	facts := &policy.Token{Introspected: true, Fingerprint: sha256.Sum256([]byte(t))}
	facts.Claimed.Issuer = i.name // by what the token begins with, which is all that it says
	return unproven(facts, proof)
}

// confirm asks the issuer whether a token that proved itself by its signature is
// still active. Nobody is asked about one that has expired, which tok.time denies:
// whether it was revoked, too, is left undecided by that.
func (i *issuer) confirm(ctx context.Context, t string, facts *policy.Token, r *policy.Request) policy.Authentication {
	if !facts.Expires.IsZero() && !facts.Expires.After(r.Time.Add(-i.endpoint.skew)) {
		a := proven(facts)
		a.Active = new(policy.UndecidedBy(policy.TokTime))
		return a
	}
	said := i.endpoint.ask(ctx, t, facts, r.Time)
	if said.outcome == revoked {
		facts = said.token
	}
	return asked(facts, &said)
}

// asked is what is known of a proven token about which the issuer was asked.
func asked(facts *policy.Token, said *answer) policy.Authentication {
	a := proven(facts)
	a.Active = said.active
	return a
}
