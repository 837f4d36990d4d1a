package config

import (
	"fmt"
	"slices"
	"strings"
)

// warnTypes tells of types of tokens that are not those of their profile.
func (v *validator) warnTypes(warn func(path, cause, fix string)) {
	for i, is := range v.c.Token.Issuers {
		at := slices.IndexFunc(is.Types, func(t string) bool { return strings.EqualFold(t, "JWT") || strings.EqualFold(t, "application/JWT") })
		if is.Profile == ProfileRFC9068 && at >= 0 {
			warn(fmt.Sprintf("token.issuers[%d].types[%d]", i, at),
				"most issuers give this type to every JWT, and profile rfc9068 does not look for the claims that tell an ID token",
				"remove it, or write profile: jwt, which denies a token that a claim marks as made for something else")
		}
	}
}

// warnWait tells when nobody said how long a request waits for an issuer.
func (v *validator) warnWait(warn func(path, cause, fix string)) {
	const at = "decision_timeout"
	asked := slices.ContainsFunc(v.c.Token.Issuers, func(is Issuer) bool { return is.Introspection != nil })
	if asked && !v.given(at) {
		warn(at, "an issuer is asked about tokens, and a request waits "+v.c.DecisionTimeout.String()+
			" for its answer, by default: where that takes longer, the first use of a token is undecided, and blocked with 503 by controls that enforce",
			"add decision_timeout: 500ms, or what most of its answers take, and not more than introspection.timeout")
	}
}

// warnSenders tells what of the sender constraint does not fit together.
func (v *validator) warnSenders(warn func(path, cause, fix string)) {
	const addProofs = "add to token: {dpop: {public_url: https://api.example.net}}, with the URL at which clients reach this API"
	const addCertificates = "add to listen.tls: {client_auth: request} where TLS ends here, or, where it ends at a gateway with gateway.proof, to gateway: {client_cert_header: Client-Cert}"
	d := v.c.Token.DPoP
	if d != nil && d.Nonce && d.NonceKey.IsZero() {
		warn("token.dpop.nonce_key", "no key: a random one per process, so replicas do not take each other's nonces, nor a process those from before its restart",
			"set it to ${file:/path} or ${env:NAME}")
	}
	if !v.anyMode("tok.bind") {
		return // it denies nothing
	}
	proofs, certificates := d != nil, v.certificatesArrive()
	if v.tokensArrive() && strings.EqualFold(v.c.Credential.Scheme, proofHeader) && !proofs {
		warn("credential.scheme", "every token comes with a proof, and none is looked at: tok.bind permits no token", addProofs)
	}
	for i, is := range v.c.Token.Issuers {
		at := fmt.Sprintf("token.issuers[%d].sender_constraint", i)
		switch {
		case is.SenderConstraint == SenderDPoP && !proofs:
			warn(at, "every token must be bound to a key, and no proof of it is looked at: tok.bind permits none", addProofs)
		case is.SenderConstraint == SenderMTLS && !certificates:
			warn(at, "every token must be bound to a certificate, and none gets here: tok.bind permits none", addCertificates)
		case is.SenderConstraint == SenderRequired && !proofs && !certificates:
			warn(at, "every token must be bound to a key or a certificate, no proof of a key is looked at, and no certificate gets here: tok.bind permits none", addProofs+"; or "+addCertificates)
		}
	}
}
