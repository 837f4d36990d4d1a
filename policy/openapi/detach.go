package openapi

import (
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// What bounds a document with what its references repeat: the parts of operations, such as
// parameters and media types, and how deep they are in each other, as callbacks are.
const (
	maxParts     = maxValues
	maxPartDepth = 100
)

// detacher takes the schemas of a document off what uses them, and lists each once.
type detacher struct {
	schemas []detached
	taken   []taken
	listed  map[*openapi3.Schema]bool
	later   []detached // what references lead to
	stub    *openapi3.Schema
	place   []string // that a problem of what is visited now names
	parts   int
	depth   int
}

// detached is a schema and the place that its problems name.
type detached struct {
	schema *openapi3.Schema
	place  []string
}

// taken is a user of a schema that has another one for now.
type taken struct {
	user   *openapi3.SchemaRef
	schema *openapi3.Schema
}

func newDetacher() *detacher {
	return &detacher{listed: map[*openapi3.Schema]bool{}, stub: &openapi3.Schema{}}
}

// join gives all schemas back.
func (d *detacher) join() {
	for _, t := range d.taken {
		t.user.Value = t.schema
	}
}

// document takes the schemas off. Without success it names the place that has too much.
func (d *detacher) document(doc *openapi3.T) (place string, ok bool) {
	if c := doc.Components; c != nil {
		d.components(c)
	}
	if doc.Paths != nil {
		d.items("paths", doc.Paths.Map())
	}
	d.items("webhooks", doc.Webhooks)
	for len(d.later) > 0 {
		last := len(d.later) - 1
		s := d.later[last]
		d.later = d.later[:last]
		d.place = s.place
		d.list(s.schema)
	}
	return pointer(d.place...), !d.over()
}

func (d *detacher) over() bool { return d.parts > maxParts || d.depth > maxPartDepth }

// part goes into a part of an operation, unless there are too many.
func (d *detacher) part(into func()) {
	if d.over() {
		return
	}
	d.parts++
	d.depth++
	if !d.over() {
		into()
	}
	if !d.over() {
		d.depth--
	}
}

func (d *detacher) components(c *openapi3.Components) {
	each(d, "schemas", c.Schemas, d.schema)
	each(d, "parameters", c.Parameters, d.parameter)
	each(d, "headers", c.Headers, d.header)
	each(d, "requestBodies", c.RequestBodies, d.body)
	each(d, "responses", c.Responses, d.response)
	each(d, "callbacks", c.Callbacks, d.callback)
}

// each visits the components of one kind.
func each[V any](d *detacher, section string, all map[string]V, visit func(V)) {
	for _, name := range sortedKeys(all) {
		if d.over() {
			return
		}
		d.place = []string{"components", section, name}
		visit(all[name])
	}
}

func (d *detacher) items(section string, items map[string]*openapi3.PathItem) {
	for _, path := range sortedKeys(items) {
		if d.over() {
			return
		}
		d.place = []string{section, path}
		d.item(items[path])
	}
}

func (d *detacher) item(item *openapi3.PathItem) {
	if item == nil {
		return
	}
	d.part(func() {
		for _, p := range item.Parameters {
			d.parameter(p)
		}
		outer := d.place
		operations := item.Operations()
		for _, method := range sortedKeys(operations) {
			if d.over() {
				return
			}
			d.place = append(slices.Clip(outer), strings.ToLower(method))
			d.operation(operations[method])
		}
		if !d.over() {
			d.place = outer
		}
	})
}

func (d *detacher) operation(o *openapi3.Operation) {
	for _, p := range o.Parameters {
		d.parameter(p)
	}
	d.body(o.RequestBody)
	if o.Responses != nil {
		for _, r := range o.Responses.Map() {
			d.response(r)
		}
	}
	for _, c := range o.Callbacks {
		d.callback(c)
	}
}

func (d *detacher) callback(c *openapi3.CallbackRef) {
	if c == nil || c.Value == nil {
		return
	}
	for _, item := range c.Value.Map() {
		d.item(item)
	}
}

func (d *detacher) parameter(p *openapi3.ParameterRef) {
	if p == nil || p.Value == nil {
		return
	}
	d.part(func() {
		d.schema(p.Value.Schema)
		d.content(p.Value.Content)
	})
}

func (d *detacher) headers(all openapi3.Headers) {
	for _, h := range all {
		d.header(h)
	}
}

func (d *detacher) header(h *openapi3.HeaderRef) {
	if h == nil || h.Value == nil {
		return
	}
	d.part(func() {
		d.schema(h.Value.Schema)
		d.content(h.Value.Content)
	})
}

func (d *detacher) body(b *openapi3.RequestBodyRef) {
	if b == nil || b.Value == nil {
		return
	}
	d.part(func() { d.content(b.Value.Content) })
}

func (d *detacher) response(r *openapi3.ResponseRef) {
	if r == nil || r.Value == nil {
		return
	}
	d.part(func() {
		d.headers(r.Value.Headers)
		d.content(r.Value.Content)
	})
}

func (d *detacher) content(content openapi3.Content) {
	for _, m := range content {
		if m == nil {
			continue
		}
		d.part(func() {
			d.schema(m.Schema)
			d.schema(m.ItemSchema)
			for _, e := range m.Encoding {
				if e != nil {
					d.headers(e.Headers)
				}
			}
		})
	}
}

// schema takes the schema off its user. One that is written there has its place; what a
// reference leads to may have a better one.
func (d *detacher) schema(user *openapi3.SchemaRef) {
	if user == nil || user.Value == nil || user.Value == d.stub {
		return
	}
	s := user.Value
	d.taken = append(d.taken, taken{user, s})
	user.Value = d.stub
	if user.Ref != "" {
		d.later = append(d.later, detached{s, d.place})
		return
	}
	d.list(s)
}

// list lists a schema, and those in it.
func (d *detacher) list(s *openapi3.Schema) {
	if d.listed[s] {
		return
	}
	d.listed[s] = true
	d.schemas = append(d.schemas, detached{s, d.place})
	for _, list := range []openapi3.SchemaRefs{s.OneOf, s.AnyOf, s.AllOf, s.PrefixItems} {
		for _, inner := range list {
			d.schema(inner)
		}
	}
	for _, members := range []openapi3.Schemas{s.Properties, s.PatternProperties, s.DependentSchemas, s.Defs} {
		for _, name := range sortedKeys(members) {
			d.schema(members[name])
		}
	}
	for _, inner := range []*openapi3.SchemaRef{
		s.Not, s.Items, s.AdditionalProperties.Schema, s.Contains, s.PropertyNames, s.UnevaluatedItems.Schema,
		s.UnevaluatedProperties.Schema, s.If, s.Then, s.Else, s.ContentSchema,
	} {
		d.schema(inner)
	}
}
