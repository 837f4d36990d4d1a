package openapi

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"mime"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Contract is a loaded OpenAPI document. It is immutable and safe for concurrent
// use.
type Contract struct {
	operations []Operation
	schemes    []Scheme
	notes      Problems
	files      []string
	digest     [sha256.Size]byte
}

// Files returns the absolute paths of the files that the contract was read from,
// sorted.
func (c *Contract) Files() []string { return slices.Clone(c.files) }

// Digest names the contract by the content of its files and their names below the
// root folder.
func (c *Contract) Digest() [sha256.Size]byte { return c.digest }

// Operations returns the operations of the contract, sorted by template and
// method. The slice is the caller's.
func (c *Contract) Operations() []Operation { return slices.Clone(c.operations) }

// Notes lists what the contract says and nobody judges, such as a format that is
// not asserted, with its place.
func (c *Contract) Notes() []Problem { return slices.Clone(c.notes) }

// Operation is one method and path template of the contract.
type Operation struct {
	// ID is the operationId, or "METHOD /template" if there is none.
	ID string
	// Method is in upper case; Template is the path with the base path in front.
	Method, Template string
	// Aliases are the templates with the other base paths, if there are several.
	Aliases    []string
	Deprecated bool
	// Place is where the contract declares it: the file below the root folder and an
	// RFC 6901 pointer.
	Place string
	// Protocol names the protocol, SOAP or GraphQL, whose bodies say which of many
	// actions is asked for; "" if the operation does not look like one.
	Protocol string
	// PathParams, QueryParams, HeaderParams and CookieParams are the names of the
	// declared parameters, in the order of the contract.
	PathParams, QueryParams, HeaderParams, CookieParams []string

	// SecurityDeclared reports that the contract says, for this operation or for
	// all, what credentials are needed.
	SecurityDeclared bool
	// Public reports that it says that none is; Optional that none is needed, but
	// one may be sent.
	Public, Optional bool
	// Security lists the alternatives, each with the scopes that it needs together;
	// an alternative may need no scope. Schemes has, at the same places, the names
	// of the security schemes that each alternative needs.
	Security, Schemes [][]string

	// BodyDeclared reports that the operation takes a body, BodyRequired that it
	// must have one.
	BodyDeclared, BodyRequired bool
	// RequestMediaTypes are the declared media types or ranges of the body, in lower
	// case, without parameters, sorted.
	RequestMediaTypes []string
	// SuccessMediaTypes are those of all declared 2xx answers, sorted.
	SuccessMediaTypes []string
	// AnswersJSON reports that a 2xx answer with content is declared and that all
	// such content is JSON.
	AnswersJSON bool

	judge   *Judge
	answers *Answers
}

// Judge returns what judges the parameters and the body of this operation.
func (o Operation) Judge() *Judge { return o.judge }

// Answers returns what judges the answers of this operation; nil if the contract
// declares none, or if [Options].Answers did not ask for it.
func (o Operation) Answers() *Answers { return o.answers }

// DeclaresBodyPointer reports whether a JSON body of the operation declares, by
// name, the place that the RFC 6901 pointer leads to. Any token of digits, "-"
// or "*" stands for an item of an array.
func (o Operation) DeclaresBodyPointer(ptr string) bool {
	if !strings.HasPrefix(ptr, "/") {
		return false
	}
	return slices.ContainsFunc(o.judge.media, func(m media) bool {
		return (m.json || strings.Contains(m.name, "*")) && m.schema != nil && o.judge.family.declaresPointer(m.schema, ptr)
	})
}

func (f *family) declaresPointer(s *openapi3.Schema, ptr string) bool {
	fs := f.of(s)
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for token := range strings.SplitSeq(ptr[1:], "/") {
		inner, state := f.property(fs, unescape.Replace(token))
		if state != declared {
			if strings.Trim(token, "0123456789") != "" && token != "-" && token != "*" {
				return false
			}
			if inner = f.item(fs, -1); len(inner) == 0 {
				return false
			}
		}
		fs = inner
	}
	return true
}

// builder turns a document into a contract.
type builder struct {
	*linter
	doc  *openapi3.T
	deny bool
	// answers builds what judges answers, and nothing of requests. One document
	// cannot serve both: what is readOnly is required of answers alone, and what is
	// writeOnly of requests.
	answers bool
	base    *string
	family  *family
	engine  *engine
	roots   []*openapi3.Schema
	places  map[*openapi3.Schema]string // pointers of the roots
	noted   *linter
}

// root notes a schema that is judged.
func (b *builder) root(s *openapi3.Schema, place string) {
	if _, known := b.places[s]; !known {
		b.places[s] = place
		b.roots = append(b.roots, s)
	}
}

// build reports problems to the linter; with any, the contract is of no use.
func (b *builder) build() *Contract {
	if b.doc.OpenAPIMajorMinor() == "" || b.doc.IsOpenAPI32OrLater() {
		b.report(nil, "/openapi", fmt.Sprintf("version %q is not supported", bounded(b.doc.OpenAPI)), "use OpenAPI 3.0 or 3.1")
		return nil
	}
	b.validate(b.doc)
	b.family = &family{patterns: b.patterns(b.doc), answers: b.answers}
	if b.doc.Components != nil {
		b.family.named = b.doc.Components.Schemas
	}
	if len(b.problems) > 0 {
		return nil
	}
	b.engine = newEngine(b.doc.IsOpenAPI31OrLater())
	b.places = map[*openapi3.Schema]string{}
	b.noted = b.notes(b.doc, b.engine.asserts)
	c := &Contract{schemes: b.schemes()}
	items := b.doc.Paths.Map()
	for _, path := range sortedKeys(items) {
		operations := items[path].Operations()
		for _, method := range sortedKeys(operations) {
			if op, ok := b.operation(path, method, items[path], operations[method]); ok {
				c.operations = append(c.operations, op)
			}
		}
	}
	if len(c.operations) == 0 && len(b.problems) == 0 {
		b.report(nil, "/paths", "has no operation", "")
	}
	b.unique(c.operations)
	b.prepare()
	c.notes = b.noted.problems.sorted()
	return c
}

// prepare makes the schemas ready to be judged, after all operations are known.
func (b *builder) prepare() {
	if b.engine.modern {
		localRefs(b.roots)
	}
	b.family.learn(b.roots)
	b.family.optionalForeign(b.roots)
	b.engine.costly = costlySchemas(b.roots)
	for _, s := range b.roots {
		if !b.engine.compiles(s) {
			b.report(s.Origin, b.places[s], "the schema cannot be compiled as JSON Schema 2020-12",
				"take out $id, $anchor, $dynamicRef or references that are not resolved")
		}
	}
}

// unique reports ids that two operations share.
func (b *builder) unique(operations []Operation) {
	first := map[string]Operation{}
	for _, op := range operations {
		if was, ok := first[op.ID]; ok {
			b.report(nil, "", fmt.Sprintf("operations %s %s and %s %s have the same id %q",
				was.Method, was.Template, op.Method, op.Template, bounded(op.ID)), "give each its own operationId")
			continue
		}
		first[op.ID] = op
	}
}

func (b *builder) operation(path, method string, item *openapi3.PathItem, o *openapi3.Operation) (Operation, bool) {
	place := pointer("paths", path, strings.ToLower(method))
	bases, ok := b.basePaths(place, item, o)
	if !ok {
		return Operation{}, false
	}
	op := Operation{ID: o.OperationID, Method: method, Template: bases[0] + path, Deprecated: o.Deprecated, Place: b.file + place}
	for _, base := range bases[1:] {
		op.Aliases = append(op.Aliases, base+path)
	}
	if op.ID == "" {
		op.ID = method + " " + op.Template
	}
	if _, err := parseTemplate(op.Template); err != nil {
		b.report(o.Origin, place, "the path "+err.Error(), "")
		return Operation{}, false
	}
	op.judge = &Judge{family: b.family, engine: b.engine, deny: b.deny}
	if b.answers {
		b.responses(&op, place, o)
		return op, true
	}
	b.parameters(&op, place, item, o)
	b.security(&op, o)
	b.body(&op, place, o)
	b.successes(&op, o)
	op.Protocol = protocolOf(&op, item, o)
	return op, true
}

// parameters takes those of the operation and, where it does not replace them,
// those of the path.
func (b *builder) parameters(op *Operation, place string, item *openapi3.PathItem, o *openapi3.Operation) {
	all := slices.Clone(item.Parameters)
	all = slices.DeleteFunc(all, func(ref *openapi3.ParameterRef) bool {
		return o.Parameters.GetByInAndName(ref.Value.In, ref.Value.Name) != nil
	})
	for _, ref := range append(all, o.Parameters...) {
		p := ref.Value
		switch p.In {
		case openapi3.ParameterInPath:
			op.PathParams = append(op.PathParams, p.Name)
		case openapi3.ParameterInQuery:
			op.QueryParams = append(op.QueryParams, p.Name)
		case openapi3.ParameterInHeader:
			switch strings.ToLower(p.Name) {
			case "accept", "content-type", "authorization":
				continue // such a definition shall be ignored (OpenAPI 3.0.4, 4.7.12.2)
			}
			op.HeaderParams = append(op.HeaderParams, p.Name)
		case openapi3.ParameterInCookie:
			op.CookieParams = append(op.CookieParams, p.Name)
		}
		made, err := newParameter(p)
		if err != nil {
			b.report(p.Origin, place+"/parameters", fmt.Sprintf("parameter %q %s", bounded(p.Name), err), "")
			continue
		}
		if made.schema != nil && !made.opaque {
			b.root(made.schema, place+"/parameters")
		}
		if made.opaque {
			b.noted.report(p.Origin, place+"/parameters", fmt.Sprintf("parameter %q is not JSON and is not judged", bounded(p.Name)), "")
		}
		op.judge.parameters = append(op.judge.parameters, made)
	}
}

// security takes the operation's requirements, else those of the document.
func (b *builder) security(op *Operation, o *openapi3.Operation) {
	requirements := b.doc.Security
	op.SecurityDeclared = requirements != nil
	if o.Security != nil {
		requirements, op.SecurityDeclared = *o.Security, true
	}
	for _, r := range requirements {
		if len(r) == 0 {
			op.Optional = true
			continue
		}
		names := sortedKeys(r)
		var scopes []string
		for _, name := range names {
			scopes = append(scopes, r[name]...)
		}
		slices.Sort(scopes)
		op.Schemes = append(op.Schemes, names)
		op.Security = append(op.Security, slices.Compact(scopes))
	}
	if op.SecurityDeclared && len(op.Security) == 0 {
		op.Public, op.Optional = true, false
	}
}

func (b *builder) body(op *Operation, place string, o *openapi3.Operation) {
	if o.RequestBody == nil {
		return
	}
	body := o.RequestBody.Value
	op.BodyDeclared, op.BodyRequired = true, body.Required
	op.judge.bodyDeclared, op.judge.bodyRequired = true, body.Required
	for _, key := range sortedKeys(body.Content) {
		m := media{name: mediaName(key)}
		m.json = isJSON(m.name)
		if content := body.Content[key]; content != nil && content.Schema != nil {
			m.schema = content.Schema.Value
			where := place + "/requestBody/content" + pointer(key) + "/schema"
			// A range such as */* may be sent as JSON too.
			if m.json || strings.Contains(m.name, "*") {
				b.root(m.schema, where)
			}
			if !m.json && !m.schema.Type.Is("string") {
				b.noted.report(m.schema.Origin, where, fmt.Sprintf("bodies of type %q are not judged by their schema", bounded(m.name)), "")
			}
		}
		op.judge.media = append(op.judge.media, m)
		op.RequestMediaTypes = append(op.RequestMediaTypes, m.name)
	}
	slices.Sort(op.RequestMediaTypes)
	op.RequestMediaTypes = slices.Compact(op.RequestMediaTypes)
	slices.SortStableFunc(op.judge.media, media.compare)
}

func (b *builder) successes(op *Operation, o *openapi3.Operation) {
	names := map[string]bool{}
	for status, ref := range o.Responses.Map() {
		if strings.HasPrefix(status, "2") && ref != nil && ref.Value != nil {
			for key := range ref.Value.Content {
				names[mediaName(key)] = true
			}
		}
	}
	op.SuccessMediaTypes = slices.Sorted(maps.Keys(names))
	op.AnswersJSON = len(names) > 0 && !slices.ContainsFunc(op.SuccessMediaTypes, func(n string) bool { return !isJSON(n) })
}

// media is one declared media type or range of a body.
type media struct {
	name   string
	json   bool
	schema *openapi3.Schema // may be nil
}

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
