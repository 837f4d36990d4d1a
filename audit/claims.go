package audit

import (
	"slices"

	"github.com/sidewarden/sidewarden/policy"
)

const (
	// maxScopes is the most scopes that a record names.
	maxScopes = 32
	// maxScope is the longest scope that a record names, in bytes. With more, the
	// scopes alone could fill a line.
	maxScope = 96
)

// claims is the number of claims whose absence is recorded.
const claims = 8

// claimNames are these claims, in the order of a record.
func claimNames() [claims]string {
	return [...]string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "nbf"}
}

// claimSets has the list of every set of claims by its bits, so that records share
// them: nearly every token lacks a claim.
type claimSets [1 << claims][]string

func newClaimSets() *claimSets {
	sets := &claimSets{}
	for bits := range sets {
		for i, name := range claimNames() {
			if bits>>i&1 == 1 {
				sets[bits] = append(sets[bits], name)
			}
		}
	}
	return sets
}

// missing returns the claims that a token lacks.
func (s *claimSets) missing(t *policy.Token) []string {
	bits := 0
	for i, name := range claimNames() {
		if slices.Contains(t.Missing, name) {
			bits |= 1 << i
		}
	}
	return s[bits]
}

// declared returns the scopes of a token that the contract or the configuration
// declares, each once and sorted, and whether there are more than a record names.
// Others are words of a client.
func (w *words) declared(scopes []string) (list []string, cut bool) {
	for _, scope := range scopes {
		alone, known := w.scopes[scope]
		switch {
		case !known || slices.Contains(list, scope):
		case len(list) == 0:
			list = alone
		case len(list) == maxScopes:
			cut = true
		default:
			list = append(list, alone[0])
		}
	}
	if len(list) > 1 {
		slices.Sort(list)
	}
	return list, cut
}
