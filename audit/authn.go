package audit

import "github.com/sidewarden/sidewarden/policy"

// auth says how the authentication ended: by what the controls of the family
// authn say, and where they say nothing, by what is known of the credential.
func (b *builder) auth(d policy.Decision) Auth {
	var undecided policy.Reason
	judged, applies := false, false
	for i := range d.Findings {
		v := &d.Findings[i].Verdict
		if applies && v.Passes() || !b.authn[d.Findings[i].Rule.Control] {
			continue
		}
		judged = true
		applies = applies || v.Effect != policy.NotApplicable
		if v.Effect == policy.Deny {
			return refused(v.Reason)
		}
		if v.Effect == policy.Indeterminate && v.Cause == "" && undecided == "" {
			undecided = v.Reason
		}
	}
	switch {
	case undecided != "":
		return Auth{Outcome: AuthError, Reason: undecided}
	case b.r.Auth.Identity != nil:
		return Auth{Outcome: AuthSuccess, Reason: TokenValid}
	case judged && !applies:
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
