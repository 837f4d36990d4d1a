package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Problem is one thing that is wrong with a configuration file, or, from
// [Config.Warnings], one thing that is allowed and dangerous.
type Problem struct {
	File   string // Name of the file as it was given.
	Line   int    // 1-based; 0 if the problem has no place in the file.
	Column int    // 1-based; 0 if the problem has no place in the file.
	Field  string // Path of the field, for example token.issuers[0].jwks_url.
	Cause  string // What is wrong.
	Fix    string // What to do.
}

// String returns the problem in one line: file, line, column, field, cause, fix.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(p.Cause)
	if p.Fix != "" {
		b.WriteString("; " + p.Fix)
	}
	return b.String()
}

// Error returns the problem in one line, so that one is an error too.
func (p Problem) Error() string { return p.String() }

// Problems are all problems of one file, sorted by line. As an error it has one
// line per problem.
type Problems []Problem

// Error returns one line per problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// sorted returns the problems in the order of the file, without repetitions.
func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			strings.Compare(a.Field, b.Field), strings.Compare(a.Cause, b.Cause))
	})
	return slices.Compact(ps)
}

// quote returns a value for a message: escaped and at most 60 characters.
func quote(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "..."
	}
	return strconv.Quote(s)
}

// DidYouMean returns a fix that names the known words that the word may stand
// for: those that it begins, the nearest one, those of its family, or all.
func DidYouMean(word string, known []string) string {
	const few = 16
	family, _, _ := strings.Cut(word, ".")
	begun := begin(known, word)
	switch near := nearest(word, known); {
	case len(begun) > 1 && len(begun) <= few:
		return "use one of " + strings.Join(begun, ", ")
	case near != "":
		return "did you mean " + strconv.Quote(near) + "?"
	case len(known) == 1:
		return "write " + known[0]
	case len(known) <= few:
		return "use one of " + strings.Join(known, ", ")
	}
	if kin := begin(known, family+"."); len(kin) > 0 && len(kin) <= few {
		return "use one of " + strings.Join(kin, ", ")
	}
	var families []string
	for _, k := range known {
		if f, _, _ := strings.Cut(k, "."); !slices.Contains(families, f) {
			families = append(families, f)
		}
	}
	return "start it with one of " + strings.Join(families, ", ")
}

// begin returns the known words that start with a prefix of two letters or more.
func begin(known []string, prefix string) []string {
	var all []string
	for _, k := range known {
		if len(prefix) > 1 && strings.HasPrefix(k, prefix) {
			all = append(all, k)
		}
	}
	return all
}

// nearest returns the known word with the smallest edit distance to word, if
// that is small against the length of the word, else "".
func nearest(word string, known []string) string {
	const longest = 64
	if len(word) > longest {
		return ""
	}
	best, least := "", max(1, len(word)/3)+1
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is the number of single-byte edits, a swap of neighbours being one,
// that turn a into b (optimal string alignment).
func distance(a, b string) int {
	before, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}
