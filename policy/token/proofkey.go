package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"math/big"

	"github.com/go-json-experiment/json/jsontext"
)

// readProofKey returns the public key that a JWK of a client describes, for one
// algorithm, and its thumbprint (RFC 7638). It is held to the bounds of key sets, and
// made by the standard library: nothing of a client reaches the JOSE library.
//
// Numbers have the one spelling of RFC 7518 section 6, so that whoever bound the
// token computed the same thumbprint from the text.
func readProofKey(text jsontext.Value, alg algorithm) (k *key, thumb string, ok bool) {
	if text.Kind() != '{' {
		return nil, "", false
	}
	m, err := readObject(text)
	if err != nil {
		return nil, "", false
	}
	r := claimReader{members: m}
	kty, use, named, curve := r.text("kty"), r.text("use"), r.text("alg"), r.text("crv")
	switch {
	case r.fault != "", unusable(m, kty, use, curve) != "":
		return nil, "", false
	case kindOf(kty, curve) != alg.kind, named != "" && named != alg.name:
		return nil, "", false
	}
	k = &key{alg: alg}
	switch alg.kind {
	case kindRSA:
		ok = k.fromRSA(m)
	case kindP256, kindP384, kindP521:
		ok = k.fromPoint(m)
	case kindEd25519:
		ok = k.fromEd25519(m)
	}
	if !ok {
		return nil, "", false
	}
	return k, k.thumbprint(), true
}

func (k *key) fromRSA(m []member) bool {
	if weak(m) != "" {
		return false
	}
	n, okN := exact(m, "n")
	e, okE := exact(m, "e")
	if !okN || !okE || n[0] == 0 || e[0] == 0 { // RFC 7518 section 2: no leading zeros
		return false
	}
	k.rsa = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	return true
}

func (k *key) fromPoint(m []member) bool {
	x, okX := exact(m, "x")
	y, okY := exact(m, "y")
	if !okX || !okY || len(x) != k.alg.size || len(y) != k.alg.size { // RFC 7518 section 6.2.1.2: the full length
		return false
	}
	on := map[kind]elliptic.Curve{kindP256: elliptic.P256(), kindP384: elliptic.P384(), kindP521: elliptic.P521()}[k.alg.kind]
	const uncompressed = 4 // SEC 1, section 2.3.3
	point := append(append([]byte{uncompressed}, x...), y...)
	var err error
	if k.ec, err = ecdsa.ParseUncompressedPublicKey(on, point); err != nil {
		return false
	}
	return true
}

func (k *key) fromEd25519(m []member) bool {
	x, ok := exact(m, "x")
	if !ok || len(x) != 32 {
		return false
	}
	k.ed = x
	return true
}

// exact returns a base64url member in its only spelling, which is not empty.
func exact(m []member, name string) ([]byte, bool) {
	v := find(m, name)
	if v.Kind() != '"' {
		return nil, false
	}
	b, ok := exactly(unquote(v))
	return b, ok && len(b) > 0
}
