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
	schema    *schema.Schema // nil if there is none
	form      *formBody      // what judges forms; nil if nothing does

	// What follows is learned from the compiled schema.

	silent  bool           // it says nothing of what nobody reads
	octets  *schema.Length // in bytes, if it says nothing else of what nobody reads; nil: it does
	textual bool           // the value may be a text
}

// learn takes from the compiled schema what can be said of bodies that are no JSON.
func (m *media) learn() {
	if m.schema == nil {
		return
	}
	if l, ok := m.schema.Unread(); ok {
		m.octets, m.silent = &l, l == schema.Length{Min: 0, Max: -1}
	}
	forms := m.schema.Forms()
	m.textual = forms.Scalar()
	if t := forms.Types(); m.form != nil && (!t.Object && !t.Any || forms.Open() && len(m.form.fields) == 0) {
		m.form = nil // there are no fields to judge
	}
}

// handling is what is done with a body by its schema.
type handling uint8

const (
	handlePermit handling = iota // there is nothing to judge
	handleDocument
	handleForm
	handleText
	handleOctets // their number is judged
	handleNothing
)

// handling returns how a body of a media type is judged that m covers. XML, and what
// else is not read, has no value that a schema could judge.
func (m *media) handling(name string) handling {
	switch {
	case m.schema == nil:
		return handlePermit
	case isJSON(name):
		return handleDocument
	case m.form != nil && isForm(name):
		return handleForm
	case m.silent:
		return handlePermit
	case isForm(name), isXML(name):
		return handleNothing
	case strings.HasPrefix(name, "text/"):
		if m.textual {
			return handleText
		}
	case m.octets != nil:
		return handleOctets
	}
	return handleNothing
}

// example is a media type that m covers, and that is no JSON if m is a range.
func (m *media) example() string { return strings.ReplaceAll(m.name, "*", "x") }

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
