package explain

import (
	"strings"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
)

// nonceOfOthers reports that nothing but the nonce of a proof is objected to, which only
// the process that made it recognises.
func (v *view) nonceOfOthers() bool {
	d, t := v.cfg.Token.DPoP, v.r.Auth.Token
	return d != nil && d.NonceKey.IsZero() && t != nil && t.Confirmation.Key != "" && v.r.Auth.Sender().Proof.Reason == policy.DPoPNonce
}

// besides says what a request brings beside the token to prove who sends it, when that
// is all that tok.bind misses. It is empty when tok.bind objects to something else, and
// when no request could bring it.
func (v *view) besides(reason policy.Reason) string {
	var proofs []string
	to := v.r.Auth.Token.Confirmation
	if reason != policy.DPoPMissing && reason != policy.CertificateMissing {
		return ""
	}
	if to.Key != "" {
		proofs = append(proofs, "a DPoP proof by the key that it is bound to")
	}
	if to.Certificate != "" {
		if v.cfg.Gateway.ClientCertHeader == "" && !v.asksForCertificates() {
			return ""
		}
		proofs = append(proofs, "the client certificate that it is bound to")
	}
	return strings.Join(proofs, " and ")
}

// asksForCertificates reports whether clients show a certificate as they connect.
func (v *view) asksForCertificates() bool {
	return v.cfg.Listen.TLS != nil && v.cfg.Listen.TLS.ClientAuth != config.ClientAuthNone
}

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
