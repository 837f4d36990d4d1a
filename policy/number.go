package policy

import (
	"strconv"
	"strings"
)

// maxMagnitude is the largest power of ten in IEEE 754 double precision, and the smallest
// that has all its digits there.
const maxMagnitude = 308

// Finite reports whether the literal of a JSON number (RFC 8259, section 6) is one of IEEE
// 754 double precision: neither so large that it is infinite to most parsers, nor so
// small that it is zero to them. It takes time linear in the literal.
func Finite(literal string) bool {
	digits, power := strings.TrimPrefix(literal, "-"), 0
	if i := strings.IndexAny(digits, "eE"); i >= 0 {
		exponent, err := strconv.Atoi(digits[i+1:])
		if err != nil {
			return false
		}
		digits, power = digits[:i], exponent
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	if whole = strings.TrimLeft(whole, "0"); whole != "" {
		power += len(whole) - 1
	} else {
		significant := strings.TrimLeft(fraction, "0")
		if significant == "" {
			return true // zero, whatever it is multiplied with
		}
		power -= len(fraction) - len(significant) + 1
	}
	if power != maxMagnitude {
		return -maxMagnitude <= power && power < maxMagnitude
	}
	_, err := strconv.ParseFloat(literal, 64)
	return err == nil
}
