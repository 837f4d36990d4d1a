package schema

import (
	"unicode"
	"unicode/utf8"
)

// Oddity returns the place of the first object that has a member which no schema declares
// by its name, and one does by the same letters in another case. Many readers of JSON take
// the one for the other.
func (r *Run) Oddity() (pointer string, found bool) { return r.oddity, r.odd }

// isOdd reports whether a name that no schema of the object declares is one of theirs in
// another case.
func (r *Run) isOdd(f *frame, name []byte) bool {
	r.scratch = appendFolded(r.scratch[:0], name)
	if _, ok := r.schema.compiler.folded[string(r.scratch)]; !ok {
		return false
	}
	for k := f.first; k < f.last; k++ {
		if a := &r.acts[k]; a.known && a.node.object != nil {
			if _, ok := a.node.object.folded[string(r.scratch)]; ok {
				return true
			}
		}
	}
	return false
}

// appendFolded appends the one spelling that all spellings of a name share which differ in
// case alone, by the simple folding of Unicode.
func appendFolded(dst, name []byte) []byte {
	for len(name) > 0 {
		c, n := utf8.DecodeRune(name)
		name = name[n:]
		least := c
		for other := unicode.SimpleFold(c); other != c; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		dst = utf8.AppendRune(dst, least)
	}
	return dst
}
