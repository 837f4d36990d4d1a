package schema

import (
	"maps"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy/openapi/ecma"
)

// Options say how schemas are read.
type Options struct {
	// Modern reads JSON Schema 2020-12, as OpenAPI 3.1 does; else OpenAPI 3.0.
	Modern bool
	// Answers judges answers in place of requests: writeOnly may not be there, in place
	// of readOnly, and is not required.
	Answers bool
	// OmitPatterns leaves a pattern out that cannot be compiled, with a note; else it is a
	// problem.
	OmitPatterns bool
	// Patterns are shared by the compilers of one contract, so that one bound holds for
	// all of them; nil makes new ones.
	Patterns *ecma.Library
}

// foreign is the keyword by which a value belongs to the other direction.
func (o *Options) foreign() string {
	if o.Answers {
		return "writeOnly"
	}
	return "readOnly"
}

// maxNodes bounds the schemas of one contract. Only $dynamicRef makes more of them than
// the contract has.
const maxNodes = 1_000_000

// Compiler compiles the schemas of one contract, for one direction.
type Compiler struct {
	docs    *Documents
	options Options
	hasher  *hasher
	nodes   []*node
	known   map[key]*node
	pending []job
	schemas map[Place]*Schema
	folded  map[string]struct{} // the names of all properties, by appendFolded
	foreign bool                // some schema belongs to the other direction

	problems, notes []Problem
}

// key names a node: the same schema is another one where other dynamic anchors hold.
type key struct {
	at    Place
	scope string
}

// job is a schema that is known and not read yet.
type job struct {
	node  *node
	raw   any
	scope *scope
}

// scope is the dynamic scope of a schema: which schema each dynamic anchor names
// (JSON Schema 2020-12, core, 8.2.3.2). It is immutable.
type scope struct {
	text  string // names the scope
	bound map[string]Place
}

// NewCompiler returns a compiler of schemas in the documents.
func NewCompiler(d *Documents, o Options) *Compiler {
	if o.Patterns == nil {
		o.Patterns = ecma.NewLibrary()
	}
	return &Compiler{docs: d, options: o, hasher: newHasher(), known: map[key]*node{}, folded: map[string]struct{}{}, schemas: map[Place]*Schema{}}
}

// Schema compiles the schema at a place, which may be a reference; the same place gives
// the same schema. What is wrong is told by End.
func (c *Compiler) Schema(at Place) *Schema {
	if s, ok := c.schemas[at]; ok {
		return s
	}
	if c.options.Modern {
		c.problems = append(c.problems, c.docs.Scan(at)...)
	}
	s := &Schema{root: c.node(at, &scope{}), hasher: c.hasher, compiler: c}
	c.schemas[at] = s
	for len(c.pending) > 0 {
		last := len(c.pending) - 1
		j := c.pending[last]
		c.pending = c.pending[:last]
		(&reader{Compiler: c, node: j.node, raw: j.raw, scope: j.scope}).read()
	}
	return s
}

// End finishes every schema; none may be used before. Problems are why they cannot be
// used at all, notes what is in them and not judged, such as an unknown format.
func (c *Compiler) End() (problems, notes []Problem) {
	c.refuseLoops()
	if len(c.problems) == 0 {
		c.findForeign()
	}
	c.doubtJoined()
	return c.problems, c.notes
}

func (c *Compiler) problem(at Place, cause, fix string) {
	c.problems = append(c.problems, Problem{Place: at, Cause: cause, Fix: fix})
}

// node returns the node of the schema at a place, which is read later. References with
// nothing beside them lead to the node of what they name.
func (c *Compiler) node(at Place, s *scope) *node {
	first := at
	for range maxReferences {
		s = c.enter(s, at)
		if n, ok := c.known[key{at, s.text}]; ok {
			return n
		}
		raw, ok := c.docs.Value(at)
		if !ok {
			c.problem(at, "there is no schema", "")
			return c.made(at, s, map[string]any{})
		}
		ref, bare := c.bareRef(raw)
		if !bare {
			return c.made(at, s, raw)
		}
		c.ignored(at, raw)
		next, err := c.docs.Resolve(at, ref)
		if err != nil {
			c.problem(at.Child("$ref"), err.Error(), "")
			return c.made(at, s, map[string]any{})
		}
		at = next
	}
	c.problem(first, "the reference leads to itself", "let it lead to a schema")
	return c.made(first, s, map[string]any{})
}

// maxReferences is how long a chain of references may be that say nothing else.
const maxReferences = 1000

func (c *Compiler) made(at Place, s *scope, raw any) *node {
	n := &node{id: int32(len(c.nodes)), at: at}
	if len(c.nodes) >= maxNodes {
		if len(c.nodes) == maxNodes {
			c.problem(at, "there are too many schemas", "name less by $dynamicRef")
			c.nodes = append(c.nodes, n)
		}
		return n
	}
	c.nodes = append(c.nodes, n)
	c.known[key{at, s.text}] = n
	c.pending = append(c.pending, job{n, raw, s})
	return n
}

// ignored notes what stands beside a reference and says nothing there.
func (c *Compiler) ignored(at Place, raw any) {
	m, _ := raw.(map[string]any)
	for _, name := range sortedNames(m) {
		if name != "$ref" && !describes(name) {
			c.notes = append(c.notes, Problem{
				Place: at.Child(name), Cause: name + " says nothing beside $ref in OpenAPI 3.0",
				Fix: "put the reference into allOf",
			})
		}
	}
}

// describes reports whether a keyword says nothing of a value.
func describes(keyword string) bool {
	switch keyword {
	case "title", "description", "summary", "example", "examples", "default", "deprecated", "externalDocs", "xml", "$comment":
		return true
	}
	return strings.HasPrefix(keyword, "x-")
}

// bareRef returns the reference of a schema that says nothing else of a value. In
// OpenAPI 3.0 what stands beside a reference is ignored (4.8.23.2).
func (c *Compiler) bareRef(raw any) (string, bool) {
	m, _ := raw.(map[string]any)
	ref, ok := m["$ref"].(string)
	if !ok {
		return "", false
	}
	if !c.options.Modern {
		return ref, true
	}
	for name := range m {
		if name != "$ref" && !describes(name) {
			return "", false
		}
	}
	return ref, true
}

// enter returns the scope of a schema that is reached from another one.
func (c *Compiler) enter(s *scope, at Place) *scope {
	if !c.options.Modern {
		return s
	}
	resource := c.docs.rootOf(at)
	var bound map[string]Place
	for _, name := range c.docs.dynamicAnchors(resource) {
		if _, ok := s.bound[name]; ok {
			continue
		}
		if bound == nil {
			bound = maps.Clone(s.bound)
			if bound == nil {
				bound = map[string]Place{}
			}
		}
		bound[name], _ = c.docs.dynamicAnchor(resource, name)
	}
	if bound == nil {
		return s
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(bound)) {
		b.WriteString(name + "\x00" + bound[name].Document + "\x00" + bound[name].Pointer + "\x00")
	}
	return &scope{text: b.String(), bound: bound}
}

// refuseLoops reports schemas that judge a value by themselves, without a step into it.
func (c *Compiler) refuseLoops() {
	const open, done = 1, 2
	state := make([]uint8, len(c.nodes))
	var way []*node // to the node that is visited
	var visit func(n *node)
	visit = func(n *node) {
		switch state[n.id] {
		case open:
			c.loop(way[slices.Index(way, n):])
			return
		case done:
			return
		}
		state[n.id] = open
		way = append(way, n)
		for _, s := range n.subs {
			if s.role != roleMapped {
				visit(s.node)
			}
		}
		way = way[:len(way)-1]
		state[n.id] = done
	}
	for _, n := range c.nodes {
		visit(n)
	}
}

// findForeign notes which schemas belong to the other direction by themselves or by one
// that must hold with them. It comes after refuseLoops, so that it ends.
func (c *Compiler) findForeign() {
	if !slices.ContainsFunc(c.nodes, func(n *node) bool { return n.foreign }) {
		return
	}
	c.foreign = true
	done := make([]bool, len(c.nodes))
	var visit func(n *node)
	visit = func(n *node) {
		if done[n.id] {
			return
		}
		done[n.id] = true
		n.carries = n.foreign
		for _, s := range n.subs {
			if s.role == roleAll {
				visit(s.node)
				n.carries = n.carries || s.node.carries
			}
		}
	}
	for _, n := range c.nodes {
		visit(n)
	}
}
