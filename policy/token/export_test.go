package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"

	"github.com/sidewarden/sidewarden/policy"
)

// UsableKey is a key of a key set as the tests of package token_test see it.
type UsableKey struct {
	ID, Algorithm string
	RSA           *rsa.PublicKey
	EC            *ecdsa.PublicKey
	Ed            ed25519.PublicKey
}

// ReadKeySet reads a document without a file.
func ReadKeySet(document []byte, allowed []string) ([]UsableKey, map[SkipReason]int, error) {
	s, skipped, _, err := readSet(document, allowed, nil)
	if err != nil {
		return nil, skipped, err
	}
	var keys []UsableKey
	for _, k := range s.keys {
		keys = append(keys, UsableKey{k.id, k.alg.name, k.rsa, k.ec, k.ed})
	}
	return keys, skipped, nil
}

// ProveJWS judges what is not a claim: the form, the header, the key and the signature
// of a JWS, by the keys of an issuer.
func (a *Authenticator) ProveJWS(jws, issuer string, r *policy.Request) policy.Verdict {
	p, verdict := split(jws, a.b64)
	if verdict.Effect != policy.Permit {
		return verdict
	}
	h, verdict := readHeader(p.header)
	if verdict.Effect != policy.Permit {
		return verdict
	}
	_, verdict = a.issuers[issuer].prove(h, p, r)
	return verdict
}

// KeySetPlace returns where the metadata of an issuer says that its key set is.
func KeySetPlace(issuer string, hosts []string, metadata []byte) (string, RefreshResult, error) {
	d, err := newDiscovery(KeySetOptions{Issuer: issuer, DiscoveryHosts: hosts})
	if err != nil {
		return "", RefreshMetadata, err
	}
	return d.judge(metadata)
}

// ReadProofKey returns the thumbprint of the key of a proof.
func ReadProofKey(jwk []byte, name string) (thumb string, ok bool) {
	alg, ok := algorithmOf(name)
	if !ok {
		return "", false
	}
	_, thumb, ok = readProofKey(jwk, alg)
	return thumb, ok
}

// VerifySignature judges a signature that has to cover nothing, as the examples of RFC
// 9421 do not cover what a gateway's has to.
func VerifySignature(o SignatureOptions, r *policy.Request) (policy.Verdict, error) {
	o.Components = NeedsComponents()
	g, err := newGatewaySignature(o)
	if err != nil {
		return policy.Verdict{}, err
	}
	g.components = nil
	return g.check(r), nil
}

// SignatureBase returns what the signature of a request signs; "" if it cannot be read.
func SignatureBase(label string, r *policy.Request) string {
	g := &gatewaySignature{label: label}
	s, reason, _ := g.read(r.Header)
	if reason != "" {
		return ""
	}
	base, _ := signatureBase(r, s)
	return string(base)
}

// IsDictionary reports whether the lines of a field are a dictionary, and whether it has
// the key.
func IsDictionary(lines []string, key string) (has, ok bool) {
	found, ok := dictionaryMember(lines, key)
	return found != nil, ok
}
