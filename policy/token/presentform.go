package token

import (
	"context"

	"github.com/sidewarden/sidewarden/policy"
)

// PresentInForm is the check of tok.present for operations that take forms, when the
// body was read.
//
// Rule: no field of a form is named access_token (RFC 6750 section 2.2): a client uses one
// method, and this one is not read here, while a backend may read it. It is denied
// with credential-duplicate where the head has a credential, too, and with credential-missing
// where it is optional and the head has none. A form that nobody could read is undecided by
// what the reading lacks. To whatever else it does not apply: the head was judged by
// [Present].
type PresentInForm struct {
	// Optional reports that the contract makes the credential optional, so that
	// [Present] spares a request without one.
	Optional bool
}

// Check judges tok.present on a form.
func (c PresentInForm) Check(_ context.Context, r *policy.Request) policy.Verdict {
	if !r.HasBody() {
		return policy.Inapplicable()
	}
	v := r.Body.FormToken
	switch {
	case v.Passes():
		return policy.Inapplicable()
	case v.Effect == policy.Indeterminate && v.Reason != "":
		return v
	case v.Effect == policy.Indeterminate && r.Body.WellFormed.Reason != "":
		return r.Body.WellFormed.Dependent(policy.InWellformed)
	case v.Effect == policy.Indeterminate:
		return policy.Undecided(policy.NotInspected, nil)
	case r.Auth.Proof.Cause != policy.TokPresent:
		return policy.Denied(policy.CredentialDuplicate, "")
	case c.Optional && r.Auth.Proof.Reason == policy.CredentialMissing:
		return policy.Denied(policy.CredentialMissing, "")
	}
	return policy.Inapplicable() // the head was denied for what it has, or has not
}
