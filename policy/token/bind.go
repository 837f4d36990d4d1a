package token

import (
	"context"

	"github.com/sidewarden/sidewarden/policy"
)

// Bind is the check of tok.bind.
//
// Rule: whoever sends a token proves to be the one that it is bound to.
//
// A token that is bound to a key (cnf.jkt) comes with the scheme DPoP, else it is
// denied with dpop-scheme (RFC 9449 section 7.2); with a proof for this request that
// passes every check of RFC 9449 section 4.3, else the finding is that of the proof;
// and the key of the proof is the one that the token names, else it is denied with
// dpop-mismatch. A token that is bound to a certificate (cnf.x5t#S256) comes from a
// sender with that certificate, else it is denied with certificate-missing or
// certificate-mismatch (RFC 8705 section 3). A token that is bound to both needs
// both, and one that is bound to something else is denied with
// confirmation-unsupported.
//
// A token that is not bound to a key and comes with the scheme DPoP is denied with
// token-unbound, and so is one that is not bound as its issuer's tokens have to be.
// To any other bearer token the rule does not apply.
type Bind struct {
	wanted map[string]SenderConstraint
}

// NewBind returns the check for the constraints of these issuers.
func NewBind(issuers []Issuer) *Bind {
	c := &Bind{wanted: make(map[string]SenderConstraint, len(issuers))}
	for _, i := range issuers {
		c.wanted[i.Issuer] = i.Sender
	}
	return c
}

// Check judges tok.bind.
func (c *Bind) Check(_ context.Context, r *policy.Request) policy.Verdict {
	t, v := provenToken(r)
	if t == nil {
		return v
	}
	to, from := t.Confirmation, r.Auth.Sender()
	switch {
	case to.Other:
		return policy.Denied(policy.ConfirmationUnsupported, "")
	case !c.wanted[t.Claimed.Issuer].met(to), from.DPoP && to.Key == "":
		return policy.Denied(policy.TokenUnbound, "")
	case !to.Bound():
		return policy.Inapplicable()
	}
	if to.Key != "" {
		if v := heldBy(to.Key, &from); v.Effect != policy.Permit {
			return v
		}
	}
	switch {
	case to.Certificate == "" || to.Certificate == from.Certificate:
		return policy.Permitted()
	case from.Certificate == "":
		return policy.Denied(policy.CertificateMissing, from.CertificateFault)
	}
	return policy.Denied(policy.CertificateMismatch, "")
}

// met reports whether a token is bound to what is asked for.
func (s SenderConstraint) met(to policy.Confirmation) bool {
	switch s {
	case ConstraintOptional:
		return true
	case ConstraintDPoP:
		return to.Key != ""
	case ConstraintMTLS:
		return to.Certificate != ""
	case ConstraintRequired:
	}
	return to.Key != "" || to.Certificate != ""
}

// heldBy permits when the sender proved to hold the key.
func heldBy(key string, from *policy.Sender) policy.Verdict {
	switch {
	case !from.DPoP:
		return policy.Denied(policy.DPoPScheme, "")
	case from.Proof.Effect != policy.Permit && from.Proof.Reason == "":
		return policy.Undecided(policy.DPoPUnconfigured, nil) // nobody looked
	case from.Proof.Effect != policy.Permit:
		return from.Proof
	case from.Key != key:
		return policy.Denied(policy.DPoPMismatch, "")
	}
	return policy.Permitted()
}
