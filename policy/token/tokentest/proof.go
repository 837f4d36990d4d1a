package tokentest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/big"
	"time"
)

// Proof describes a DPoP proof (RFC 9449 section 4.2). The zero Proof has no claim but
// an id.
type Proof struct {
	// Method and URL are the claims htm and htu.
	Method, URL string
	// Token is what the claim ath is the digest of; none for "".
	Token string
	// Time is the claim iat; none for the zero time.
	Time time.Time
	// ID is the claim jti; "proof-1" for "".
	ID string
	// Nonce is the claim nonce; none for "".
	Nonce string
	// Header and Claims replace and add members; a nil value removes one.
	Header, Claims map[string]any
	// HeaderJSON and ClaimsJSON are the exact bytes instead, when not empty.
	HeaderJSON, ClaimsJSON string
	// Fault breaks the signature.
	Fault Fault
}

// Proof returns a DPoP proof by the signer's key, which is in its header.
func (s *Signer) Proof(p Proof) string {
	claims := map[string]any{"jti": "proof-1"}
	for name, value := range map[string]string{"jti": p.ID, "htm": p.Method, "htu": p.URL, "nonce": p.Nonce} {
		if value != "" {
			claims[name] = value
		}
	}
	if p.Token != "" {
		digest := sha256.Sum256([]byte(p.Token))
		claims["ath"] = Encode(digest[:])
	}
	if !p.Time.IsZero() {
		claims["iat"] = p.Time.Unix()
	}
	header := map[string]any{"alg": s.Algorithm, "typ": "dpop+jwt", "jwk": s.PublicJWK()}
	maps.Copy(header, p.Header) // Mint removes what is nil
	return (&Signer{Algorithm: s.Algorithm, private: s.private}).Mint(Spec{
		Header: header, HeaderJSON: p.HeaderJSON,
		Claims: merged(claims, p.Claims), ClaimsJSON: p.ClaimsJSON, Fault: p.Fault,
	})
}

// PublicJWK returns the public key as a JWK that has nothing but its key.
func (s *Signer) PublicJWK() map[string]any {
	k := s.JWK()
	for _, name := range []string{"alg", "kid", "use"} {
		delete(k, name)
	}
	return k
}

// Thumbprint returns the thumbprint of the key (RFC 7638), the value of jkt.
func (s *Signer) Thumbprint() string {
	var text string
	switch public := s.Public().(type) {
	case *rsa.PublicKey:
		text = fmt.Sprintf(`{"e":%q,"kty":"RSA","n":%q}`, Encode(big.NewInt(int64(public.E)).Bytes()), Encode(public.N.Bytes()))
	case *ecdsa.PublicKey:
		point := must(public.Bytes())[1:]
		text = fmt.Sprintf(`{"crv":%q,"kty":"EC","x":%q,"y":%q}`, public.Curve.Params().Name,
			Encode(point[:len(point)/2]), Encode(point[len(point)/2:]))
	case ed25519.PublicKey:
		text = fmt.Sprintf(`{"crv":"Ed25519","kty":"OKP","x":%q}`, Encode(public))
	}
	digest := sha256.Sum256([]byte(text))
	return Encode(digest[:])
}
