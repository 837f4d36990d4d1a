package token_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/policytest"
	"github.com/sidewarden/sidewarden/policy/token"
)

// posted is a request with a form in which there is a token, or is not.
func posted(proof, form policy.Verdict) *policy.Request {
	return &policy.Request{
		Time: epoch, Auth: policy.Authentication{Proof: proof},
		Body: policy.Body{Size: 9, WellFormed: policy.Permitted(), FormToken: form},
	}
}

func TestThreatTokenInAForm(t *testing.T) {
	t.Parallel()
	proven := policy.Permitted()
	absent := policy.Verdict{Effect: policy.Indeterminate, Reason: policy.CredentialMissing, Cause: policy.TokPresent}
	twice := policy.Verdict{Effect: policy.Indeterminate, Reason: policy.CredentialDuplicate, Cause: policy.TokPresent}
	there, unread := policy.Denied(policy.CredentialDuplicate, ""), policy.UndecidedBy(policy.InWellformed)
	none := policy.Inapplicable()
	for _, row := range []struct {
		name     string
		proof    policy.Verdict
		form     policy.Verdict
		optional bool
		want     policy.Verdict
	}{
		{"header and form", proven, there, false, policy.Denied(policy.CredentialDuplicate, "")},
		{"header and form, where a credential is optional", proven, there, true, policy.Denied(policy.CredentialDuplicate, "")},
		{"header of a token that is none, and form", policy.Denied(policy.TokenMalformed, ""), there, false, policy.Denied(policy.CredentialDuplicate, "")},
		{"form alone: the head was denied for it", absent, there, false, none},
		{"form alone, where a credential is optional", absent, there, true, policy.Denied(policy.CredentialMissing, "")},
		{"two headers and form: the head was denied for them", twice, there, true, none},
		{"no token in the form", proven, policy.Permitted(), false, none},
		{"no form", proven, none, false, none},
		{"a form that cannot be read", proven, unread, false, unread},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			check, r := token.PresentInForm{Optional: row.optional}, posted(row.proof, row.form)
			assert.Equal(t, row.want, check.Check(t.Context(), r))
			policytest.Run(t, check, r)
		})
	}
}

func TestPresentInFormWithoutTheFact(t *testing.T) {
	t.Parallel()
	var check token.PresentInForm
	r := posted(policy.Permitted(), policy.Verdict{})
	r.Body.WellFormed = policy.Verdict{}
	assert.Equal(t, policy.Undecided(policy.NotInspected, nil), check.Check(t.Context(), r))
	r.Body.WellFormed = policy.Undecided(policy.InternalError, nil)
	assert.Equal(t, policy.UndecidedBy(policy.InWellformed), check.Check(t.Context(), r), "the inspector panicked")
	r.Body.Size = 0
	assert.Equal(t, policy.Inapplicable(), check.Check(t.Context(), r), "there is no body")
}
