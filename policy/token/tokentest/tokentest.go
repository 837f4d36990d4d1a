// Package tokentest mints access tokens and key sets for tests: valid ones, and
// ones that are broken in a chosen way. It uses the standard library only, so that
// what it makes is independent of what verifies it.
//
// Keys are made once per process: an RSA key of 2048 bits and one key per curve.
// The package never reads the clock; the caller says when a token is issued. A
// call that cannot be carried out, such as claims that are no JSON, panics, as the
// test that makes it is wrong.
package tokentest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	_ "crypto/sha512" // RS384, RS512 and the like
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"sync"
	"time"
)

// Signer is a private key with the algorithm and key id that it signs with.
type Signer struct {
	Algorithm, KeyID string
	private          crypto.Signer
}

//nolint:gochecknoglobals // keys are slow to make and the same for every test of a process
var (
	rsaKey     = sync.OnceValue(func() crypto.Signer { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	p256Key    = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	p384Key    = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
	p521Key    = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)) })
	ed25519Key = sync.OnceValue(func() crypto.Signer {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return must(private, err)
	})
)

// RSA returns the process's RSA key as a signer of RS256 with key id "rsa-1".
func RSA() *Signer { return Shared("RS256", "rsa-1") }

// EC returns the process's P-256 key as a signer of ES256 with key id "ec-1".
func EC() *Signer { return Shared("ES256", "ec-1") }

// Shared returns a signer that uses the process's key for an algorithm of RFC
// 7518 or EdDSA. Two shared signers of one family have the same key.
func Shared(algorithm, keyID string) *Signer {
	s := &Signer{Algorithm: algorithm, KeyID: keyID}
	switch algorithm {
	case "ES256":
		s.private = p256Key()
	case "ES384":
		s.private = p384Key()
	case "ES512":
		s.private = p521Key()
	case "EdDSA":
		s.private = ed25519Key()
	default:
		s.private = rsaKey()
	}
	return s
}

// Fresh returns a signer with a key of its own.
func Fresh(algorithm, keyID string) *Signer {
	s := &Signer{Algorithm: algorithm, KeyID: keyID}
	switch algorithm {
	case "ES256":
		s.private = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	case "ES384":
		s.private = must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	case "ES512":
		s.private = must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	case "EdDSA":
		_, private, err := ed25519.GenerateKey(rand.Reader)
		s.private = must(private, err)
	default:
		s.private = must(rsa.GenerateKey(rand.Reader, 2048))
	}
	return s
}

// Public returns the public key.
func (s *Signer) Public() crypto.PublicKey { return s.private.Public() }

// Fault is a way to break the signature of a token.
type Fault uint8

// The faults.
const (
	Sound          Fault = iota // no fault
	FlippedBit                  // one bit of the signature is inverted
	EmptySignature              // the third segment is empty
	ZeroSignature               // as many zero bytes as the signature has
	HMACWithPEM                 // an HMAC-SHA-256 with the public key in PEM as its secret
	HMACWithDER                 // the same with the key in DER
	HMACWithJWK                 // the same with the key as JWK
)

// Spec describes a token. The zero Spec is a token with an empty claims object.
type Spec struct {
	// Header replaces and adds members of {"alg", "kid", "typ": "at+jwt"}; a nil
	// value removes one.
	Header map[string]any
	// Claims is the claims object.
	Claims map[string]any
	// HeaderJSON and ClaimsJSON are the exact bytes instead, when not empty.
	HeaderJSON, ClaimsJSON string
	// Fault breaks the signature.
	Fault Fault
}

// Mint returns the compact JWS of a spec.
func (s *Signer) Mint(spec Spec) string {
	header := spec.HeaderJSON
	if header == "" {
		members := map[string]any{"alg": s.Algorithm, "kid": s.KeyID, "typ": "at+jwt"}
		if s.KeyID == "" {
			delete(members, "kid")
		}
		header = string(marshal(merged(members, spec.Header)))
	}
	claims := spec.ClaimsJSON
	if claims == "" {
		claims = "{}"
		if spec.Claims != nil {
			claims = string(marshal(spec.Claims))
		}
	}
	input := Encode([]byte(header)) + "." + Encode([]byte(claims))
	return input + "." + Encode(s.faulty(spec.Fault, input))
}

// Token returns a valid token of this signer with the claims.
func (s *Signer) Token(claims map[string]any) string { return s.Mint(Spec{Claims: claims}) }

// Claims returns claims of an access token by RFC 9068 that is valid for one hour
// from now, changed by the given ones; a nil value removes a claim.
func Claims(issuer, audience string, now time.Time, change map[string]any) map[string]any {
	return merged(map[string]any{
		"iss": issuer, "aud": audience, "sub": "subject-1", "client_id": "client-1", "jti": "id-1",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "scope": "read write", "account_id": []string{"acct-1"},
	}, change)
}

// Encode returns base64url without padding (RFC 7515 section 2).
func Encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// JWK returns the public key of the signer as a JWK with alg, kid and use.
func (s *Signer) JWK() map[string]any {
	k := map[string]any{"alg": s.Algorithm, "use": "sig"}
	if s.KeyID != "" {
		k["kid"] = s.KeyID
	}
	switch public := s.Public().(type) {
	case *rsa.PublicKey:
		k["kty"], k["n"], k["e"] = "RSA", Encode(public.N.Bytes()), Encode(big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		point := must(public.Bytes())[1:] // RFC 7518 section 6.2.1: X and Y of full length
		k["kty"], k["crv"] = "EC", public.Curve.Params().Name
		k["x"], k["y"] = Encode(point[:len(point)/2]), Encode(point[len(point)/2:])
	case ed25519.PublicKey:
		k["kty"], k["crv"], k["x"] = "OKP", "Ed25519", Encode(public)
	}
	return k
}

// JWKS returns the key set of the signers.
func JWKS(signers ...*Signer) []byte {
	keys := make([]map[string]any, 0, len(signers))
	for _, s := range signers {
		keys = append(keys, s.JWK())
	}
	return KeySet(keys...)
}

// KeySet returns a key set of any keys.
func KeySet(keys ...map[string]any) []byte {
	if keys == nil {
		keys = []map[string]any{}
	}
	return marshal(map[string]any{"keys": keys})
}

func (s *Signer) faulty(f Fault, input string) []byte {
	der := must(x509.MarshalPKIXPublicKey(s.Public()))
	switch f {
	case EmptySignature:
		return nil
	case HMACWithPEM:
		return mac(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), input)
	case HMACWithDER:
		return mac(der, input)
	case HMACWithJWK:
		return mac(marshal(s.JWK()), input)
	case Sound, FlippedBit, ZeroSignature:
	}
	sig := s.Sign(input)
	switch f { //nolint:exhaustive // the others were handled above
	case FlippedBit:
		sig[len(sig)/2] ^= 1
	case ZeroSignature:
		clear(sig)
	}
	return sig
}

// Sign returns the JWS signature of a signing input (RFC 7515 section 5.1).
func (s *Signer) Sign(input string) []byte {
	if s.Algorithm == "EdDSA" {
		return must(s.private.Sign(rand.Reader, []byte(input), crypto.Hash(0)))
	}
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[s.Algorithm[2:]]
	h := hash.New()
	h.Write([]byte(input))
	digest := h.Sum(nil)
	if private, ok := s.private.(*ecdsa.PrivateKey); ok {
		r, v, err := ecdsa.Sign(rand.Reader, private, digest)
		if err != nil {
			panic(fmt.Sprintf("tokentest: %v", err))
		}
		size := (private.Params().BitSize + 7) / 8
		sig := make([]byte, 2*size)
		r.FillBytes(sig[:size])
		v.FillBytes(sig[size:])
		return sig
	}
	if strings.HasPrefix(s.Algorithm, "PS") {
		return must(s.private.Sign(rand.Reader, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}))
	}
	return must(s.private.Sign(rand.Reader, digest, hash))
}

func mac(secret []byte, input string) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(input))
	return h.Sum(nil)
}

func merged(base, change map[string]any) map[string]any {
	maps.Copy(base, change)
	maps.DeleteFunc(base, func(_ string, v any) bool { return v == nil })
	return base
}

func marshal(v any) []byte { return must(json.Marshal(v)) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("tokentest: %v", err))
	}
	return v
}
