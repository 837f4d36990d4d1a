package openapi

import (
	"mime"
	"strings"

	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// media is one declared media type or range of a body.
type media struct {
	key, name string // as it is declared, and in lower case without parameters
	json      bool
	schema    *schema.Schema // what judges it; nil if nothing does
	form      *formBody      // reads the fields of a form; nil of other types
	described bool           // there is a schema that says more than that it is a string
}

// mayBeJSON reports whether a body of the type or range may be JSON.
func (m media) mayBeJSON() bool { return m.json || strings.Contains(m.name, "*") }

// compare orders exact types before ranges and "*/*".
func (m media) compare(other media) int {
	rank := func(name string) int { return strings.Count(name, "*") }
	return rank(m.name) - rank(other.name)
}

// covers reports whether the media type or range is or includes name.
func (m media) covers(name string) bool {
	if m.name == name || m.name == "*/*" {
		return true
	}
	prefix, ranged := strings.CutSuffix(m.name, "*")
	return ranged && strings.HasPrefix(name, prefix)
}

// mediaName is the media type in lower case and without parameters.
func mediaName(s string) string {
	if name, _, err := mime.ParseMediaType(s); err == nil {
		return name
	}
	name, _, _ := strings.Cut(s, ";")
	return strings.ToLower(strings.TrimSpace(name))
}

// isJSON reports whether the media type is JSON (RFC 8259, RFC 6839, and the old
// text/json). It agrees with payload, which reads the bodies.
func isJSON(name string) bool {
	return name == "application/json" || name == "text/json" || strings.HasSuffix(name, "+json")
}

// isText reports whether payload reads bodies of the type as one text.
func isText(name string) bool { return name == "text/plain" }
