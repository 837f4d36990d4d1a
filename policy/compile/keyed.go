package compile

import (
	"crypto/sha256"
	"fmt"
	"strconv"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
)

// keyed reports whether the credential is an API key.
func (c *compiler) keyed() bool { return c.cfg.Credential.Kind == config.KindAPIKey }

// tokenless reports whether a credential arrives that is no token.
func (c *compiler) tokenless() bool { return c.asserted() || c.keyed() }

// proof returns the control that proves who the caller is.
func (c *compiler) proof() policy.Control {
	switch {
	case c.asserted():
		return policy.PathGateway
	case c.keyed():
		return policy.KeyValid
	}
	return policy.TokSig
}

// proofOf returns the control that proves the callers of a policy.
func proofOf(p *policy.Policy) policy.Control {
	switch p.Authenticator.(type) {
	case *token.Headers:
		return policy.PathGateway
	case *token.APIKeys:
		return policy.KeyValid
	}
	return policy.TokSig
}

// apiKeys returns the stage that knows the API keys of the file. The file counts for
// the digest of the policy and not for what is measured: as with tokens, another key
// is another caller, and no other rule.
func (c *compiler) apiKeys() policy.Authenticator {
	const at, fix = "credential.api_key.file", "correct the file, for example with an entry of sidewarden api-key hash"
	cfg := c.cfg.Credential.APIKey
	if cfg == nil { // config asks for it
		c.problem("credential.api_key", "is missing", "add for example api_key: {file: api-keys.json}")
		return nobody{}
	}
	data, err := ReadUpTo(cfg.File, token.MaxAPIKeyFile)
	if err != nil {
		c.problem(at, err.Error(), "check its path and permissions")
		return nobody{}
	}
	entries, err := token.ReadAPIKeys(data)
	if err != nil {
		c.problem(at, strconv.Quote(cfg.File)+": "+err.Error(), fix)
		return nobody{}
	}
	keys, err := token.NewAPIKeys(token.APIKeyOptions{Header: cfg.Header, Issuer: cfg.Issuer, Entries: entries})
	if err != nil {
		c.problem(at, strconv.Quote(cfg.File)+": "+err.Error(), fix)
		return nobody{}
	}
	c.doubtKeys(at, entries)
	sum := sha256.Sum256(data)
	c.keys = sum[:]
	return keys
}

// doubtKeys warns of keys whose last day is over, or will soon be.
func (c *compiler) doubtKeys(field string, entries []token.APIKeyEntry) {
	var over, ending int
	var first string
	for i := range entries {
		e := &entries[i]
		until := config.Deadline(e.Expires).Until()
		if e.Disabled || until.IsZero() {
			continue
		}
		switch left := until.Sub(c.Now()); {
		case left <= 0:
			over++
		case left <= soon:
			if ending++; ending == 1 {
				first = e.ID
			}
		}
	}
	if over > 0 {
		c.warn(field, fmt.Sprintf("%d keys have expired: key.valid denies them", over), "remove them, or renew them")
	}
	if ending > 0 {
		c.warn(field, fmt.Sprintf("%d keys expire within 30 days, the first in the file being %q: then key.valid denies them", ending, first),
			"give out new ones in time")
	}
}

// doubtUnprovenKeys warns of operations that ask for a key and take any: what the rest
// of an enforcing family does not tell.
func (c *compiler) doubtUnprovenKeys(all []*planned) {
	if !c.keyed() {
		return
	}
	found := those(all, func(p *planned) bool {
		return p.modeOf(policy.TokPresent) == policy.Enforce && p.modeOf(policy.KeyValid) != policy.Enforce
	})
	if len(found) > 0 {
		c.warn("credential.api_key", "tok.present enforces for "+names(found)+
			" and key.valid does not: anything that looks like a key passes there", "add "+linesFor("", []policy.Control{policy.KeyValid}))
	}
}
