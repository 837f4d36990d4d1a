package compile

import (
	"slices"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy/token"
)

// introspection says about which tokens an issuer is asked, and where; nil for none,
// and after a problem. The id has what the configuration does not tell: secret and
// authorities count by what they are and not by where they come from, so that one
// that was replaced makes another stage.
func (c *compiler) introspection(field string, cfg config.Issuer) (asks *token.Introspection, id string) {
	in := cfg.Introspection
	if in == nil {
		return nil, ""
	}
	asks = &token.Introspection{
		URL: in.URL, Auth: in.Auth, ClientID: in.ClientID, ClientSecret: in.ClientSecret.Reveal(),
		Opaque: cfg.Tokens != config.TokensJWT, Prefix: in.Prefix, Types: in.Types, JWTs: in.JWTs,
		TTL: in.TTL.Std(), Timeout: in.Timeout.Std(), Proxy: proxyOf(cfg),
	}
	authorities := ""
	if cfg.CAFile != "" {
		pem, pool, err := readAuthorities(cfg.CAFile)
		if err != nil {
			if cfg.Tokens == config.TokensOpaque { // else the key set says it
				c.problem(field+".ca_file", err.Error(), "give a PEM file with at least one certificate")
			}
			return nil, ""
		}
		asks.RootCAs, authorities = pool, digest(pem)
	}
	return asks, stableID(secretID(in.ClientSecret), authorities)
}

// asks reports whether any issuer is asked about tokens.
func (c *compiler) asks() bool {
	return slices.ContainsFunc(c.cfg.Token.Issuers, func(i config.Issuer) bool { return i.Introspection != nil })
}
