package token

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sidewarden/sidewarden/policy"
)

const (
	// maxProof bounds a proof in bytes: one by the largest RSA key has about 5,000.
	maxProof = 8 << 10
	// maxProofID bounds the claim jti of a proof in bytes.
	maxProofID = 256
)

// proof is a DPoP proof that its own key signed.
type proof struct {
	thumbprint                 string
	id, method, url            string
	token, nonce               string // "" when the claim is missing
	issued, expires, notBefore time.Time
}

// read reads and verifies the one proof of a request (RFC 9449 section 4.3, checks 1
// to 7). The key is compared with the one that the token is bound to, unless that is
// "", before anything is computed with it. The verdict permits, or is that of
// tok.bind.
func (d *dpop) read(values []string, bound string) (*proof, policy.Verdict) {
	switch {
	case len(values) == 0:
		return nil, policy.Denied(policy.DPoPMissing, "")
	case len(values) > 1:
		return nil, policy.Denied(policy.DPoPDuplicate, "")
	case len(values[0]) > maxProof:
		return nil, policy.Denied(policy.DPoPOversize, "")
	}
	parts, verdict := split(values[0], base64.RawURLEncoding.Strict())
	if verdict.Effect != policy.Permit {
		return nil, policy.Denied(policy.DPoPMalformed, verdict.Detail)
	}
	h, verdict := readProofHeader(parts.header)
	if verdict.Effect != policy.Permit {
		return nil, verdict
	}
	members, err := readObject(parts.claims)
	if err != nil {
		return nil, policy.Denied(policy.DPoPMalformed, "claims")
	}
	if !strings.EqualFold(mediaType(h.typ), "dpop+jwt") {
		return nil, policy.Denied(policy.DPoPType, "")
	}
	alg, ok := algorithmOf(h.alg)
	if !ok || !slices.Contains(d.allowed, alg.name) {
		return nil, policy.Denied(policy.DPoPAlg, "")
	}
	k, thumb, ok := readProofKey(h.jwk, alg)
	switch {
	case !ok:
		return nil, policy.Denied(policy.DPoPKey, "")
	case bound != "" && bound != thumb:
		return nil, policy.Denied(policy.DPoPMismatch, "")
	case !k.verifies(parts.input, parts.signature):
		return nil, policy.Denied(policy.DPoPSignature, "")
	}
	p, fault := readProofClaims(members)
	if fault != "" {
		return nil, policy.Denied(policy.DPoPMalformed, fault)
	}
	p.thumbprint = thumb
	return p, policy.Permitted()
}

// proofHeader is what the JOSE header of a proof says.
type proofHeader struct {
	typ, alg string
	jwk      jsontext.Value // nil when it is missing
}

// readProofHeader reads the header of a proof. The verdict permits, or is that of
// tok.bind.
func readProofHeader(text []byte) (proofHeader, policy.Verdict) {
	var h proofHeader
	members, err := readObject(text)
	if err != nil {
		return h, policy.Denied(policy.DPoPMalformed, "header")
	}
	for _, m := range members {
		switch name := string(m.name); name {
		case "typ", "alg", "kid":
			if m.value.Kind() != '"' {
				return h, policy.Denied(policy.DPoPHeader, name)
			}
			switch name {
			case "typ":
				h.typ = unquote(m.value)
			case "alg":
				h.alg = unquote(m.value)
			}
			// A key id is not looked at: the key of a proof is in the proof.
		case "jwk":
			h.jwk = m.value
		case "crit", "b64", // change what is signed
			"jku", "x5u", "x5c", // offer a second key
			"cty", "zip", // wrap the claims
			"enc", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c": // belong to encryption
			return h, policy.Denied(policy.DPoPHeader, name)
		}
	}
	return h, policy.Permitted()
}

// readProofClaims reads the claims of a proof (RFC 9449 section 4.2). The fault is
// the pointer of the first one that is missing or cannot be read.
func readProofClaims(members []member) (p *proof, fault string) {
	r := claimReader{members: members}
	p = &proof{
		id: r.text("jti"), method: r.text("htm"), url: r.text("htu"),
		token: r.text("ath"), nonce: r.text("nonce"),
		issued: r.seconds("iat"), expires: r.seconds("exp"), notBefore: r.seconds("nbf"),
	}
	switch {
	case r.fault != "":
		return nil, r.fault
	case p.id == "" || len(p.id) > maxProofID:
		return nil, "/jti"
	case p.method == "":
		return nil, "/htm"
	case p.url == "":
		return nil, "/htu"
	case p.issued.IsZero():
		return nil, "/iat"
	}
	return p, ""
}
