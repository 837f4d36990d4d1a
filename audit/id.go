package audit

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"sync"
	"time"
)

const (
	idDigits = 26 // of a ULID
	idRandom = 10 // random bytes of a ULID
)

// IDs makes identifiers. The zero value is ready; it is safe for concurrent use.
type IDs struct {
	mu sync.Mutex // guards the rest
	// random is read at once, because a read costs ten times what an identifier
	// does. Each byte is given out once.
	random [48 * idRandom]byte
	left   int
}

// New returns an identifier that sorts by time, a ULID (github.com/ulid/spec):
// 48 bits of milliseconds and 80 random bits in Crockford's base32. Decisions and
// records are named by it.
func (g *IDs) New(t time.Time) string {
	var text [idDigits]byte
	return string(g.append(text[:0], t))
}

// append appends what New returns.
func (g *IDs) append(dst []byte, t time.Time) []byte {
	var random [idRandom]byte
	g.draw(random[:])
	var text [idDigits]byte
	digits(text[:10], uint64(max(t.UnixMilli(), 0))&(1<<48-1))
	digits(text[10:18], binary.BigEndian.Uint64(random[:8])>>24)
	digits(text[18:], binary.BigEndian.Uint64(random[2:])&(1<<40-1))
	return append(dst, text[:]...)
}

// digits fills dst with the last digits of a number.
func digits(dst []byte, n uint64) {
	const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = alphabet[n&31]
		n >>= 5
	}
}

// trace returns a random trace id.
func (g *IDs) trace() string {
	var id [16]byte
	g.draw(id[:])
	id[0] |= 1 // all zeros would be invalid
	return hex.EncodeToString(id[:])
}

// draw fills dst, which is shorter than what is read at once, with random bytes.
func (g *IDs) draw(dst []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.left < len(dst) {
		rand.Read(g.random[:]) // never fails: the runtime ends the process instead
		g.left = len(g.random)
	}
	from := g.random[len(g.random)-g.left:]
	copy(dst, from[:len(dst)])
	clear(from[:len(dst)])
	g.left -= len(dst)
}
