package openapi

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Problem is one thing that is wrong with a contract or, from [Contract.Notes],
// one thing in it that is accepted and not judged.
type Problem struct {
	File    string // Path relative to the root folder, with slashes.
	Line    int    // 1-based; 0 if the place is not known, as in JSON files.
	Pointer string // RFC 6901; empty if the problem is about the whole document.
	Cause   string // What is wrong.
	Fix     string // What to do; may be empty.
}

// String returns the problem in one line: file, line, pointer, cause, fix.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	if p.Pointer != "" {
		b.WriteString(p.Pointer + ": ")
	}
	b.WriteString(p.Cause)
	if p.Fix != "" {
		b.WriteString("; " + p.Fix)
	}
	return b.String()
}

// Problems are all problems of a contract, in the order of the files. As an
// error it has one line per problem.
type Problems []Problem

// maxShown bounds the lines of an error text; the slice has them all.
const maxShown = 100

// Error returns one line per problem, and how many were left out after the
// first hundred.
func (ps Problems) Error() string {
	lines := make([]string, 0, min(len(ps), maxShown)+1)
	for i, p := range ps {
		if i == maxShown {
			lines = append(lines, fmt.Sprintf("and %d more problems", len(ps)-maxShown))
			break
		}
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

// sorted returns the problems in order and without repetitions.
func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			strings.Compare(a.Pointer, b.Pointer), strings.Compare(a.Cause, b.Cause))
	})
	return slices.Compact(ps)
}

// maxText bounds one text that quotes the contract.
const maxText = 300

// bounded returns s in one line of at most maxText bytes.
func bounded(s string) string {
	cut := len(s) > maxText
	if cut {
		s = s[:maxText]
	}
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, string(utf8.RuneError))), " ")
	if cut {
		s += "…"
	}
	return s
}

// pointer returns the RFC 6901 pointer of the tokens.
func pointer(tokens ...string) string {
	var b strings.Builder
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	for _, t := range tokens {
		b.WriteByte('/')
		b.WriteString(escape.Replace(t))
	}
	return b.String()
}
