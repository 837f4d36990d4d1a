package explain

import (
	"context"

	"github.com/sidewarden/sidewarden/policy"
)

// proveOnce asks for the credential in the first trial and gives the others the same
// facts: a DPoP proof is remembered where it is judged, and the second trial would find
// it used.
type proveOnce struct {
	authenticator policy.Authenticator
	done          bool
	found         policy.Authentication
}

// Authenticate implements [policy.Authenticator].
func (p *proveOnce) Authenticate(ctx context.Context, r *policy.Request) policy.Authentication {
	if !p.done {
		p.found = p.authenticator.Authenticate(ctx, r)
		p.done = true
	}
	return p.found
}

// takeOnce spends for the first trial and gives the others the same verdicts: the
// same in every mode, as findings are.
type takeOnce struct {
	spender policy.Spender
	done    bool
	taken   []policy.Verdict
}

// Spend implements [policy.Spender].
func (s *takeOnce) Spend(ctx context.Context, r *policy.Request, head policy.Decision) []policy.Verdict {
	if !s.done {
		s.done, s.taken = true, s.spender.Spend(ctx, r, head)
	}
	return s.taken
}
