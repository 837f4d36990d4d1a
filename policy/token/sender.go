package token

import (
	"context"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// SenderConstraint says what every token of an issuer has to be bound to. The zero
// value asks for nothing: a token that is bound to something is held to it anyway.
type SenderConstraint string

// The sender constraints.
const (
	ConstraintOptional SenderConstraint = ""         // bearer tokens are taken
	ConstraintRequired SenderConstraint = "required" // a key or a certificate
	ConstraintDPoP     SenderConstraint = "dpop"     // a key (RFC 9449)
	ConstraintMTLS     SenderConstraint = "mtls"     // a certificate (RFC 8705)
)

// dpopScheme is the authentication scheme of RFC 9449 section 7.1.
const dpopScheme = "DPoP"

// credential is a token as it came.
type credential struct {
	token string
	// dpop reports that the scheme was DPoP, so that a proof has to come along.
	dpop bool
}

// scheming takes the scheme off a credential: the configured one, and DPoP where
// proofs are taken. A header that holds the token alone may have the latter, too: no
// token has a space.
func (a *Authenticator) scheming(value string) (credential, bool) {
	if a.scheme != "" {
		if t, ok := after(value, a.scheme); ok {
			return credential{token: t, dpop: strings.EqualFold(a.scheme, dpopScheme)}, true
		}
	}
	if a.dpop != nil {
		if t, ok := after(value, dpopScheme); ok {
			return credential{token: t, dpop: true}, true
		}
	}
	return credential{token: value}, a.scheme == ""
}

// after returns what stands behind an authentication scheme (RFC 9110 section 11.4:
// after one or more spaces).
func after(value, scheme string) (string, bool) {
	n := len(scheme)
	if len(value) <= n || value[n] != ' ' || !strings.EqualFold(value[:n], scheme) {
		return "", false
	}
	return strings.TrimLeft(value[n:], " "), true
}

// sender returns what a request with the scheme DPoP proves of who sends it. Nothing
// is looked at unless the token proved itself: strangers get no signature verified.
// Nothing of it is cached: a proof is for one request.
func (d *dpop) sender(ctx context.Context, t string, auth policy.Authentication, r *policy.Request) *policy.Sender {
	s := &policy.Sender{DPoP: true}
	switch {
	case auth.Identity == nil:
	case d == nil:
		s.Proof = policy.Undecided(policy.DPoPUnconfigured, nil)
	default:
		d.judge(ctx, s, t, auth.Token, r)
	}
	return s
}
