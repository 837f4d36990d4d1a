package main

import (
	"slices"
	"time"

	"github.com/sidewarden/sidewarden/assess/evidence"
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

func censusOptions(l *loaded) evidence.CensusOptions {
	return evidence.CensusOptions{Issuers: tokenIssuers(l.config), Since: time.Now()}
}

// tokenIssuers are the configured issuers of tokens. Who asserts identities in headers
// issues none.
func tokenIssuers(cfg *config.Config) []string {
	if cfg.Credential.Kind == config.KindIdentityHeaders {
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
