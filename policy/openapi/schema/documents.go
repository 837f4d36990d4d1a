package schema

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Documents are the raw trees of all files and resources of a contract: nil, bool,
// json.Number, string, []any and map[string]any.
//
// References to them are resolved by what was added and scanned, and by nothing else: no
// file is read here and nothing is fetched. Documents may be read by many at once only after
// the last call of Add, Scan, Resolve and Locate; these change it.
type Documents struct {
	trees map[string]any // by the key of Add
	// resources are the documents and the schemas with an $id, by their roots; known has
	// them by their URIs, of which a document with an $id has two.
	resources map[Place]*resource
	known     map[string]*resource
	// embedded are how many schemas of a document have an $id, itself apart.
	embedded map[string]int
	scanned  map[Place][]Problem // by the place that Scan was told
	omitIDs  bool
}

// resource is what one base URI stands for (JSON Schema 2020-12, core, 4.3.5).
type resource struct {
	root    Place
	base    *url.URL
	named   bool             // its $id is noted
	anchors map[string]Place // of $anchor and $dynamicAnchor
	dynamic map[string]Place // of $dynamicAnchor
}

// NewDocuments returns an empty set.
func NewDocuments() *Documents {
	return &Documents{
		trees: map[string]any{}, resources: map[Place]*resource{}, known: map[string]*resource{},
		embedded: map[string]int{}, scanned: map[Place][]Problem{},
	}
}

// OmitIDs makes Scan do nothing. The schemas of OpenAPI 3.0 have no $id and no anchors.
func (d *Documents) OmitIDs() { d.omitIDs = true }

// Add adds a document under its URI or path. The tree is the Documents' own after that.
//
// What begins with a scheme of two characters or more is a URI. All else is the plain path
// of a file, with slashes and without any escape, from a folder that is the same for all
// documents. References between files are resolved from path to path; "../" leads as far
// up as there are documents with such a path. A second tree of the same key is ignored. All
// documents are added before the first Scan.
func (d *Documents) Add(uri string, tree any) {
	if _, ok := d.trees[uri]; ok {
		return
	}
	d.trees[uri] = tree
	r := &resource{root: Place{Document: uri}, base: baseOf(uri)}
	d.resources[r.root] = r
	if name := identity(r.base); d.known[name] == nil {
		d.known[name] = r
	}
}

// Value returns what is at a place.
func (d *Documents) Value(at Place) (any, bool) {
	value, ok := d.trees[at.Document]
	if !ok {
		return nil, false
	}
	tokens, err := pointerTokens(at.Pointer)
	if err != nil {
		return nil, false
	}
	for _, token := range tokens {
		if value, ok = member(value, token); !ok {
			return nil, false
		}
	}
	return value, true
}

// member returns what one token of a pointer leads to (RFC 6901, section 4).
func member(value any, token string) (any, bool) {
	switch v := value.(type) {
	case map[string]any:
		child, ok := v[token]
		return child, ok
	case []any:
		i, err := strconv.Atoi(token)
		if err != nil || i < 0 || i >= len(v) || strconv.Itoa(i) != token {
			return nil, false
		}
		return v[i], true
	}
	return nil, false
}

// Resolve returns the place of the schema that a $ref or the initial target of a $dynamicRef
// leads to from the schema at a place. References to references are not followed.
//
// A schema that no Scan has seen is scanned now, so that what is in it can be found.
// What is wrong with its names is an error, too.
func (d *Documents) Resolve(at Place, ref string) (Place, error) {
	to, err := d.Locate(at, ref)
	if err != nil {
		return Place{}, err
	}
	if err := wrongNames(d.Scan(to)); err != nil {
		return Place{}, fmt.Errorf("reference %q: %w", ref, err)
	}
	return to, nil
}

// Locate returns the place that a reference leads to, which need not be a schema, as
// those of other parts of OpenAPI need not. So it does not scan the place.
func (d *Documents) Locate(at Place, ref string) (Place, error) {
	r, name, err := d.target(at, ref)
	if err != nil {
		return Place{}, fmt.Errorf("reference %q: %w", ref, err)
	}
	if name == "" || name[0] == '/' {
		to, err := d.follow(r.root, name)
		if err != nil {
			return Place{}, fmt.Errorf("reference %q: %w", ref, err)
		}
		return to, nil
	}
	to, ok := r.anchors[name]
	if !ok {
		return Place{}, fmt.Errorf("reference %q: %q has no $anchor %q", ref, identity(r.base), name)
	}
	return to, nil
}

// target returns the resource that a reference names, and its fragment.
func (d *Documents) target(at Place, ref string) (*resource, string, error) {
	if err := wrongNames(d.scanFile(at.Document)); err != nil {
		return nil, "", err
	}
	r, ok := d.resource(at)
	if !ok {
		return nil, "", fmt.Errorf("there is no document %q", at.Document)
	}
	uri, escaped, _ := strings.Cut(ref, "#")
	fragment, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, "", errors.New("the fragment has a wrong escape")
	}
	if uri == "" {
		return r, fragment, nil
	}
	target, err := resolve(r.base, uri)
	if err != nil {
		return nil, "", errors.New("this is no URI")
	}
	r, err = d.find(identity(target))
	return r, fragment, err
}

// find returns the resource of a URI. Where the URI is not known yet, it may be the $id in
// a document that nobody has asked for.
func (d *Documents) find(name string) (*resource, error) {
	r, ok := d.known[name]
	if ok {
		return r, wrongNames(d.scanFile(r.root.Document))
	}
	for _, document := range slices.Sorted(maps.Keys(d.trees)) {
		if err := wrongNames(d.scanFile(document)); err != nil {
			return nil, err
		}
	}
	if r, ok = d.known[name]; !ok {
		return nil, fmt.Errorf("nothing in the contract is %q", name)
	}
	return r, nil
}

// follow returns the place of a pointer from the root of a resource.
func (d *Documents) follow(root Place, pointer string) (Place, error) {
	tokens, err := pointerTokens(pointer)
	if err != nil {
		return Place{}, err
	}
	value, _ := d.Value(root)
	for i, token := range tokens {
		var ok bool
		if value, ok = member(value, token); !ok {
			return Place{}, fmt.Errorf("%q has no %s", root.Document, root.Pointer+Pointer(tokens[:i+1]...))
		}
	}
	return root.Child(tokens...), nil
}

// rootOf returns the root of the schema resource that a place is in: the nearest
// schema around it with an $id, or the document.
func (d *Documents) rootOf(at Place) Place {
	if r, ok := d.resource(at); ok {
		return r.root
	}
	return Place{Document: at.Document}
}

func (d *Documents) resource(at Place) (*resource, bool) {
	if d.embedded[at.Document] > 0 {
		for at.Pointer != "" {
			if r, ok := d.resources[at]; ok {
				return r, true
			}
			at.Pointer = at.Pointer[:max(0, strings.LastIndexByte(at.Pointer, '/'))]
		}
	}
	r, ok := d.resources[Place{Document: at.Document}]
	return r, ok
}

// dynamicAnchor returns the schema that a resource, by its root, names by a $dynamicAnchor.
func (d *Documents) dynamicAnchor(resource Place, name string) (Place, bool) {
	r, ok := d.resources[resource]
	if !ok {
		return Place{}, false
	}
	at, ok := r.dynamic[name]
	return at, ok
}

// dynamicAnchors returns the names of the $dynamicAnchors of a resource, sorted.
func (d *Documents) dynamicAnchors(resource Place) []string {
	r, ok := d.resources[resource]
	if !ok {
		return nil
	}
	names := make([]string, 0, len(r.dynamic))
	for name := range r.dynamic {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Pointer returns the RFC 6901 pointer of the tokens.
func Pointer(tokens ...string) string {
	var b strings.Builder
	for _, token := range tokens {
		b.WriteByte('/')
		for i := range len(token) {
			switch token[i] {
			case '~':
				b.WriteString("~0")
			case '/':
				b.WriteString("~1")
			default:
				b.WriteByte(token[i])
			}
		}
	}
	return b.String()
}

// pointerTokens returns the tokens of an RFC 6901 pointer.
func pointerTokens(pointer string) ([]string, error) {
	if pointer == "" {
		return nil, nil
	}
	if pointer[0] != '/' {
		return nil, fmt.Errorf("pointer %q does not begin with a slash", pointer)
	}
	tokens := strings.Split(pointer[1:], "/")
	for i, token := range tokens {
		if !strings.Contains(token, "~") {
			continue
		}
		plain := strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		if strings.Count(token, "~") != strings.Count(token, "~0")+strings.Count(token, "~1") {
			return nil, fmt.Errorf("pointer %q has a ~ that is neither ~0 nor ~1", pointer)
		}
		tokens[i] = plain
	}
	return tokens, nil
}
