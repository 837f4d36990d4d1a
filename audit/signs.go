package audit

// signs are what a byte says of the text that it is in.
type signs uint8

const (
	ofToken     signs = 1 << iota // in every "eyJ"
	ofKey                         // in every mark of hasKey there is one of these
	ofEmail                       // an at sign
	unusual                       // not of an identifier, see idRune
	unprintable                   // not of printable ASCII
	escaped                       // JSON writes it as another text, or it is not printable ASCII
	hexadecimal                   // a lower-case hexadecimal digit
	digit                         // a decimal digit; the highest bit, so that a shift counts it
)

const digitBit = 7

//nolint:gochecknoglobals // immutable
var signsOf = func() (all [256]signs) {
	for i := range all {
		c := byte(i)
		set := func(s signs, is bool) {
			if is {
				all[i] |= s
			}
		}
		set(ofToken, c == 'J')
		set(ofKey, c == 'I' || c == 'g' || c == 'k' || c == 'x')
		set(ofEmail, c == '@')
		set(unusual, idRune(rune(c)) != rune(c))
		set(unprintable, c < ' ' || c > '~')
		set(escaped, c < ' ' || c > '~' || c == '"' || c == '\\')
		set(hexadecimal, isDigit(c) || c >= 'a' && c <= 'f')
		set(digit, isDigit(c))
	}
	return all
}()

// signsOfText are all signs of a text, and how many digits it has.
type signsOfText struct {
	seen   signs
	digits int
}

func signsIn(s string) (has signsOfText) {
	for i := range len(s) {
		sign := signsOf[s[i]]
		has.seen |= sign
		has.digits += int(sign >> digitBit)
	}
	return has
}
