package config

import (
	"fmt"
	"net/url"
	"strings"
)

// proofHeader is the header that carries a proof (RFC 9449 section 4.1).
const proofHeader = "DPoP"

// DPoP tells which proofs of possession are taken (RFC 9449).
type DPoP struct {
	PublicURL  string   `yaml:"public_url" required:"true" doc:"URL at which clients reach this API, up to where the path of a request begins here, for example https://api.example.net or https://api.example.net/ports. Claim htu of a proof is compared with it and the path, and never with the header Host. It must be https unless the host is loopback."`
	Algorithms []string `yaml:"algorithms" default:"[ES256, EdDSA, RS256, PS256]" enum:"RS256|RS384|RS512|PS256|PS384|PS512|ES256|ES384|ES512|EdDSA" refused:"HS256|HS384|HS512|none: whoever can verify such a proof can also make one" doc:"Accepted signature algorithms of proofs."`
	MaxAge     Duration `yaml:"max_age" default:"60s" positive:"true" doc:"Oldest proof, by its claim iat. One from the future is accepted within token.clock_skew."`
	MaxProofs  int      `yaml:"max_proofs" default:"262144" min:"1" doc:"Most proofs that are remembered, each for max_age and token.clock_skew, about 90 MB in all. It is what bounds the rate of requests with proofs: beyond it control tok.bind can not decide."`
	Nonce      bool     `yaml:"nonce" default:"false" doc:"Ask for a nonce of this API in every proof. A client gets it with the answer 401, so control tok.bind must enforce. A nonce is good for max_age at least, and for twice that at most."`
	NonceKey   Secret   `yaml:"nonce_key" doc:"Key of the nonces, at least 16 bytes; replicas share it. Default: a random key per process."`
}

func (v *validator) dpop() {
	d := v.c.Token.DPoP
	if d == nil {
		return
	}
	const at = "token.dpop"
	v.publicURL(at+".public_url", d.PublicURL)
	if len(d.Algorithms) == 0 {
		v.add(at+".algorithms", "is empty, so that no proof could be accepted", "name at least one, for example ES256")
	}
	switch key := d.NonceKey; {
	case key.IsZero():
	case len(key.Reveal()) < minKeyBytes:
		v.add(at+".nonce_key", fmt.Sprintf("%s has fewer than %d bytes", v.named(at+".nonce_key", ""), minKeyBytes), "make a random key, for example with openssl rand -hex 32")
	case !d.Nonce:
		v.add(at+".nonce_key", "has no effect without nonces", "write nonce: true or remove it")
	}
}

// publicURL checks the URL that proofs are compared with.
func (v *validator) publicURL(path, s string) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "" || u.Scheme != "http" && u.Scheme != "https" ||
		strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) || strings.Contains(u.Host, "%"):
		v.add(path, v.named(path, s)+" is not an http or https URL", "write for example https://api.example.net")
	case u.User != nil:
		v.add(path, "has a user or password in it", "remove everything up to the @")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(s, "#"):
		v.add(path, "has a query or fragment", "end it after the path: neither counts in a proof")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		v.add(path, "is not https, so that tokens and proofs of clients would cross the network in the clear", "use https")
	case u.Path != "" && (!isPath(u.EscapedPath()) || strings.HasSuffix(u.Path, "/")):
		v.add(path, "its path ends with a slash, or is not a plain path", "end it before the slash with which the path of a request begins, for example https://api.example.net/ports")
	}
}

// warnDPoP tells what of the sender constraint does not fit together.
func (v *validator) warnDPoP(warn func(path, cause, fix string)) {
	d := v.c.Token.DPoP
	for i, issuer := range v.c.Token.Issuers {
		if issuer.SenderConstraint == SenderDPoP && d == nil {
			warn(fmt.Sprintf("token.issuers[%d].sender_constraint", i), "every token must be bound to a key, and no proof of it is looked at: tok.bind denies them all",
				"add to token: {dpop: {public_url: https://api.example.net}}, with the URL at which clients reach this API")
		}
	}
	if d != nil && d.Nonce && d.NonceKey.IsZero() {
		warn("token.dpop.nonce_key", "no key: a random one per process, so replicas do not take each other's nonces, nor a process those from before its restart",
			"set it to ${file:/path} or ${env:NAME}")
	}
}
