package ecma

import (
	"fmt"
	"strings"
)

// re2Count is the highest count that the standard library takes, also of repeats
// within each other.
const re2Count = 1000

// re2 returns the expression of RE2 that matches the same texts as a term without
// look-aheads.
func (t *term) re2() string {
	var b strings.Builder
	t.appendRE2(&b)
	return b.String()
}

func (t *term) appendRE2(b *strings.Builder) {
	switch t.kind {
	case termSet:
		b.WriteString(t.set.class())
	case termSequence, termChoice:
		for i := range t.parts {
			if i > 0 && t.kind == termChoice {
				b.WriteByte('|')
			}
			t.parts[i].appendGroup(b)
		}
	case termRepeat:
		t.appendRepeat(b)
	case termStart:
		b.WriteString(`\A`)
	case termEnd:
		b.WriteString(`\z`)
	case termEdge:
		b.WriteString(`\b`)
	case termNoEdge:
		b.WriteString(`\B`)
	case termEmpty, termAhead, termNotAhead, termBehind, termNotBehind: // what looks around is a condition of its own
	}
}

func (t *term) appendGroup(b *strings.Builder) {
	b.WriteString("(?:")
	t.appendRE2(b)
	b.WriteByte(')')
}

// appendRepeat writes counts that are too high for RE2 as several repeats.
func (t *term) appendRepeat(b *strings.Builder) {
	part := t.parts[0].re2()
	chunk := max(1, re2Count/t.parts[0].counts())
	times := func(n int, format string) {
		for ; n > 0; n -= chunk {
			fmt.Fprintf(b, "(?:%s)"+format, part, min(n, chunk))
		}
	}
	times(t.least, "{%d}")
	if t.most < 0 {
		b.WriteString("(?:" + part + ")*")
		return
	}
	times(t.most-t.least, "{0,%d}")
}

// counts returns the product of the counts within each other that the expression of
// RE2 has, or re2Count if that is less.
func (t *term) counts() int {
	n := 1
	for i := range t.parts {
		n = max(n, t.parts[i].counts())
	}
	if t.kind == termRepeat {
		n *= max(1, min(t.least, re2Count/n), min(t.most-t.least, re2Count/n))
	}
	return min(n, re2Count)
}
