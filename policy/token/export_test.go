package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
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

// ReadProofKey returns the thumbprint of the key of a proof.
func ReadProofKey(jwk []byte, name string) (thumb string, ok bool) {
	alg, ok := algorithmOf(name)
	if !ok {
		return "", false
	}
	_, thumb, ok = readProofKey(jwk, alg)
	return thumb, ok
}
