package ecma

import (
	"cmp"
	"slices"
	"strconv"
	"unicode"
)

// runeRange is the code points from lo to hi, both included.
type runeRange struct{ lo, hi rune }

// runeSet is a set of code points: ranges in order that do not touch, without
// surrogates, which no UTF-8 text has.
type runeSet []runeRange

const (
	surrogateMin, surrogateMax = 0xD800, 0xDFFF
	maxASCII                   = 0x7F
)

// setOf returns the set of all code points in the ranges.
func setOf(ranges ...runeRange) runeSet {
	ranges = slices.Clone(ranges)
	slices.SortFunc(ranges, func(a, b runeRange) int { return cmp.Compare(a.lo, b.lo) })
	var all runeSet
	add := func(lo, hi rune) {
		if lo > hi {
			return
		}
		if last := len(all) - 1; last >= 0 && lo <= all[last].hi+1 {
			all[last].hi = max(all[last].hi, hi)
			return
		}
		all = append(all, runeRange{lo, hi})
	}
	for _, r := range ranges {
		if r.lo <= surrogateMax && r.hi >= surrogateMin {
			add(r.lo, min(r.hi, surrogateMin-1))
			add(max(r.lo, surrogateMax+1), r.hi)
			continue
		}
		add(r.lo, r.hi)
	}
	return all
}

func setOfTable(tables ...*unicode.RangeTable) runeSet {
	var all []runeRange
	add := func(lo, hi, stride rune) {
		if stride == 1 {
			all = append(all, runeRange{lo, hi})
			return
		}
		for c := lo; c <= hi; c += stride {
			all = append(all, runeRange{c, c})
		}
	}
	for _, t := range tables {
		for _, r := range t.R16 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range t.R32 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
	}
	return setOf(all...)
}

func (s runeSet) union(other runeSet) runeSet { return setOf(append(slices.Clone(s), other...)...) }

// negate returns the code points that are not in the set.
func (s runeSet) negate() runeSet {
	var all []runeRange
	next := rune(0)
	for _, r := range s {
		all = append(all, runeRange{next, r.lo - 1})
		next = r.hi + 1
	}
	return setOf(append(all, runeRange{next, unicode.MaxRune})...)
}

func (s runeSet) has(c rune) bool {
	_, found := slices.BinarySearchFunc(s, c, func(r runeRange, c rune) int {
		switch {
		case r.hi < c:
			return -1
		case r.lo > c:
			return 1
		}
		return 0
	})
	return found
}

func (s runeSet) disjoint(other runeSet) bool {
	for i, j := 0, 0; i < len(s) && j < len(other); {
		switch {
		case s[i].hi < other[j].lo:
			i++
		case other[j].hi < s[i].lo:
			j++
		default:
			return false
		}
	}
	return true
}

// ascii reports whether the set has ASCII alone.
func (s runeSet) ascii() bool { return len(s) == 0 || s[len(s)-1].hi <= maxASCII }

// fold adds the code points that are the same in another case, by simple case
// folding. Cased are all that have another case.
func (s runeSet) fold(cased runeSet) runeSet {
	all := slices.Clone([]runeRange(s))
	for _, own := range s {
		first, _ := slices.BinarySearchFunc(cased, own.lo, func(r runeRange, lo rune) int { return cmp.Compare(r.hi, lo) })
		for _, r := range cased[first:] {
			if r.lo > own.hi {
				break
			}
			for x := max(r.lo, own.lo); x <= min(r.hi, own.hi); x++ {
				for y := unicode.SimpleFold(x); y != x; y = unicode.SimpleFold(y) {
					all = append(all, runeRange{y, y})
				}
			}
		}
	}
	return setOf(all...)
}

// class returns the set as a class of RE2.
func (s runeSet) class() string {
	if len(s) == 0 {
		return `[^\x00-\x{10FFFF}]`
	}
	b := []byte{'['}
	for _, r := range s {
		b = append(strconv.AppendInt(append(b, `\x{`...), int64(r.lo), 16), '}')
		if r.hi > r.lo {
			b = append(strconv.AppendInt(append(b, `-\x{`...), int64(r.hi), 16), '}')
		}
	}
	return string(append(b, ']'))
}

// cased returns the categories that have all code points with another case.
func cased() runeSet {
	return setOfTable(unicode.Lu, unicode.Ll, unicode.Lt, unicode.Mn, unicode.Nl, unicode.So)
}

// The classes of ECMA-262, 22.2.2.9.
func digitSet() runeSet { return setOf(runeRange{'0', '9'}) }

func wordSet() runeSet {
	return setOf(runeRange{'0', '9'}, runeRange{'A', 'Z'}, runeRange{'_', '_'}, runeRange{'a', 'z'})
}

// lineSet are the line terminators, which a dot does not match (12.3).
func lineSet() runeSet {
	return setOf(runeRange{'\n', '\n'}, runeRange{'\r', '\r'}, runeRange{0x2028, 0x2029})
}

// spaceSet are white space and line terminators (12.2, 12.3).
func spaceSet() runeSet {
	return setOfTable(unicode.Zs).union(lineSet()).union(setOf(runeRange{'\t', '\r'}, runeRange{0xFEFF, 0xFEFF}))
}
