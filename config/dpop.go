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
	const example = "https://api.example.net"
	v.url(path, s, urlRule{
		what: "an http or https URL", example: example, danger: "tokens and proofs of clients would cross the network in the clear",
		path: func(u *url.URL) []fault {
			var all []fault
			if strings.Contains(u.Host, "%") {
				all = append(all, fault{"its address has a zone, which is known to one host alone", "write for example " + example})
			}
			if u.Path != "" && (!isPath(u.EscapedPath()) || strings.HasSuffix(u.Path, "/")) {
				all = append(all, fault{"its path ends with a slash, or is not a plain path", "end it before the slash with which the path of a request begins, for example https://api.example.net/ports"})
			}
			return all
		},
	})
}
