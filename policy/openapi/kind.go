package openapi

import (
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// kinds are the scalars that a text may mean.
type kinds uint8

const (
	kindNumber kinds = 1 << iota
	kindInteger
	kindBoolean
	kindNull
	kindString
)

// kindsOf returns the scalars among the types. Where nothing is said it is anything
// but null, for which a text has no sign.
func kindsOf(t schema.Types) kinds {
	if t.Any {
		return kindNumber | kindBoolean | kindString
	}
	var k kinds
	switch {
	case t.Number:
		k |= kindNumber
	case t.Integer:
		k |= kindInteger
	}
	if t.Boolean {
		k |= kindBoolean
	}
	if t.Null {
		k |= kindNull
	}
	if t.String {
		k |= kindString
	}
	return k
}

// meanings returns the kinds of token that a text can be, the likeliest first; never
// none. Numbers and booleans are those of JSON: NaN, 0x10 and T are text here,
// whatever a parser of some language makes of them. Where only an integer may be, 10.0
// and 1e1 are text too: parsers of integers refuse them, or stop at the first sign.
func (k kinds) meanings(text string) (all [4]jsontext.Kind, n int) {
	add := func(kind jsontext.Kind) {
		all[n] = kind
		n++
	}
	if k&kindNumber != 0 && isNumber(text) || k&kindInteger != 0 && isInteger(text) {
		add(jsontext.KindNumber)
	}
	if k&kindBoolean != 0 && (text == "true" || text == "false") {
		add(jsontext.Kind(text[0]))
	}
	if k&kindNull != 0 && text == "" {
		add(jsontext.KindNull)
	}
	if k&kindString != 0 || n == 0 {
		add(jsontext.KindString)
	}
	return all, n
}

// meaning returns the likeliest of the meanings.
func (k kinds) meaning(text string) jsontext.Kind {
	if k == kindString {
		return jsontext.KindString
	}
	all, _ := k.meanings(text)
	return all[0]
}

// visit visits a scalar with its text.
func (rd *reading) visit(kind jsontext.Kind, text string) {
	if kind != jsontext.KindString && kind != jsontext.KindNumber {
		rd.run.Visit(kind, nil)
		return
	}
	if kind == jsontext.KindString && !utf8.ValidString(text) {
		rd.strange = true
		return
	}
	rd.text = append(rd.text[:0], text...)
	rd.run.Visit(kind, rd.text)
}

// The bounds of a number in a text. They are those of payload for bodies: within them
// exact arithmetic costs nothing unusual.
const (
	maxNumberBytes = 40
	maxExponent    = 308
)

// isNumber reports whether the text is a JSON number (RFC 8259, section 6) within
// the bounds.
func isNumber(s string) bool {
	if len(s) > maxNumberBytes {
		return false
	}
	i := 0
	digits := func() bool {
		from := i
		for i < len(s) && isDigit(s[i]) {
			i++
		}
		return i > from
	}
	if i < len(s) && s[i] == '-' {
		i++
	}
	first := i
	if !digits() || s[first] == '0' && i > first+1 {
		return false
	}
	if i < len(s) && s[i] == '.' {
		if i++; !digits() {
			return false
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		if i++; i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		from := i
		return digits() && i == len(s) && exponent(s[from:]) && policy.Finite(s)
	}
	return i == len(s)
}

// isInteger reports whether the text is such a number, of digits alone behind its sign.
func isInteger(s string) bool { return isNumber(s) && !strings.ContainsAny(s, ".eE") }

// exponent reports whether the digits are an exponent within the bounds.
func exponent(digits string) bool {
	e := 0
	for i := range len(digits) {
		if e = e*10 + int(digits[i]-'0'); e > maxExponent {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
