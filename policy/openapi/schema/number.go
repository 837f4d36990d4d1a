package schema

import (
	"bytes"
	"cmp"
	"math/big"
	"math/bits"
	"strconv"
	"sync"
)

// decimal is an exact decimal number. The zero value is 0. It keeps nothing of the
// text it was made of, is immutable and safe for concurrent use.
//
// Equal numbers have equal fields, the digits of long compared by their text: an
// integer of up to 19 digits has no exponent; any other number has no zero at its
// end.
type decimal struct {
	negative bool
	digits   uint64      // the significant digits, if long is nil
	exponent int64       // of ten, by which the digits are multiplied
	long     *longDigits // more digits than 19; nil for nearly every number
}

// maxDigits is how many decimal digits always fit into an uint64.
const maxDigits = 19

// maxExponent bounds exponents: one beyond counts as this one, so that sums with the
// length of a text cannot overflow. No text is long enough to make up for such an exponent,
// so the order of all other numbers to it is still right.
const maxExponent = 1 << 40

// longDigits are significant digits that do not fit into an uint64.
type longDigits struct {
	text []byte // without zeros at either end

	once   sync.Once // guards what follows, which only multipleOf asks for
	odd    *big.Int  // the digits without their factors 2 and 5
	powers primePowers
}

// primePowers are how often 2 and 5 divide a number; below zero, its fraction.
type primePowers struct{ of2, of5 int64 }

// parseDecimal returns the number of a JSON literal (RFC 8259, section 6). It takes
// time linear in the text, whatever the exponent, and allocates only for more than
// 19 significant digits. An exponent beyond ±2^40 counts as that.
func parseDecimal(text []byte) decimal {
	digits := text
	negative := len(digits) > 0 && digits[0] == '-'
	if negative {
		digits = digits[1:]
	}
	if len(digits) > maxDigits {
		return parseParts(negative, digits)
	}
	n, point := uint64(0), len(digits)-1
	for i, c := range digits {
		if c == '.' {
			point = i
			continue
		}
		if c -= '0'; c > 9 {
			return parseParts(negative, digits)
		}
		n = n*10 + uint64(c)
	}
	exponent := int64(point - len(digits) + 1)
	for exponent < 0 && n%10 == 0 {
		n /= 10
		exponent++
	}
	return decimal{negative: negative && n != 0, digits: n, exponent: exponent}
}

// parseParts returns the number of a literal with an exponent or many digits.
func parseParts(negative bool, text []byte) decimal {
	var exponent int64
	if i := bytes.IndexAny(text, "eE"); i >= 0 {
		text, exponent = text[:i], parseExponent(text[i+1:])
	}
	whole, fraction, _ := bytes.Cut(text, []byte{'.'})
	whole, fraction = bytes.TrimLeft(whole, "0"), bytes.TrimRight(fraction, "0")
	exponent -= int64(len(fraction))
	switch {
	case len(fraction) == 0:
		trimmed := bytes.TrimRight(whole, "0")
		exponent += int64(len(whole) - len(trimmed))
		whole = trimmed
	case len(whole) == 0:
		fraction = bytes.TrimLeft(fraction, "0")
	}
	n := len(whole) + len(fraction)
	if n == 0 {
		return decimal{}
	}
	if n > maxDigits {
		return decimal{negative: negative, exponent: exponent, long: &longDigits{text: append(append(make([]byte, 0, n), whole...), fraction...)}}
	}
	digits := appendDigits(appendDigits(0, whole), fraction)
	if exponent > 0 && exponent <= int64(maxDigits-n) {
		digits *= powerOf10(exponent)
		exponent = 0
	}
	return decimal{negative: negative, digits: digits, exponent: exponent}
}

func parseExponent(text []byte) int64 {
	negative := false
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		negative = text[0] == '-'
		text = text[1:]
	}
	var n int64
	for _, c := range text {
		n = min(n*10+int64(c-'0'), maxExponent)
	}
	if negative {
		return -n
	}
	return n
}

func appendDigits(n uint64, text []byte) uint64 {
	for _, c := range text {
		n = n*10 + uint64(c-'0')
	}
	return n
}

// powerOf10 returns 10 to the n, which is 0 to 19.
func powerOf10(n int64) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}

// sign returns -1, 0 or 1 as a is below, equal to or above 0.
func (a decimal) sign() int {
	switch {
	case a.negative:
		return -1
	case a.digits == 0 && a.long == nil:
		return 0
	}
	return 1
}

// compare returns -1, 0 or 1 as a is below, equal to or above b.
func (a decimal) compare(b decimal) int {
	if a.negative != b.negative {
		return cmp.Compare(a.sign(), b.sign())
	}
	c := a.compareSize(b)
	if a.negative {
		return -c
	}
	return c
}

// compareSize compares without the signs.
func (a decimal) compareSize(b decimal) int {
	if a.long != nil || b.long != nil {
		return a.compareText(b)
	}
	if a.exponent == b.exponent || a.digits == 0 || b.digits == 0 {
		return cmp.Compare(a.digits, b.digits)
	}
	if a.exponent < b.exponent {
		return -b.compareSize(a)
	}
	if a.exponent-b.exponent > maxDigits {
		return 1 // 10^20 is more than any digits of b
	}
	high, low := bits.Mul64(a.digits, powerOf10(a.exponent-b.exponent))
	return cmp.Or(cmp.Compare(high, 0), cmp.Compare(low, b.digits))
}

// compareText compares, without the signs, numbers of any length.
func (a decimal) compareText(b decimal) int {
	if c := cmp.Compare(a.size(), b.size()); c != 0 {
		return c
	}
	// The first digits stand for the same power of ten. The longer text is not of an
	// integer of 19 digits, so it does not end in zeros.
	var bufferA, bufferB [maxDigits + 1]byte
	x, y := a.text(bufferA[:0]), b.text(bufferB[:0])
	n := min(len(x), len(y))
	if c := bytes.Compare(x[:n], y[:n]); c != 0 {
		return c
	}
	return cmp.Compare(len(x), len(y))
}

// size returns n for a number that is at least 10^(n-1) and below 10^n, without its
// sign, and less than any for 0.
func (a decimal) size() int64 {
	if a.sign() == 0 {
		return -4 * maxExponent
	}
	var buffer [maxDigits + 1]byte
	return int64(len(a.text(buffer[:0]))) + a.exponent
}

// text returns the significant digits; the buffer is for those that have no text.
func (a decimal) text(buffer []byte) []byte {
	if a.long != nil {
		return a.long.text
	}
	return strconv.AppendUint(buffer, a.digits, 10)
}

// integer reports whether a has no fraction.
func (a decimal) integer() bool { return a.exponent >= 0 }

// fits reports whether a is an integer of 32 or 64 bits, in two's complement.
func (a decimal) fits(size int) bool {
	limit := uint64(1) << (size - 1)
	if !a.negative {
		limit--
	}
	return a.exponent == 0 && a.long == nil && a.digits <= limit
}

// multipleOf reports whether a is d times an integer, exactly; d is above 0. What it costs
// grows with the digits, never with the exponents.
func (a decimal) multipleOf(d decimal) bool {
	switch {
	case a.sign() == 0:
		return true
	case d.sign() == 0:
		return false // 0 has no multiple but 0
	case a.long == nil && d.long == nil && a.exponent >= d.exponent && a.exponent-d.exponent <= maxDigits:
		high, low := bits.Mul64(a.digits, powerOf10(a.exponent-d.exponent))
		return bits.Rem64(high, low, d.digits) == 0
	}
	// Every number is an odd part, which 5 does not divide, times powers of 2 and 5;
	// the exponent only adds to these. So its size does not matter.
	p, q := a.powers(), d.powers()
	return p.of2 >= q.of2 && p.of5 >= q.of5 && a.oddMultipleOf(d)
}

// oddMultipleOf reports whether the odd part of d divides that of a.
func (a decimal) oddMultipleOf(d decimal) bool {
	if a.long == nil && d.long == nil {
		x, _ := oddPart(a.digits)
		y, _ := oddPart(d.digits)
		return x%y == 0
	}
	x, y := a.odd(), d.odd()
	if x.CmpAbs(y) < 0 {
		return false
	}
	return new(big.Int).Rem(x, y).Sign() == 0
}

// powers returns how often 2 and 5 divide a, which is not 0.
func (a decimal) powers() primePowers {
	var p primePowers
	if a.long != nil {
		a.long.once.Do(a.long.split)
		p = a.long.powers
	} else {
		_, p = oddPart(a.digits)
	}
	return primePowers{p.of2 + a.exponent, p.of5 + a.exponent}
}

func (a decimal) odd() *big.Int {
	if a.long != nil {
		a.long.once.Do(a.long.split)
		return a.long.odd
	}
	odd, _ := oddPart(a.digits)
	return new(big.Int).SetUint64(odd)
}

// oddPart returns n, which is not 0, without its factors 2 and 5, and how many it has.
func oddPart(n uint64) (uint64, primePowers) {
	var p primePowers
	p.of2 = int64(bits.TrailingZeros64(n))
	n >>= p.of2
	for n%5 == 0 {
		n /= 5
		p.of5++
	}
	return n, p
}

// split fills in the odd part. It is done once, because a number of a contract may be
// very long.
func (l *longDigits) split() {
	odd, ok := new(big.Int).SetString(string(l.text), 10)
	if !ok {
		odd = big.NewInt(1) // not the text of a number; whatever it says, it must end
	}
	l.odd = odd
	l.powers.of2 = int64(l.odd.TrailingZeroBits())
	l.odd.Rsh(l.odd, uint(l.powers.of2))

	// Divisions by 5^1, 5^2, 5^4 .. and back again are few, even for a high power of 5.
	quotient, rest := new(big.Int), new(big.Int)
	tried := []*big.Int{big.NewInt(5)}
	for {
		last := tried[len(tried)-1]
		if quotient.QuoRem(l.odd, last, rest); rest.Sign() != 0 {
			break
		}
		l.odd.Set(quotient)
		l.powers.of5 += 1 << (len(tried) - 1)
		tried = append(tried, new(big.Int).Mul(last, last))
	}
	for i := len(tried) - 2; i >= 0; i-- {
		if quotient.QuoRem(l.odd, tried[i], rest); rest.Sign() == 0 {
			l.odd.Set(quotient)
			l.powers.of5 += 1 << i
		}
	}
}

// appendCanonical appends the one text that all literals of the number share.
func (a decimal) appendCanonical(dst []byte) []byte {
	if a.negative {
		dst = append(dst, '-')
	}
	if a.long != nil {
		dst = append(dst, a.long.text...)
	} else {
		dst = strconv.AppendUint(dst, a.digits, 10)
	}
	if a.exponent == 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, 'e'), a.exponent, 10)
}
