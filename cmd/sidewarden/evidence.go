package main

import (
	"slices"
	"time"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
)

func evidenceOptions(l *loaded) evidence.Options {
	return evidence.Options{
		Policy:            l.output.Policy.Digest,
		Operations:        evidence.OperationsOf(l.output.Policy),
		Limits:            limitsOf(l.output.Parts),
		Gateway:           evidence.Gateway{Present: l.config.Gateway.Present, Proof: everywhere(l.output, policy.PathGateway)},
		AccountParameters: accountParameters(l),
		CredentialKind:    l.config.Credential.Kind,
		Since:             time.Now(),
	}
}

// accountParameters are the path parameters that name the account.
func accountParameters(l *loaded) []string {
	var names []string
	for _, r := range l.config.Account.Rules {
		if r.In == "path" {
			names = append(names, r.Name)
		}
	}
	return names
}

func (s *sidecar) censusOptions(l *loaded) evidence.CensusOptions {
	return evidence.CensusOptions{Issuers: tokenIssuers(l.config), Since: time.Now(), Keys: s.keyLives}
}

// keyLives are the keys of every issuer as the census tells them: under the
// pseudonyms that records have.
func (s *sidecar) keyLives() map[string][]evidence.KeyLife {
	all := make(map[string][]evidence.KeyLife)
	for _, set := range s.current.Load().output.Parts.KeySets() {
		issuer := set.Stats().Issuer
		for _, k := range set.Timeline() {
			life := evidence.KeyLife{
				Alg: k.Algorithm, FirstSeen: k.FirstSeen, LastSeen: k.LastSeen, RetiredAt: k.RetiredAt, LastUsed: k.LastUsed,
				Uses: k.Uses, UsesAfterRetirement: k.UsesAfterRetirement,
			}
			if k.KeyID != "" {
				life.Key = s.names.Of(audit.TypeKey, k.KeyID)
			}
			all[issuer] = append(all[issuer], life)
		}
	}
	return all
}

// endpointsByKind tells the metrics how many endpoints of each kind there are.
func (s *sidecar) endpointsByKind() map[string]int {
	n := s.endpoints.Stats()
	return map[string]int{"shadow": n.Shadow, "probed": n.Probed, "zombie": n.Zombie, "dead": n.Dead, "used": n.Used}
}

// tokenIssuers are the configured issuers of tokens. Who asserts identities in headers
// and who made API keys issues none.
func tokenIssuers(cfg *config.Config) []string {
	if kind := cfg.Credential.Kind; kind != config.KindClientToken && kind != config.KindGatewayToken {
		return nil
	}
	return issuersOf(cfg)
}

// scopesOf are the scopes that the contract's security or the configuration names.
func scopesOf(l *loaded) []string {
	var scopes []string
	for _, contract := range l.output.Contracts {
		for _, op := range contract.Operations() {
			scopes = append(scopes, slices.Concat(op.Security...)...)
		}
	}
	for _, op := range l.config.Operations {
		scopes = append(scopes, slices.Concat(op.Scopes...)...)
	}
	return scopes
}
