package policy

import "strings"

// CoversMediaType reports whether a media type, or range of them, that a contract declares
// is or includes one that was sent: "*/*" all, "text/*" every subtype, "application/*+json"
// every one with that suffix (RFC 9110, section 12.5.1; RFC 6838, section 4.2.8). Both are in lower
// case and without parameters. Whoever judges a body asks this function, so that all
// agree on which declaration it is about.
func CoversMediaType(declared, sent string) bool {
	if declared == sent || declared == "*/*" {
		return true
	}
	main, sub, _ := strings.Cut(declared, "/")
	suffix, ranged := strings.CutPrefix(sub, "*")
	sentMain, sentSub, _ := strings.Cut(sent, "/")
	return ranged && main == sentMain && strings.HasSuffix(sentSub, suffix)
}
