package config

import (
	"fmt"
	"net/url"
	"time"
)

// Warnings returns what is allowed and dangerous in the file, sorted by line.
// Who starts the process tells them; they stop nothing.
func (c *Config) Warnings() Problems { return c.warnings }

// longSkew is the clock skew from which on expiry is hardly checked.
const longSkew = Duration(5 * time.Minute)

func (v *validator) warn() Problems {
	var ps Problems
	warn := func(path, cause, fix string) { ps = append(ps, v.at(path, cause, fix)) }
	for i, control := range v.c.InsecureFailOpen {
		warn(fmt.Sprintf("insecure_fail_open[%d]", i), control+" lets requests pass when it could not decide", "remove it once the cause is gone")
	}
	if v.c.Mode == Enforce {
		warn("mode", "every control enforces that is not named under controls, also those that a later version brings", "use mode: shadow and name the controls that enforce")
	}
	if v.c.Schema.UndeclaredProperties == UndeclaredDeny && v.modeAnywhere("out.schema", Enforce) {
		warn("schema.undeclared_properties", "out.schema enforces and withholds every answer with a property that the contract does not declare, also new ones of a backend that is right", "watch it in shadow first, or use contract")
	}
	if v.c.Schema.UndeclaredProperties == UndeclaredDeny && v.modeAnywhere("in.schema", Enforce) {
		warn("schema.undeclared_properties", "in.schema enforces and blocks every property that the contract does not declare, also new ones of clients that are right", "watch it in shadow first, or use contract")
	}
	if v.c.Schema.UnsupportedPatterns == PatternsOmit && v.modeAnywhere("in.schema", Enforce) {
		warn("schema.unsupported_patterns", "in.schema enforces and lets every value pass that only a pattern which cannot be compiled would refuse", "rewrite the patterns that check lists, then use refuse")
	}
	if u, err := url.Parse(v.c.Backend.URL); err == nil && u.Scheme == "http" && !isLoopback(u.Hostname()) {
		warn("backend.url", "requests with their credentials go over the network in the clear", "use https, or put the sidecar beside the backend")
	}
	if v.c.Audit.PseudonymKey.IsZero() {
		warn("audit.pseudonym_key", "no key: a random one per process, so pseudonyms do not join across restarts or instances", "set it to ${file:/path} or ${env:NAME}")
	}
	if v.c.Admin.InsecureExposeMetrics {
		warn("admin.insecure_expose_metrics", "metrics are served without credentials to everybody who reaches admin.address", "use a loopback address if you can")
	}
	skew := func(path string, d Duration) {
		if d > longSkew {
			warn(path, "tokens are accepted "+d.String()+" after they expired", "keep it under "+longSkew.String())
		}
	}
	skew("token.clock_skew", v.c.Token.ClockSkew)
	for i, is := range v.c.Token.Issuers {
		if is.ClockSkew != nil {
			skew(fmt.Sprintf("token.issuers[%d].clock_skew", i), *is.ClockSkew)
		}
	}
	v.warnIdentity(warn)
	v.warnTypes(warn)
	v.warnWait(warn)
	v.warnSenders(warn)
	v.warnUncovered(warn)
	if v.c.Credential.Kind == KindNone {
		warn("credential.kind", "no request has an identity: tok.* and az.* judge nothing, whatever the contract asks for", "say what arrives as soon as something does")
	}
	if p := v.c.Gateway.Proof; v.c.Credential.Kind == KindIdentityHeaders && len(p.Secrets) == 0 && len(p.Certificates) == 0 && p.Signature == nil {
		warn("gateway.proof.peers", "whoever connects from these networks can assert any identity", "add header and secret, certificates, or a signature")
	}
	return ps
}
