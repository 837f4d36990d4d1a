package evidence_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/policy"
)

// The client's own key arrives: whether it counts and whether there is one can be
// tested, once some key has proved itself. What only a token has can not.
func TestAPIKeysAreTheClientsOwn(t *testing.T) {
	withKeys := func() *evidence.Store {
		o := options()
		o.CredentialKind = "api_key"
		for i := range o.Operations {
			o.Operations[i].Controls = append(of(policy.KeyValid), slices.Clone(o.Operations[i].Controls)...)
		}
		return evidence.New(o)
	}
	s := withKeys()
	send(s, 1, visit{}, "cust-a")
	unknown := visit{denied: of(policy.KeyValid), reason: policy.APIKeyUnknown}
	send(s, 4, unknown, "cust-a", "cust-b")
	send(s, 4, visit{denied: of(policy.TokPresent), reason: policy.CredentialMissing}, "cust-a", "cust-b")
	send(s, 4, visit{denied: of(policy.TokTime), reason: policy.TokenExpired}, "cust-a", "cust-b")
	for control, want := range map[policy.Control]evidence.State{
		policy.KeyValid: evidence.StateNOT, policy.TokPresent: evidence.StateNOT, policy.TokTime: evidence.StateUNK,
	} {
		cell := cellOf(t, s, "createOrder", control)
		assert.Equal(t, want, cell.Backend.State, control)
		assert.Equal(t, want == evidence.StateUNK, cell.Class == evidence.ClassUntestable, control)
	}

	s = withKeys()
	send(s, 100, visit{denied: of(policy.TokPresent), reason: policy.CredentialMissing})
	assert.Equal(t, evidence.ClassUntestable, cellOf(t, s, "createOrder", policy.TokPresent).Class, "no key proved itself: a gateway may take it away")
}
