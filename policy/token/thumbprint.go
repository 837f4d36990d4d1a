package token

import (
	"crypto/sha256"
	"encoding/base64"
	"math/big"
)

// thumbprint names the key by its numbers (RFC 7638 section 3.2): the required
// members of its JWK in lexicographic order, whatever else was said about it.
func (k *key) thumbprint() string {
	switch k.alg.kind {
	case kindRSA:
		return thumbprintOf(`{"e":"`, big.NewInt(int64(k.rsa.E)).Bytes(), `","kty":"RSA","n":"`, k.rsa.N.Bytes(), `"}`)
	case kindP256, kindP384, kindP521:
		point, err := k.ec.Bytes()
		if err != nil { // it was made of a point on the curve
			return ""
		}
		point = point[1:] // both of full length, RFC 7518 section 6.2.1
		x, y := point[:len(point)/2], point[len(point)/2:]
		return thumbprintOf(`{"crv":"`, k.ec.Params().Name, `","kty":"EC","x":"`, x, `","y":"`, y, `"}`)
	case kindEd25519:
		return thumbprintOf(`{"crv":"Ed25519","kty":"OKP","x":"`, []byte(k.ed), `"}`)
	}
	return ""
}

// thumbprintOf returns the digest of texts and, in base64url, numbers.
func thumbprintOf(parts ...any) string {
	h := sha256.New()
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			h.Write([]byte(p))
		case []byte:
			h.Write(base64.RawURLEncoding.AppendEncode(nil, p))
		}
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
