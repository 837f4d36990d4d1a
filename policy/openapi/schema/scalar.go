package schema

import (
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxPatternText is how long a text may be that meets a pattern of a schema that does
// not bound its length. Matching is linear, and slower than everything else.
const maxPatternText = 64 << 10

// scalar judges a value that is neither array nor object.
func (r *Run) scalar(kind jsontext.Kind, text []byte) {
	r.parsed = false
	if len(r.picks) > 0 {
		r.choose(kind, text)
	}
	types := r.typesOf(kind, text)
	if r.lone.node != nil {
		r.alone(kind, types, text)
		return
	}
	for i := r.base; i < len(r.acts); i++ {
		if keyword := r.judge(r.acts[i].node, kind, types, text); keyword != "" {
			r.deny(i, keyword)
			if r.failed {
				return
			}
		}
	}
	if r.settle(r.base, nil); !r.failed {
		r.deliver(r.base, r.from, r.summed(kind, text))
	}
}

// alone judges a scalar by the only schema that asks for it.
func (r *Run) alone(kind jsontext.Kind, types typeSet, text []byte) {
	a := r.lone
	r.lone.node = nil
	keyword := r.judge(a.node, kind, types, text)
	f := &r.frames[len(r.frames)-1]
	switch {
	case r.failed:
		return
	case keyword == "":
	case a.role == roleAll && r.acts[a.parent].certain:
		r.fail(keyword, "")
		return
	default:
		r.tell(f, a.parent, a.role, true)
	}
	if f.hashed || f.unique {
		r.sum(f, r.digest(kind, text))
	}
}

// summed returns the digest of a scalar, if the array or object that it is in asks for
// it.
func (r *Run) summed(kind jsontext.Kind, text []byte) digest {
	if n := len(r.frames); n > 0 && (r.frames[n-1].hashed || r.frames[n-1].unique) {
		return r.digest(kind, text)
	}
	return digest{}
}

// typesOf returns the types that the value has.
func (r *Run) typesOf(kind jsontext.Kind, text []byte) typeSet {
	switch kind {
	case jsontext.KindString:
		return typeString
	case jsontext.KindNumber:
		if plainDigits(text) || r.number(text).integer() {
			return typeNumber | typeInteger
		}
		return typeNumber
	case jsontext.KindTrue, jsontext.KindFalse:
		return typeBoolean
	case jsontext.KindNull, jsontext.KindInvalid, jsontext.KindBeginObject, jsontext.KindEndObject, jsontext.KindBeginArray, jsontext.KindEndArray:
	}
	return typeNull
}

// plainDigits reports whether a literal has neither fraction nor exponent.
func plainDigits(text []byte) bool {
	for _, c := range text {
		if c == '.' || c|0x20 == 'e' {
			return false
		}
	}
	return true
}

// number returns the number at hand, parsed once.
func (r *Run) number(text []byte) decimal {
	if !r.parsed {
		r.literal, r.parsed = parseDecimal(text), true
	}
	return r.literal
}

// judge returns the keyword by which a scalar fails, "" for none.
func (r *Run) judge(n *node, kind jsontext.Kind, types typeSet, text []byte) string {
	if n.types != 0 && n.types&types == 0 {
		return "type"
	}
	if n.narrow {
		if keyword := r.narrowed(n, kind, text); keyword != "" {
			return keyword
		}
	}
	switch {
	case types == typeString && n.text != nil:
		return r.text(n.text, text)
	case types&typeNumber != 0 && n.number != nil:
		return n.number.judge(r.number(text))
	}
	return ""
}

// narrowed returns the keyword by which a scalar fails that is compared as a whole.
func (r *Run) narrowed(n *node, kind jsontext.Kind, text []byte) string {
	switch {
	case n.never:
		return "boolean"
	case n.foreign:
		return r.schema.compiler.options.foreign()
	case n.enum != nil && !r.among(n.enum, kind, text):
		return "enum"
	case n.con != nil && !r.among(n.con, kind, text):
		return "const"
	}
	return ""
}

func (r *Run) among(set *values, kind jsontext.Kind, text []byte) bool {
	switch kind {
	case jsontext.KindNull:
		return set.null
	case jsontext.KindTrue:
		return set.yes
	case jsontext.KindFalse:
		return set.no
	case jsontext.KindString:
		return set.text(text)
	case jsontext.KindNumber:
		r.scratch = r.number(text).appendCanonical(r.scratch[:0])
		_, ok := set.numbers[string(r.scratch)]
		return ok
	case jsontext.KindInvalid, jsontext.KindBeginObject, jsontext.KindEndObject, jsontext.KindBeginArray, jsontext.KindEndArray:
	}
	return false
}

func (r *Run) text(rules *textRules, text []byte) string {
	if rules.minLength > 0 || rules.maxLength >= 0 && len(text) > rules.maxLength {
		n := utf8.RuneCount(text)
		if n < rules.minLength {
			return "minLength"
		}
		if rules.maxLength >= 0 && n > rules.maxLength {
			return "maxLength"
		}
	}
	if rules.pattern != nil {
		if rules.maxLength < 0 && len(text) > maxPatternText {
			r.fail("pattern", "") // also below not, where a failure would let it pass
			return "pattern"
		}
		if !rules.pattern.Match(text) {
			return "pattern"
		}
	}
	if rules.format != nil && !rules.format(text) {
		return "format"
	}
	return ""
}

func (rules *numberRules) judge(d decimal) string {
	switch {
	case rules.minimum != nil && d.compare(*rules.minimum) < 0:
		return "minimum"
	case rules.maximum != nil && d.compare(*rules.maximum) > 0:
		return "maximum"
	case rules.exclusiveMinimum != nil && d.compare(*rules.exclusiveMinimum) <= 0:
		return "exclusiveMinimum"
	case rules.exclusiveMaximum != nil && d.compare(*rules.exclusiveMaximum) >= 0:
		return "exclusiveMaximum"
	case rules.multipleOf != nil && !d.multipleOf(*rules.multipleOf):
		return "multipleOf"
	case rules.bits > 0 && d.integer() && !d.fits(rules.bits):
		return "format"
	}
	return ""
}

// choose tells the discriminators that wait for this value which branch it names.
func (r *Run) choose(kind jsontext.Kind, text []byte) {
	for _, i := range r.picks {
		a := &r.acts[i]
		a.chosen = chosenWrong
		if kind != jsontext.KindString {
			continue
		}
		branches := a.node.pick.branches
		if branches == nil {
			a.chosen = chosenAny
		} else if k, ok := branches[string(text)]; ok {
			a.chosen = chosenFirst + int32(k)
		}
	}
	r.picks = r.picks[:0]
}

func (r *Run) digest(kind jsontext.Kind, text []byte) digest {
	h := r.schema.hasher
	switch kind {
	case jsontext.KindNumber:
		r.scratch = r.number(text).appendCanonical(r.scratch[:0])
		return h.bytes('0', r.scratch)
	case jsontext.KindString:
		return h.bytes('"', text)
	case jsontext.KindNull, jsontext.KindFalse, jsontext.KindTrue, jsontext.KindInvalid,
		jsontext.KindBeginObject, jsontext.KindEndObject, jsontext.KindBeginArray, jsontext.KindEndArray:
	}
	return h.bytes(byte(kind), nil)
}
