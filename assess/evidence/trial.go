package evidence

import (
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// trial is what the store needs of one record; only the adapter knows where a
// record keeps it.
type trial struct {
	policy    string // digest of the policy that decided
	operation string
	at        time.Time
	// client is the pseudonym of the proven issuer and client; empty when unproven.
	client string
	// proven reports that the credential proved itself.
	proven   bool
	class    policy.ResponseClass
	instance string
	// thing is what the request names; filled reports that the contents of the
	// answer were looked at in full.
	thing  tuple
	filled bool
	// deletes reports that the request may have deleted the thing at the path
	// deleted, which may be anything if it is empty.
	deletes bool
	deleted string
	// clean reports that the request was judged, that no finding about it denies and
	// that none is undecided. Findings about the answer do not count.
	clean bool
	// permits are the controls that permit, objections those that deny or could
	// not decide for a reason of their own. One that another control left
	// undecided is in neither.
	permits      []policy.Control
	objections   []objection
	observations []policy.Observation
	// caller is for whom limits count the request, standings how those stand that
	// deny it.
	caller    caller
	standings []standing
	// crowded reports that a limit denies it whose windows are full.
	crowded bool
}

// caller is who is charged for a request.
type caller struct {
	// client is the pseudonym of the proven issuer and client; empty when a tok.*
	// verdict objects, as then the peer is charged.
	client string
	// issuer asserts the accounts, which are those that the request may charge; sure
	// reports that the limits saw the same ones.
	issuer   string
	accounts []string
	sure     bool
}

// objection is one control that did not pass.
type objection struct {
	control   policy.Control
	limit     string // the limit's name, if the control judges limits
	undecided bool
}

// answered reports whether the request was forwarded, so that its outcome can
// say something about the backend.
func (t *trial) answered() bool { return t.class != policy.ClassNone && t.class != "" }
