package openapi

import (
	"fmt"
	"mime"
	"reflect"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
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
	case policy.IsJSON(name):
		return handleDocument
	case m.form != nil && isForm(name):
		return handleForm
	case m.silent:
		return handlePermit
	case isForm(name), policy.IsXML(name):
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

// compare orders exact types before ranges with a suffix, those before ranges of a
// whole type, and "*/*" last.
func (m media) compare(other media) int { return m.rank() - other.rank() }

func (m media) rank() int {
	n := 2 * strings.Count(m.name, "*")
	if n > 0 && !strings.HasSuffix(m.name, "*") {
		n--
	}
	return n
}

// covers reports whether the media type or range is or includes name.
func (m media) covers(name string) bool {
	return policy.CoversMediaType(m.name, name)
}

// ambiguous reports a problem if one of the media types is the same as another one but for
// parameters, which nobody compares, and not described alike: a client would choose
// what its body is judged by.
func (b *builder) ambiguous(all []media, m media, at, declared schema.Place) bool {
	i := slices.IndexFunc(all, func(other media) bool { return other.name == m.name })
	if i < 0 {
		return false
	}
	first, _ := b.places.child(at, "content", all[i].key)
	if first == declared {
		return false
	}
	for _, member := range []string{"schema", "encoding"} {
		was, _ := b.places.documents.Value(first.Child(member))
		is, _ := b.places.documents.Value(declared.Child(member))
		if !reflect.DeepEqual(was, is) || was != nil && first.Document != declared.Document { // a reference is relative to its document
			b.at(declared, fmt.Sprintf("media types %q and %q are the same but for parameters, which are not compared, and differ in %s",
				bounded(all[i].key), bounded(m.key), member), "describe both alike, such as by oneOf, or leave one out")
			return true
		}
	}
	return false
}

// mediaName is the media type in lower case and without parameters.
func mediaName(s string) string {
	if name, _, err := mime.ParseMediaType(s); err == nil {
		return name
	}
	name, _, _ := strings.Cut(s, ";")
	return strings.ToLower(strings.TrimSpace(name))
}
