package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

var plainForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)

// Quoted returns a string in the form in which it may stand anywhere in a
// configuration file, as a key too, and is read back as it is: ASCII, on one
// line, in quotes where it needs them. It reports false for a string that no file
// can hold, because it would be read as a reference or is not UTF-8.
func Quoted(s string) (string, bool) {
	if strings.Contains(s, "${") || !utf8.ValidString(s) {
		return "", false
	}
	// Words that some reader of YAML takes for something other than a string.
	other := []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
	if plainForm.MatchString(s) && !slices.Contains(other, strings.ToLower(s)) {
		return s, true
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r >= ' ' && r <= '~':
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String(), true
}
