package audit

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"
)

const (
	traceparentLen = 55
	zeroTrace      = "00000000000000000000000000000000"
	zeroSpan       = "0000000000000000"
)

// ParseTraceparent returns the trace id and the parent id of a traceparent header
// value, and false if it is not valid (W3C Trace Context, section 3.2). Of a
// version after 00 the first 55 bytes are read and anything more must follow a
// hyphen, as section 4.3 demands.
func ParseTraceparent(s string) (traceID, parentID string, ok bool) {
	if len(s) < traceparentLen || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return "", "", false
	}
	version, trace, parent, flags := s[:2], s[3:35], s[36:52], s[53:55]
	if !lowerHex(version) || !lowerHex(trace) || !lowerHex(parent) || !lowerHex(flags) {
		return "", "", false
	}
	if version == "ff" || trace == zeroTrace || parent == zeroSpan {
		return "", "", false
	}
	if len(s) > traceparentLen && (version == "00" || s[traceparentLen] != '-') {
		return "", "", false
	}
	return trace, parent, true
}

func lowerHex(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// mintTrace returns a random trace id.
func mintTrace() string {
	var id [16]byte
	rand.Read(id[:]) // never fails: the runtime ends the process instead
	id[0] |= 1       // all zeros would be invalid
	return hex.EncodeToString(id[:])
}

// NewID returns an identifier that sorts by time, a ULID (github.com/ulid/spec):
// 48 bits of milliseconds and 80 random bits in Crockford's base32. Decisions and
// records are named by it.
func NewID(t time.Time) string {
	const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	var id [16]byte
	rand.Read(id[6:]) // never fails: the runtime ends the process instead
	ms := uint64(max(t.UnixMilli(), 0))
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	hi, lo := binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
	var text [26]byte
	for i := len(text) - 1; i >= 0; i-- {
		text[i] = alphabet[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return string(text[:])
}
