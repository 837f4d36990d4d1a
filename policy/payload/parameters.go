package payload

import (
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// parameter is one of a header value, its name in lower case.
type parameter struct {
	name, value string
	quoted      bool
}

// parameters splits a value such as "form-data; name=x" (RFC 9110 section 5.6.6) into
// its first word and its parameters. It is stricter than the grammar where parsers are
// known to disagree: no space around "=", no empty parameter, no name twice, no
// backslash in a quoted string, of which some take the next character for escaped and
// some do not, no control character.
func parameters(s string) (first string, params []parameter, ok bool) {
	first, rest, more := strings.Cut(s, ";")
	first = strings.Trim(first, " \t")
	for more {
		var p parameter
		rest = strings.TrimLeft(rest, " \t")
		p.name, rest, ok = strings.Cut(rest, "=")
		p.name = strings.ToLower(p.name)
		if !ok || !policy.IsToken(p.name) || has(params, p.name) {
			return "", nil, false
		}
		if strings.HasPrefix(rest, `"`) {
			p.quoted = true
			if p.value, rest, ok = strings.Cut(rest[1:], `"`); !ok || strings.Contains(p.value, `\`) || strings.ContainsFunc(p.value, isControl) {
				return "", nil, false
			}
			rest = strings.TrimLeft(rest, " \t")
			if rest, more = strings.CutPrefix(rest, ";"); !more && rest != "" {
				return "", nil, false
			}
		} else {
			p.value, rest, more = strings.Cut(rest, ";")
			if p.value = strings.TrimRight(p.value, " \t"); !policy.IsToken(p.value) {
				return "", nil, false
			}
		}
		params = append(params, p)
	}
	return first, params, isMediaWord(first)
}

// isMediaWord reports whether s is a token, or two with a slash between them.
func isMediaWord(s string) bool {
	main, sub, found := strings.Cut(s, "/")
	return policy.IsToken(main) && (!found || policy.IsToken(sub))
}

func has(params []parameter, name string) bool {
	_, ok := find(params, name)
	return ok
}

func find(params []parameter, name string) (parameter, bool) {
	for _, p := range params {
		if p.name == name {
			return p, true
		}
	}
	return parameter{}, false
}

// extended reports whether a name has the form of RFC 2231: a value in another
// charset, or a part of a value. One parser joins them, the next one ignores them.
func extended(params []parameter, except string) bool {
	for _, p := range params {
		if strings.Contains(p.name, "*") && p.name != except {
			return true
		}
	}
	return false
}
