package schema

import "strconv"

const (
	// maxSizedSchemas and maxSizedDepth bound the work on schemas that lead to
	// themselves or to each other again and again.
	maxSizedSchemas = 100_000
	maxSizedDepth   = 32
	// maxSized is more than any document that is held.
	maxSized = 1 << 40

	numberBytes = 24 // of a double or an int64
	wordBytes   = 5  // of false
	runeBytes   = 4  // of UTF-8, or of a short escape
)

// MaxSize estimates the longest JSON text of a value that satisfies the schema, in
// bytes, without white space. It reports false when the schema does not bound a value,
// which most do not: when a string has no maxLength, an array no maxItems, or an object
// other members than those that are listed.
//
// It is an estimate and no promise: a number has any length in JSON, and members that
// the schema forgets to forbid are not counted.
func (s *Schema) MaxSize() (int64, bool) {
	z := sizer{left: maxSizedSchemas}
	return z.value(s.Forms(), 0)
}

type sizer struct{ left int } // so many values may still be looked at

// value returns the size of a value that forms describe.
func (z *sizer) value(f Forms, depth int) (int64, bool) {
	z.left--
	if len(f.all) == 0 || z.left < 0 || depth > maxSizedDepth {
		return 0, false
	}
	types := f.Types()
	if types.Any {
		if !f.lists() {
			return f.enumerated()
		}
		types = Types{Object: true}
	}
	var most int64
	take := func(named bool, size func() (int64, bool)) bool {
		if !named {
			return true
		}
		n, ok := size()
		most = max(most, n)
		return ok && n <= maxSized
	}
	ok := take(types.Null || types.Boolean, func() (int64, bool) { return wordBytes, true }) &&
		take(types.Number || types.Integer, func() (int64, bool) { return numberBytes, true }) &&
		take(types.String, f.stringSize) &&
		take(types.Array, func() (int64, bool) { return z.array(f, depth) }) &&
		take(types.Object, func() (int64, bool) { return z.object(f, depth) })
	return most, ok
}

func (z *sizer) array(f Forms, depth int) (int64, bool) {
	count, ok := f.least(typeArray, func(n *node) (int, bool) {
		if n.array == nil {
			return 0, false
		}
		return n.array.maxItems, n.array.maxItems >= 0
	})
	if !ok {
		return 0, false
	}
	each, ok := z.value(f.Item(-1), depth+1)
	if !ok || int64(count) > maxSized/(each+1) {
		return 0, false
	}
	return int64(count)*(each+1) + 2, true
}

func (z *sizer) object(f Forms, depth int) (int64, bool) {
	for _, at := range f.all {
		if rules := at.node.object; rules != nil && rules.open() == Openly {
			return 0, false
		}
	}
	size := int64(2)
	names := f.Names()
	if len(names) == 0 {
		return size, f.empty()
	}
	for _, name := range names {
		inner, _ := f.Property(name)
		n, ok := z.value(inner, depth+1)
		if !ok {
			return 0, false
		}
		size += int64(len(strconv.Quote(name))) + n + 2
	}
	return size, size <= maxSized
}

// lists reports whether a form lists properties.
func (f Forms) lists() bool {
	for _, at := range f.all {
		if at.node.object != nil && at.node.object.listed {
			return true
		}
	}
	return false
}

// empty reports whether a form that must hold forbids every property that is not
// listed.
func (f Forms) empty() bool {
	for _, at := range f.all {
		if rules := at.node.object; at.certain && rules != nil && rules.additional != nil && rules.additional.never {
			return true
		}
	}
	return false
}

// enumerated returns the size of the longest value of an enumeration or a constant
// that must hold.
func (f Forms) enumerated() (int64, bool) {
	for _, at := range f.all {
		if v := at.node.listed(); at.certain && v != nil {
			return v.longest()
		}
	}
	return 0, false
}

// listed returns the values of the constant or of the enumeration; nil if there is
// none.
func (n *node) listed() *values {
	if n.con != nil {
		return n.con
	}
	return n.enum
}

// longest returns the size of the longest of the values; false if one is an array or
// an object.
func (v *values) longest() (int64, bool) {
	var most int64
	if v.null || v.yes || v.no {
		most = wordBytes
	}
	if len(v.numbers) > 0 {
		most = numberBytes
	}
	for text := range v.texts {
		most = max(most, int64(len(strconv.Quote(text))))
	}
	return most, len(v.nested) == 0
}

func (f Forms) stringSize() (int64, bool) {
	count, ok := f.least(typeString, func(n *node) (int, bool) {
		if n.text != nil && n.text.maxLength >= 0 {
			return n.text.maxLength, true
		}
		if v := n.listed(); v != nil {
			if most, ok := v.longest(); ok {
				return int(most), true
			}
		}
		if n.text != nil && n.text.longest > 0 {
			return n.text.longest, true
		}
		return 0, false
	})
	if !ok || count > maxSized/runeBytes {
		return 0, false
	}
	return int64(count)*runeBytes + 2, true
}

// least returns the smallest bound of the forms that must hold; if none of them has
// one, the largest of the alternatives of a type, each of which must have one.
func (f Forms) least(of typeSet, bound func(*node) (int, bool)) (int, bool) {
	var least, most int
	found, open, some := false, false, false
	for _, at := range f.all {
		n, ok := bound(at.node)
		switch {
		case ok && at.certain:
			if !found || n < least {
				least = n
			}
			found = true
		case ok:
			most, some = max(most, n), true
		case !at.certain && at.node.types&of != 0:
			open = true
		}
	}
	if found {
		return least, true
	}
	return most, some && !open
}
