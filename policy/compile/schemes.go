package compile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi"
)

// doubtSchemes warns of security schemes that the contract asks for and nothing here
// judges: one kind of credential is, so that what is asked for beside it, or in its
// place, is nobody's. A scheme that the contract does not define is a problem of the
// contract. Where the gateway took the client's credential and shows its own, the
// schemes are the gateway's to judge.
func (c *compiler) doubtSchemes(contracts []*openapi.Contract, all []*planned) {
	if kind := c.cfg.Credential.Kind; kind != config.KindClientToken && kind != config.KindAPIKey {
		return
	}
	for i, contract := range contracts {
		for _, s := range contract.Schemes() {
			if c.judgesScheme(s) {
				continue
			}
			found := those(all, func(p *planned) bool {
				return p.spec == i && p.has(policy.TokPresent) && slices.ContainsFunc(p.contract.Schemes, func(alternative []string) bool {
					return slices.Contains(alternative, s.Name)
				})
			})
			if len(found) > 0 {
				c.warn(fileOf(i), fmt.Sprintf("nothing here judges the security scheme %q (%s) that the contract asks for at %s: what is judged there is a credential of kind %s",
					s.Name, kindOf(s), names(found), c.cfg.Credential.Kind), "have the gateway or the backend judge it, or correct security in the contract")
			}
		}
	}
}

// judgesScheme reports whether the credential that is judged is one of the scheme.
func (c *compiler) judgesScheme(s openapi.Scheme) bool {
	switch s.Type {
	case "mutualTLS":
		return c.cfg.Listen.TLS != nil && c.cfg.Listen.TLS.ClientAuth == config.ClientAuthRequire
	case openapi.APIKeyScheme:
		// Contracts declare tokens as keys, where only keys can be.
		header := c.cfg.Credential.Header
		if c.keyed() && c.cfg.Credential.APIKey != nil {
			header = c.cfg.Credential.APIKey.Header
		}
		return s.In == "header" && strings.EqualFold(s.Field, header)
	case "http":
		return !c.keyed() && (s.Auth == "bearer" || s.Auth == "dpop" || s.Auth == strings.ToLower(c.cfg.Credential.Scheme))
	}
	return !c.keyed() // oauth2 and openIdConnect bring tokens
}

// kindOf says in few words what a scheme is.
func kindOf(s openapi.Scheme) string {
	switch {
	case s.Type == openapi.APIKeyScheme:
		return s.Type + " in " + s.In + " " + s.Field
	case s.Auth != "":
		return s.Type + " " + s.Auth
	}
	return s.Type
}
