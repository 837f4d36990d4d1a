package token

import (
	"context"
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

// SenderOf is what the stage says of who sends a token.
func (a *Authenticator) SenderOf(ctx context.Context, r *policy.Request, t *policy.Token) policy.Sender {
	return a.senderOf(ctx, r, t)
}
