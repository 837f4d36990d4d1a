package audit

import "github.com/sidewarden/sidewarden/policy"

// proof is what the controls of the family authn say.
type proof struct {
	judged, applies, denied bool
	// reason is that of the denial, or of the first that could not decide for a
	// reason of its own.
	reason policy.Reason
}

func (b *builder) proof(d policy.Decision) (p proof) {
	for i := range d.Findings {
		v := &d.Findings[i].Verdict
		if p.applies && v.Passes() || !b.authn[d.Findings[i].Rule.Control] {
			continue
		}
		p.judged = true
		p.applies = p.applies || v.Effect != policy.NotApplicable
		if v.Effect == policy.Deny {
			p.denied, p.reason = true, v.Reason
			return p
		}
		if v.Effect == policy.Indeterminate && v.Cause == "" && p.reason == "" {
			p.reason = v.Reason
		}
	}
	return p
}

// auth says how the authentication ended: by what the controls of the family
// authn say, and where they say nothing, by what is known of the credential.
func (b *builder) auth(p proof) Auth {
	switch {
	case p.denied:
		return refused(p.reason)
	case p.reason != "":
		return Auth{Outcome: AuthError, Reason: p.reason}
	case b.r.Auth.Identity != nil && b.r.Auth.APIKey != nil:
		return Auth{Outcome: AuthSuccess, Reason: APIKeyValid}
	case b.r.Auth.Identity != nil && b.r.Auth.Token == nil:
		return Auth{Outcome: AuthSuccess, Reason: IdentityAsserted}
	case b.r.Auth.Identity != nil:
		return Auth{Outcome: AuthSuccess, Reason: TokenValid}
	case p.judged && !p.applies:
		return Auth{Outcome: AuthNone, Reason: NotRequired}
	}
	return unproven(b.r.Auth.Proof)
}

// unproven reads the proof of a credential that gave no identity, when no control
// has judged it.
func unproven(proof policy.Verdict) Auth {
	switch {
	case proof.Effect == policy.Deny, proof.Cause == policy.TokPresent:
		return refused(proof.Reason)
	case proof.Cause == policy.PathGateway, proof.Cause == policy.KeyValid:
		return Auth{Outcome: AuthFailure, Reason: proof.Reason}
	case proof.Cause == policy.TokIss:
		return Auth{Outcome: AuthFailure, Reason: policy.IssuerUnknown}
	case proof.Reason != "":
		return Auth{Outcome: AuthError, Reason: proof.Reason}
	}
	return Auth{Outcome: AuthError, Reason: NotEvaluated}
}

func refused(reason policy.Reason) Auth {
	if reason == policy.CredentialMissing {
		return Auth{Outcome: AuthNone, Reason: reason}
	}
	return Auth{Outcome: AuthFailure, Reason: reason}
}
