package openapi

import (
	"encoding/json"
	"maps"
	"net/url"
	"strings"
)

// isModern reports whether a document says that it is OpenAPI 3.1.
func isModern(tree any) bool {
	doc, _ := tree.(map[string]any)
	version, _ := doc["openapi"].(string)
	return strings.HasPrefix(version, "3.1")
}

// maxLined is the largest file that the library reads as YAML, for its lines.
const maxLined = 1 << 20

// plain returns the text of a file as the library can follow it, in JSON: it compares
// all members of an object of YAML with each other. The library knows references
// to files and pointers alone: to the anchor or the $id of a schema, and to a whole
// document that is a schema, it refuses them or follows them to something else. Where
// a schema has such a reference the library is shown a schema without it: it has to
// know what operations there are, and judges nothing by schemas.
func (rd *reader) plain(rel string, s *source) []byte {
	base := &url.URL{Path: "/" + rel}
	p := plainer{modern: rd.modern, resources: rd.resources}
	if p.modern {
		p.identify(s.tree, base)
	}
	tree, changed := p.value(s.tree, base)
	if !changed && (json.Valid(s.text) || rd.lined && len(s.text) <= maxLined) {
		return s.text
	}
	text, err := json.Marshal(tree)
	if err != nil {
		return s.text // the library says what is wrong with it
	}
	return text
}

// plainer takes references out of a tree.
type plainer struct {
	modern    bool
	resources map[string]bool
}

// rebase returns the base URI of what is in an object.
func (p *plainer) rebase(object map[string]any, base *url.URL) *url.URL {
	id, ok := object["$id"].(string)
	if !ok || !p.modern {
		return base
	}
	u, err := base.Parse(id)
	if err != nil {
		return base
	}
	u.Fragment = ""
	return u
}

// identify notes the URI of every schema resource in a tree. What only looks like
// one, in an example, does no harm: no reference is meant for it.
func (p *plainer) identify(v any, base *url.URL) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			p.identify(item, base)
		}
	case map[string]any:
		if inner := p.rebase(v, base); inner != base {
			base = inner
			p.resources[base.String()] = true
		}
		for _, member := range v {
			p.identify(member, base)
		}
	}
}

// value returns the value without the references that are not plain, and whether it
// had any. The value itself is left as it is.
func (p *plainer) value(v any, base *url.URL) (any, bool) {
	switch v := v.(type) {
	case []any:
		var made []any
		for i, item := range v {
			if inner, changed := p.value(item, base); changed {
				if made == nil {
					made = append([]any{}, v...)
				}
				made[i] = inner
			}
		}
		return orElse(made, v), made != nil
	case map[string]any:
		var made map[string]any
		base = p.rebase(v, base)
		change := func() map[string]any {
			if made == nil {
				made = maps.Clone(v)
			}
			return made
		}
		for name, member := range v {
			if inner, changed := p.value(member, base); changed {
				change()[name] = inner
			}
		}
		if ref, ok := v["$ref"].(string); ok && !p.isPlain(ref, base) {
			delete(change(), "$ref")
		}
		return orElse(made, v), made != nil
	}
	return v, false
}

// orElse returns what was made of a value, or the value if that is nothing.
func orElse[T []any | map[string]any](made, v T) any {
	if made == nil {
		return v
	}
	return made
}

// isPlain reports whether the library follows a reference to where it leads. A
// reference to a URI that no schema of the contract has is left for it to refuse.
func (p *plainer) isPlain(ref string, base *url.URL) bool {
	if ref == "#" {
		return false
	}
	if !p.modern {
		return true
	}
	u, err := base.Parse(ref)
	if err != nil {
		return true
	}
	if u.Fragment != "" && !strings.HasPrefix(u.Fragment, "/") {
		return false
	}
	u.Fragment, u.RawFragment = "", ""
	return !p.resources[u.String()]
}
