package token

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"time"
)

// nonces makes and recognises the nonces of proofs (RFC 9449 section 8) without
// remembering any: each is a keyed digest of the span of time in which it is given
// out, and is taken in that span and the next one. So it is good for one span at
// least and two at most.
type nonces struct {
	key    []byte
	random bool
	span   int64 // seconds
}

// newNonces returns nonces of a key. Without one they go on with the random key of
// those before, or have a new one.
func newNonces(key []byte, span time.Duration, before *nonces) *nonces {
	n := &nonces{key: slices.Clone(key), span: max(1, int64(span/time.Second))}
	if len(key) > 0 {
		return n
	}
	n.random = true
	if before != nil && before.random {
		n.key = before.key
		return n
	}
	n.key = make([]byte, sha256.Size)
	_, _ = rand.Read(n.key) // it fills the key, or ends the process
	return n
}

// mint returns the nonce that is given out now.
func (n *nonces) mint(now time.Time) string { return n.of(now.Unix() / n.span) }

// takes reports whether a nonce is that of this span of time or of the last one.
func (n *nonces) takes(nonce string, now time.Time) bool {
	span := now.Unix() / n.span
	return hmac.Equal([]byte(nonce), []byte(n.of(span))) || hmac.Equal([]byte(nonce), []byte(n.of(span-1)))
}

func (n *nonces) of(span int64) string {
	h := hmac.New(sha256.New, n.key)
	h.Write(binary.BigEndian.AppendUint64([]byte("sidewarden nonce of DPoP proofs\x00"), uint64(span)))
	const bytes = 18 // 144 bits, 24 characters without unused bits
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:bytes])
}
