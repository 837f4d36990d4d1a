package proxy

import (
	"encoding/binary"
	"math/rand/v2"
	"time"
)

// crockford is the alphabet of a ULID.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewID returns a ULID for the time t: 48 bits of milliseconds and 80 random
// bits, 26 characters that sort by time. It names a decision and is no secret.
func NewID(t time.Time) string {
	var raw [16]byte
	ms := uint64(max(0, t.UnixMilli()))
	binary.BigEndian.PutUint64(raw[:8], ms<<16|uint64(uint16(rand.Uint32()))) //nolint:gosec // no secret
	binary.BigEndian.PutUint64(raw[8:], rand.Uint64())                        //nolint:gosec // no secret
	high, low := binary.BigEndian.Uint64(raw[:8]), binary.BigEndian.Uint64(raw[8:])
	var text [26]byte
	for i := len(text) - 1; i >= 0; i-- {
		text[i] = crockford[low&31]
		low = low>>5 | high<<59
		high >>= 5
	}
	return string(text[:])
}
