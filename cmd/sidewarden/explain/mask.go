package explain

import (
	"slices"
	"strconv"
	"strings"
)

const (
	// maxShown bounds a value that is shown, in runes.
	maxShown = 120
	// maxListed bounds a list of values that a request brings.
	maxListed = 16
)

// mask says how values of a request are shown.
type mask struct{ show bool }

// value shows a value that a request or its token brings: its last two
// characters, if there are enough before them, or all of it.
func (m mask) value(s string) string {
	const long, kept = 6, 2
	r := []rune(s)
	switch {
	case m.show:
		return plain(s)
	case len(r) >= long:
		return plain("****" + string(r[len(r)-kept:]))
	}
	return "****"
}

// known shows a value that the configuration or the contract says too.
func (m mask) known(s string, said []string) string {
	if slices.Contains(said, s) {
		return plain(s)
	}
	return m.value(s)
}

// values shows a list of values, those that are said elsewhere as they are.
func (m mask) values(list, said []string) string {
	if len(list) == 0 {
		return "none"
	}
	shown := make([]string, 0, min(len(list), maxListed))
	for _, s := range list[:min(len(list), maxListed)] {
		shown = append(shown, m.known(s, said))
	}
	text := strings.Join(shown, ", ")
	if more := len(list) - maxListed; more > 0 {
		text += " and " + strconv.Itoa(more) + " more"
	}
	return text
}

// plain is a value on a terminal: ASCII, on one line and bounded.
func plain(s string) string {
	if r := []rune(s); len(r) > maxShown {
		s = string(r[:maxShown]) + "..."
	}
	if q := strconv.QuoteToASCII(s); q != `"`+s+`"` || s == "" || strings.ContainsAny(s, " ,") {
		return q
	}
	return s
}
