package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"math/big"
)

// kind is the family of keys that an algorithm needs: key type and curve.
type kind uint8

const (
	kindRSA kind = iota + 1
	kindP256
	kindP384
	kindP521
	kindEd25519
)

// algorithm is one row of RFC 7518 section 3.1 or RFC 8037 section 3.1.
type algorithm struct {
	name string
	kind kind
	hash crypto.Hash
	pss  bool
	// size is the length in bytes of each half of an ECDSA signature.
	size int
}

// Algorithms returns the names of all algorithms that can be allowed. Symmetric
// algorithms and none are not among them: a verifier that shares the secret, or
// needs none, proves nothing (RFC 8725 sections 3.1 and 3.2).
func Algorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

func algorithmOf(name string) (algorithm, bool) {
	switch name {
	case "RS256":
		return algorithm{name: name, kind: kindRSA, hash: crypto.SHA256}, true
	case "RS384":
		return algorithm{name: name, kind: kindRSA, hash: crypto.SHA384}, true
	case "RS512":
		return algorithm{name: name, kind: kindRSA, hash: crypto.SHA512}, true
	case "PS256":
		return algorithm{name: name, kind: kindRSA, hash: crypto.SHA256, pss: true}, true
	case "PS384":
		return algorithm{name: name, kind: kindRSA, hash: crypto.SHA384, pss: true}, true
	case "PS512":
		return algorithm{name: name, kind: kindRSA, hash: crypto.SHA512, pss: true}, true
	case "ES256":
		return algorithm{name: name, kind: kindP256, hash: crypto.SHA256, size: 32}, true
	case "ES384":
		return algorithm{name: name, kind: kindP384, hash: crypto.SHA384, size: 48}, true
	case "ES512":
		return algorithm{name: name, kind: kindP521, hash: crypto.SHA512, size: 66}, true
	case "EdDSA":
		return algorithm{name: name, kind: kindEd25519}, true
	}
	return algorithm{}, false
}

// verifies reports whether sig is the signature of the signing input (RFC 7515
// section 5.2) by k with the algorithm that is pinned to k.
func (k *key) verifies(input string, sig []byte) bool {
	switch k.alg.kind {
	case kindRSA:
		digest := k.alg.digest(input)
		if k.alg.pss {
			// RFC 7518 section 3.5: the salt is as long as the hash.
			options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: k.alg.hash}
			return rsa.VerifyPSS(k.rsa, k.alg.hash, digest, sig, options) == nil
		}
		return rsa.VerifyPKCS1v15(k.rsa, k.alg.hash, digest, sig) == nil
	case kindP256, kindP384, kindP521:
		// RFC 7518 section 3.4: R and S, each as long as the order.
		if len(sig) != 2*k.alg.size {
			return false
		}
		r := new(big.Int).SetBytes(sig[:k.alg.size])
		s := new(big.Int).SetBytes(sig[k.alg.size:])
		return ecdsa.Verify(k.ec, k.alg.digest(input), r, s)
	case kindEd25519:
		return len(sig) == ed25519.SignatureSize && ed25519.Verify(k.ed, []byte(input), sig)
	}
	return false
}

func (a algorithm) digest(input string) []byte {
	switch a.hash { //nolint:exhaustive // the hashes of the algorithms above
	case crypto.SHA384:
		sum := sha512.Sum384([]byte(input))
		return sum[:]
	case crypto.SHA512:
		sum := sha512.Sum512([]byte(input))
		return sum[:]
	}
	sum := sha256.Sum256([]byte(input))
	return sum[:]
}
