package compile

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
)

// issuers returns the issuers with their key sets, taken over where nothing about
// their keys changed, and an id of everything else that they are asked with, secrets
// included.
func (c *compiler) issuers() (issuers []token.Issuer, asked string) {
	issuers = make([]token.Issuer, 0, len(c.cfg.Token.Issuers))
	ids := make([]string, len(c.cfg.Token.Issuers))
	for i, cfg := range c.cfg.Token.Issuers {
		field := fmt.Sprintf("token.issuers[%d]", i)
		issuer := token.Issuer{
			Issuer: cfg.Issuer, Algorithms: cfg.Algorithms, Profile: profileOf(cfg), Types: cfg.AcceptedTypes(),
			Audiences: cfg.Audiences, AllAudiences: cfg.AudienceMatch == config.AudienceAll,
			Skew: c.cfg.Token.Skew(cfg).Std(), MaxLifetime: c.cfg.Token.Lifetime(cfg).Std(),
			Namespace: cfg.AccountNamespace,
			Claims: token.Claims{
				Client: cfg.Claims.Client, Principal: cfg.Claims.Principal, Actor: cfg.Claims.Actor,
				Accounts: cfg.Claims.Accounts, AccountMember: cfg.Claims.AccountMember, Scopes: cfg.Claims.Scopes,
			},
			Sender: senderConstraint(cfg.SenderConstraint),
		}
		issuer.Introspection, ids[i] = c.introspection(field, cfg)
		if cfg.Tokens != config.TokensOpaque {
			if issuer.Keys = c.keySet(field, cfg); issuer.Keys == nil {
				continue
			}
		}
		issuers = append(issuers, issuer)
	}
	return issuers, stableID(ids)
}

func profileOf(cfg config.Issuer) token.Profile {
	if cfg.Profile == config.ProfileJWT {
		return token.ProfileJWT
	}
	return token.ProfileRFC9068
}

// longestSkew returns how long after its expiry the token of any issuer may be
// accepted.
func (c *compiler) longestSkew() time.Duration {
	longest := time.Duration(0)
	for _, i := range c.cfg.Token.Issuers {
		longest = max(longest, c.cfg.Token.Skew(i).Std())
	}
	return longest
}

// keySet returns the key set of an issuer; nil after a problem. Authorities count
// by their content, so that a file that was replaced makes another key set. One of
// the same issuer and source begins with the keys of that in force.
func (c *compiler) keySet(field string, cfg config.Issuer) *token.KeySet {
	var roots *x509.CertPool
	var authorities string
	if cfg.CAFile != "" {
		pem, pool, err := readAuthorities(cfg.CAFile)
		if err != nil {
			c.problem(field+".ca_file", err.Error(), "give a PEM file with at least one certificate")
			return nil
		}
		roots, authorities = pool, digest(pem)
	}
	source := stableID(cfg.Issuer, cfg.JWKSURL, cfg.JWKSFile)
	id := stableID(cfg.Issuer, cfg.JWKSURL, cfg.JWKSFile, authorities, cfg.Algorithms, cfg.Refresh, cfg.MaxStale, cfg.DiscoveryHosts, cfg.ProxyURL)
	if keys, ok := c.previous.keySets[id]; ok {
		c.parts.keySets[id], c.parts.seeds[source] = keys, keys
		return keys
	}
	options := token.KeySetOptions{
		Issuer: cfg.Issuer, URL: cfg.JWKSURL, File: cfg.JWKSFile, Algorithms: cfg.Algorithms,
		Refresh: cfg.Refresh.Std(), MaxStale: cfg.MaxStale.Std(), Now: c.Now,
		RootCAs: roots, Proxy: proxyOf(cfg), Seed: c.previous.seeds[source], DiscoveryHosts: cfg.DiscoveryHosts,
	}
	if c.OnRefresh != nil {
		options.OnRefresh = func(result token.RefreshResult, err error) { c.OnRefresh(cfg.Issuer, result, err) }
	}
	keys, err := token.NewKeySet(options)
	if err != nil {
		where := field + ".issuer"
		switch {
		case cfg.JWKSFile != "":
			where = field + ".jwks_file"
		case cfg.JWKSURL != "":
			where = field + ".jwks_url"
		}
		c.problem(where, err.Error(), "check where the key set is and what it holds")
		return nil
	}
	c.parts.keySets[id], c.parts.seeds[source] = keys, keys
	return keys
}

// proxyOf returns the proxy on the way to an issuer; nil for none. Config has parsed
// it before.
func proxyOf(cfg config.Issuer) *url.URL {
	if cfg.ProxyURL == "" {
		return nil
	}
	proxy, err := url.Parse(cfg.ProxyURL)
	if err != nil {
		return &url.URL{} // which no client takes
	}
	return proxy
}

// CertPool reads authorities. A file without a certificate is an error: an empty
// pool would mean those of the system.
func CertPool(file string) (*x509.CertPool, error) {
	_, pool, err := readAuthorities(file)
	return pool, err
}

func readAuthorities(file string) (pem []byte, pool *x509.CertPool, err error) {
	if pem, err = os.ReadFile(file); err != nil {
		return nil, nil, errors.New("the file can not be read: " + cause(err))
	}
	pool = x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, nil, errors.New("the file holds no certificate")
	}
	return pem, pool, nil
}

// cause returns an error of the file system without the path, which the field
// already names.
func cause(err error) string {
	if path, ok := errors.AsType[*os.PathError](err); ok {
		return path.Err.Error()
	}
	return err.Error()
}

// authenticator keeps the one in force, and with it the cache of verified facts,
// while everything about issuers, their key sets, what they are asked with and the
// credential is the same.
func (c *compiler) authenticator(issuers []token.Issuer, asked string) policy.Authenticator {
	switch {
	case c.asserted():
		return c.headers()
	case c.keyed():
		return c.apiKeys()
	}
	if len(issuers) == 0 {
		return nobody{}
	}
	certificates, hop := c.certificates()
	id := stableID(c.cfg.Credential, c.cfg.Token.Issuers, slices.Sorted(maps.Keys(c.parts.keySets)),
		c.proofID(), hop, c.comparesSenders(), asked, c.cfg.DecisionTimeout, c.cfg.Token.ClockSkew, c.Offline)
	if c.previous.authID == id {
		c.parts.proofs = c.previous.proofs
		c.parts.authenticator, c.parts.authID = c.previous.authenticator, id
		return c.parts.authenticator
	}
	if c.parts.questions == nil && c.asks() {
		c.parts.questions = token.NewQuestions()
	}
	a, err := token.NewAuthenticator(token.Options{
		Header: c.cfg.Credential.Header, Scheme: c.cfg.Credential.Scheme, Issuers: issuers,
		DPoP: c.proofs(), Certificates: certificates, EverySender: c.comparesSenders(), DecisionTimeout: c.cfg.DecisionTimeout.Std(), Offline: c.Offline,
		Questions: c.parts.questions,
		Previous:  c.previous.authenticator,
	})
	if err != nil {
		c.problem("token", err.Error(), "correct credential and token.issuers")
		return nobody{}
	}
	c.parts.authenticator, c.parts.authID = a, id
	return a
}

// nobody is the authenticator of a policy without issuers, and of one to which no
// credential comes: nothing can prove itself, and no rule of tok.* or az.* asks.
type nobody struct{}

func (nobody) Authenticate(context.Context, *policy.Request) policy.Authentication {
	return policy.Authentication{Proof: policy.Verdict{
		Effect: policy.Indeterminate, Reason: policy.CredentialMissing, Cause: policy.TokPresent,
	}}
}

// secretID names secrets in a stable id by what they are, which no configuration that
// is printed tells: one that was replaced makes another part.
func secretID(secrets ...config.Secret) string {
	all := make([][]byte, len(secrets))
	for i, s := range secrets {
		all[i] = []byte(s.Reveal())
	}
	return digest(nil, all...)
}

// stableID names a part by everything that it is made from; secrets by [secretID].
func stableID(from ...any) string {
	b, err := json.Marshal(from)
	if err != nil { // configuration is plain data
		return ""
	}
	return string(b)
}
