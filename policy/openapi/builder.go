package openapi

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi/ecma"
	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// builder turns a document into a contract.
type builder struct {
	*linter
	way    manner
	trees  map[string]any // of the files, by their paths
	doc    *openapi3.T
	places *places
	// requests and answers compile schemas, each for its direction. The second is nil
	// where nobody asked for it.
	requests, answers *schema.Compiler
	runs              *sync.Pool // of *schema.Run, for every judge of the contract
	noted             *linter
	later             []func() // what is noted of schemas, which are ready at the end
}

// build reports problems to the linter; with any, the contract is of no use.
func (b *builder) build() *Contract {
	if b.doc.OpenAPIMajorMinor() == "" || b.doc.IsOpenAPI32OrLater() {
		b.report(nil, "/openapi", fmt.Sprintf("version %q is not supported", bounded(b.doc.OpenAPI)), "use OpenAPI 3.0 or 3.1")
		return nil
	}
	b.validate(b.doc)
	if len(b.problems) > 0 {
		return nil
	}
	b.compilers()
	b.runs = &sync.Pool{New: func() any { return new(schema.Run) }}
	b.noted = &linter{file: b.file, place: b.place, line: b.line}
	c := &Contract{schemes: b.schemes()}
	items := b.doc.Paths.Map()
	for _, path := range sortedKeys(items) {
		if _, ok := b.places.child(schema.Place{Document: b.file}, "paths", path); !ok {
			b.report(items[path].Origin, pointer("paths", path), lost, lostFix)
		}
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
	b.end(b.requests)
	b.end(b.answers)
	if len(b.problems) > 0 {
		return nil
	}
	known := slices.Clone(b.way.query)
	for _, s := range c.schemes {
		if s.In == openapi3.ParameterInQuery {
			known = append(known, s.Field)
		}
	}
	for i := range c.operations {
		c.operations[i].judge.prepare(known)
		for k := range c.operations[i].judge.parameters {
			p := &c.operations[i].judge.parameters[k]
			for _, cause := range p.uncarried() {
				b.noted.at(p.at.Child("schema"), cause, carriedFix)
			}
		}
	}
	b.notes(c.operations)
	c.notes = b.noted.problems.sorted()
	return c
}

// compilers makes the raw trees ready, and what compiles the schemas in them.
func (b *builder) compilers() {
	documents := schema.NewDocuments()
	for _, rel := range sortedKeys(b.trees) {
		documents.Add(rel, b.trees[rel])
	}
	b.places = &places{documents: documents, trees: b.trees}
	options := schema.Options{Modern: b.doc.IsOpenAPI31OrLater(), OmitPatterns: b.way.omit, Patterns: ecma.NewLibrary()}
	if options.Modern {
		b.places.scan()
	} else {
		documents.OmitIDs()
	}
	b.name(documents, options.Modern)
	b.requests = schema.NewCompiler(documents, options)
	if b.way.answers {
		options.Answers = true
		b.answers = schema.NewCompiler(documents, options)
	}
}

// name lets references find the components by their $id and anchors, also those that no
// operation leads to by a pointer.
func (b *builder) name(documents *schema.Documents, modern bool) {
	if !modern || b.doc.Components == nil {
		return
	}
	all := schema.Place{Document: b.file}.Child("components", "schemas")
	for _, name := range sortedKeys(b.doc.Components.Schemas) {
		for _, p := range documents.Scan(all.Child(name)) {
			b.at(p.Place, p.Cause, p.Fix)
		}
	}
}

// end finishes the schemas of one direction, after all operations are known.
func (b *builder) end(c *schema.Compiler) {
	if c == nil {
		return
	}
	problems, notes := c.End()
	for _, p := range problems {
		b.at(p.Place, p.Cause, p.Fix)
	}
	for _, n := range notes {
		b.noted.at(n.Place, n.Cause, n.Fix)
	}
}

// compiled returns the schema of an object that may have one, by its place, which may
// be that of a reference; nil if there is none.
func (b *builder) compiled(c *schema.Compiler, at schema.Place) *schema.Schema {
	if !b.places.has(at, "schema") {
		return nil
	}
	return c.Schema(at.Child("schema"))
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

// spot is where an operation is: the place that problems and records name, and where
// its path item and itself are written.
type spot struct {
	place           string
	item, operation schema.Place
}

// What is said of a part that the library knows and that is not where it should be,
// and what to do.
const (
	lost    = "cannot be found where the contract says it is"
	lostFix = "write it there, or a reference to it by file and JSON pointer"
)

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
	at := spot{place: place, item: schema.Place{Document: b.file, Pointer: pointer("paths", path)}}
	if at.operation, ok = b.places.operation(at.item, strings.ToLower(method)); !ok {
		b.report(o.Origin, place, lost, lostFix)
		return Operation{}, false
	}
	op.judge = &Judge{deny: b.way.deny, maxQuery: b.way.maxQuery, runs: b.runs}
	b.parameters(&op, at, item, o)
	b.security(&op, o)
	b.body(&op, at, o)
	b.successes(&op, o)
	if b.answers != nil {
		b.responses(&op, at, o)
	}
	op.Protocol = protocolOf(&op, item, o)
	return op, true
}

// parameters takes those of the operation and, where it does not replace them,
// those of the path.
func (b *builder) parameters(op *Operation, at spot, item *openapi3.PathItem, o *openapi3.Operation) {
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
		declared, ok := b.places.parameter(at.item, at.operation, p)
		if !ok {
			b.report(p.Origin, at.place+"/parameters", fmt.Sprintf("parameter %q %s", bounded(p.Name), lost), lostFix)
			continue
		}
		made, err := newParameter(p, declared, b.requests)
		if err != nil {
			b.report(p.Origin, at.place+"/parameters", fmt.Sprintf("parameter %q %s", bounded(p.Name), err), "")
			continue
		}
		op.judge.parameters = append(op.judge.parameters, made)
		if made.opaque {
			b.opaque(op.judge, len(op.judge.parameters)-1, p, at)
		}
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

func (b *builder) body(op *Operation, at spot, o *openapi3.Operation) {
	if o.RequestBody == nil {
		return
	}
	body := o.RequestBody.Value
	op.BodyDeclared, op.BodyRequired = true, body.Required
	op.judge.bodyDeclared, op.judge.bodyRequired = true, body.Required
	declared, ok := b.places.child(at.operation, "requestBody")
	if !ok {
		b.report(body.Origin, at.place+"/requestBody", lost, lostFix)
		return
	}
	op.judge.media = b.contents(b.requests, declared, body.Content)
	for i := range op.judge.media {
		m := &op.judge.media[i]
		b.formed(m, declared.Child("content", m.key), body.Content[m.key])
		op.RequestMediaTypes = append(op.RequestMediaTypes, m.name)
		b.unjudged(m, at.place+"/requestBody/content"+pointer(m.key)+"/schema", "bodies", ": in.schema is undecided there")
	}
	slices.Sort(op.RequestMediaTypes)
	op.RequestMediaTypes = slices.Compact(op.RequestMediaTypes)
}

// contents takes the declared media types of a body or an answer, exact types first.
func (b *builder) contents(c *schema.Compiler, at schema.Place, content openapi3.Content) []media {
	all := make([]media, 0, len(content))
	for _, key := range sortedKeys(content) {
		m := media{key: key, name: mediaName(key)}
		m.json = policy.IsJSON(m.name)
		declared, ok := b.places.child(at, "content", key)
		if !ok {
			b.at(at.Child("content", key), lost, lostFix)
			continue
		}
		if b.ambiguous(all, m, at, declared) {
			continue
		}
		m.schema = b.compiled(c, declared)
		all = append(all, m)
	}
	slices.SortStableFunc(all, media.compare)
	return all
}

// formed lets a body be judged that is a form.
func (b *builder) formed(m *media, at schema.Place, declared *openapi3.MediaType) {
	if m.schema == nil || !strings.Contains(m.name, "*") && !isForm(m.name) {
		return
	}
	var notes []string
	m.form, notes = newFormBody(declared, m.schema)
	for _, note := range notes {
		b.noted.report(nil, at.Child("encoding").Pointer, note, "")
	}
}

func (b *builder) successes(op *Operation, o *openapi3.Operation) {
	names := map[string]bool{}
	op.Switches = o.Responses.Value("101") != nil
	for status, ref := range o.Responses.Map() {
		if strings.HasPrefix(status, "2") && ref != nil && ref.Value != nil {
			for key := range ref.Value.Content {
				names[mediaName(key)] = true
			}
		}
	}
	op.SuccessMediaTypes = slices.Sorted(maps.Keys(names))
	op.AnswersJSON = len(names) > 0 && !slices.ContainsFunc(op.SuccessMediaTypes, func(n string) bool { return !policy.IsJSON(n) })
}
