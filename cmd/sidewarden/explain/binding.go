package explain

import (
	"strings"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
)

// binding tells what tok.bind looked at: what the token is bound to, and which scheme
// and proof came with it. No value of a token or proof is shown: a thumbprint names a
// client.
func (v *view) binding(to policy.Confirmation, is config.Issuer) []Input {
	var bound []string
	if to.Key != "" {
		bound = append(bound, "a key")
	}
	if to.Certificate != "" {
		bound = append(bound, "a certificate")
	}
	if to.Other {
		bound = append(bound, "something that is not known here")
	}
	if len(bound) == 0 {
		bound = []string{"nothing"}
	}
	from := v.r.Auth.Sender()
	scheme, proof, certificate := "not DPoP", "not looked at", "none"
	if from.DPoP {
		scheme = "DPoP"
		if proof = from.Proof.Effect.String(); from.Proof.Reason != "" {
			proof += " " + string(from.Proof.Reason)
		}
	}
	if from.Certificate != "" {
		certificate = "one"
	}
	inputs := []Input{
		{"token is bound to", strings.Join(bound, " and ")},
		{"scheme", scheme},
		{"proof", proof},
		{"sender's certificate", certificate},
		{"issuer asks for", is.SenderConstraint},
	}
	if d := v.cfg.Token.DPoP; d != nil {
		inputs = append(inputs, Input{"public URL", plain(d.PublicURL)})
	}
	return inputs
}
