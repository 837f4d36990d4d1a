package proxy

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// challenge says in the header of a 401 how to ask again (RFC 9110, section 11.6.1;
// RFC 6750, section 3; RFC 9449, section 7.1). It tells a client what kind of fault
// there is and never which one, except that a proof needs a nonce.
func challenge(header http.Header, p *policy.Policy, r *policy.Request, f policy.Finding) {
	const name = "WWW-Authenticate"
	proofs := len(p.DPoP) > 0
	switch reason := f.Verdict.Reason; {
	case r.Auth.Challenge != "":
		header.Set(name, r.Auth.Challenge) // of a credential that is no token
	case f.Rule.Control == policy.MTLSClient:
		header.Set(name, tokenChallenge(p, "")) // nothing is wrong with the token
	case reason == policy.CredentialMissing:
		header.Set(name, tokenChallenge(p, "")) // no error code (RFC 6750, section 3.1)
		if proofs && !isDPoP(p.Scheme) {
			header.Add(name, proofChallenge(p, ""))
		}
	case reason == policy.DPoPNonce && r.Auth.Sender().Nonce != "":
		header.Set(name, proofChallenge(p, "use_dpop_nonce"))
		header.Set("DPoP-Nonce", r.Auth.Sender().Nonce)
	case isProof(reason):
		header.Set(name, proofChallenge(p, "invalid_dpop_proof"))
	case r.Auth.Sender().DPoP, reason == policy.DPoPScheme && proofs:
		header.Set(name, proofChallenge(p, "invalid_token"))
	default:
		header.Set(name, tokenChallenge(p, "invalid_token"))
		if reason == policy.CredentialScheme && proofs && !isDPoP(p.Scheme) {
			header.Add(name, proofChallenge(p, ""))
		}
	}
}

// tokenChallenge asks for a token with the scheme that is configured.
func tokenChallenge(p *policy.Policy, code string) string {
	switch {
	case isDPoP(p.Scheme):
		return proofChallenge(p, code)
	case code == "":
		return bearerOr(p.Scheme)
	}
	return bearerOr(p.Scheme) + ` error="` + code + `"`
}

// proofChallenge asks for a token with the scheme DPoP. Without algorithms no proof is
// taken, and the scheme is only the one that is configured.
func proofChallenge(p *policy.Policy, code string) string {
	var parameters []string
	if code != "" {
		parameters = append(parameters, `error="`+code+`"`)
	}
	if len(p.DPoP) > 0 {
		parameters = append(parameters, `algs="`+strings.Join(p.DPoP, " ")+`"`)
	}
	return strings.TrimSuffix(dpopScheme+" "+strings.Join(parameters, ", "), " ")
}

// isProof reports whether a reason is about a proof and not about the token that it
// came with.
func isProof(reason policy.Reason) bool {
	switch reason { //nolint:exhaustive // the others are about something else
	case policy.DPoPMissing, policy.DPoPDuplicate, policy.DPoPOversize, policy.DPoPMalformed, policy.DPoPHeader,
		policy.DPoPType, policy.DPoPAlg, policy.DPoPKey, policy.DPoPMismatch, policy.DPoPSignature, policy.DPoPMethod,
		policy.DPoPURL, policy.DPoPTime, policy.DPoPToken, policy.DPoPNonce, policy.DPoPReplayed:
		return true
	}
	return false
}

// schemeOf is the authentication scheme that the request's token came with.
func schemeOf(p *policy.Policy, r *policy.Request) string {
	if r.Auth.Sender().DPoP {
		return dpopScheme
	}
	return bearerOr(p.Scheme)
}

// dpopScheme is the authentication scheme of RFC 9449, section 7.1.
const dpopScheme = "DPoP"

func isDPoP(scheme string) bool { return strings.EqualFold(scheme, dpopScheme) }

// bearerOr is the scheme that is configured. A token that is alone in its header is
// asked for as a bearer token, since a challenge has to have a scheme.
func bearerOr(scheme string) string { return cmp.Or(scheme, "Bearer") }
