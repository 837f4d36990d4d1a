package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Bounds of what a file may make the decoder do.
const (
	maxFileBytes = 1 << 20
	maxDepth     = 32
	maxNodes     = 100_000 // Values visited, an alias counting as all that it stands for.
)

// place is where a value stands in the file.
type place struct {
	line, column int
	text         string // Value of a scalar as it is written.
}

// decoder fills a [Config] from a tree of nodes. It goes on after a problem, so
// that it finds all of them.
type decoder struct {
	origin
	base  string // Folder that relative paths start from; "" leaves them.
	env   Env
	nodes int
	quiet int // Above zero while a default is read: it has no place in the file.

	refs       map[string]string // Reference by path, for values that came through one.
	structural Problems          // What the JSON Schema finds too.
	semantic   Problems          // What it can not find.
	troubled   map[string]bool   // Paths with a problem, also under a misspelt name. A single spec is specs[0] here.
}

func newDecoder(file, base string, env Env) *decoder {
	return &decoder{
		origin: origin{file: file, places: map[string]place{}, single: map[string]string{}}, base: base, env: env.orProcess(),
		refs: map[string]string{}, troubled: map[string]bool{},
	}
}

func (d *decoder) note(path string, n *yaml.Node) {
	if d.quiet == 0 {
		d.places[path] = place{line: n.Line, column: n.Column, text: n.Value}
	}
}

func (d *decoder) problem(path string, n *yaml.Node, cause, fix string) Problem {
	d.troubled[path] = true
	return Problem{File: d.file, Line: n.Line, Column: n.Column, Field: d.shown(path), Cause: cause, Fix: fix}
}

// bad reports what the JSON Schema finds too.
func (d *decoder) bad(path string, n *yaml.Node, cause, fix string) {
	d.structural = append(d.structural, d.problem(path, n, cause, fix))
}

// refuse reports what the JSON Schema can not find.
func (d *decoder) refuse(path string, n *yaml.Node, cause, fix string) {
	d.semantic = append(d.semantic, d.problem(path, n, cause, fix))
}

// follow returns what an alias stands for.
func (d *decoder) follow(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

// value decodes one node into v. The field gives the rules of the tag.
func (d *decoder) value(path string, n *yaml.Node, v reflect.Value, f field) {
	n = d.follow(n)
	d.nodes++
	if d.nodes > maxNodes {
		if d.nodes == maxNodes+1 {
			d.bad(path, n, fmt.Sprintf("the file expands to more than %d values", maxNodes), "use fewer aliases")
		}
		return
	}
	d.note(path, n)
	if s, ok := asScalar(v); ok {
		d.scalar(path, n, s, f)
		return
	}
	if n.ShortTag() == "!!null" {
		d.bad(path, n, "has no value", "give it a value or remove the line")
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.nodes--
		d.value(path, n, v.Elem(), f)
	case reflect.Struct:
		d.structure(path, n, v)
	case reflect.Map:
		d.mapping(path, n, v, f)
	case reflect.Slice:
		d.list(path, n, v, f)
	case reflect.String:
		d.text(path, n, v, f)
	case reflect.Bool:
		if n.ShortTag() != "!!bool" || n.Decode(v.Addr().Interface()) != nil {
			d.bad(path, n, "a boolean is expected, not "+kindOf(n), "write true or false")
		}
	case reflect.Int:
		d.integer(path, n, v, f)
	default:
		d.bad(path, n, "can not be set", "remove it")
	}
}

func (d *decoder) scalar(path string, n *yaml.Node, s scalar, f field) {
	if err := s.UnmarshalYAML(n); err != nil {
		var b badValue
		switch {
		case !errors.As(err, &b):
			d.bad(path, n, err.Error(), "")
		case n.Kind == yaml.ScalarNode && (b == tooLong(n.Value) || b == noSuchDay(n.Value)):
			d.refuse(path, n, b.cause, b.fix)
		default:
			d.bad(path, n, b.cause, b.fix)
		}
		return
	}
	if secret, ok := s.(*Secret); ok {
		resolved, _ := d.resolve(path, n, secret.Reveal())
		*secret = NewSecret(resolved)
		return
	}
	if f.positive && s.IsZero() {
		d.refuse(path, n, "must be more than zero", "give a positive value or remove the line")
	}
}

func (d *decoder) integer(path string, n *yaml.Node, v reflect.Value, f field) {
	var i int32
	if n.ShortTag() != "!!int" || n.Decode(&i) != nil {
		d.bad(path, n, "a whole number up to 2147483647 is expected, not "+kindOf(n), "write a number without quotes")
		return
	}
	if f.min != nil && int64(i) < *f.min {
		d.bad(path, n, fmt.Sprintf("%d is too small", i), fmt.Sprintf("write %d or more", *f.min))
		return
	}
	v.SetInt(int64(i))
}

// text decodes a string: one of a closed set, or free text that may be a
// reference and may be a path.
func (d *decoder) text(path string, n *yaml.Node, v reflect.Value, f field) {
	if tag := n.ShortTag(); n.Kind != yaml.ScalarNode || (tag != "!!str" && tag != "!!timestamp") {
		fix := "write a string"
		if n.Kind == yaml.ScalarNode && tag != "!!binary" {
			fix = "put it in quotes"
		}
		d.bad(path, n, "a string is expected, not "+kindOf(n), fix)
		return
	}
	s := n.Value
	switch {
	case slices.Contains(f.refused, s):
		d.bad(path, n, quote(s)+" is refused: "+f.why, "use one of "+strings.Join(f.enum, ", "))
		return
	case f.enum != nil && !slices.Contains(f.enum, s):
		d.bad(path, n, quote(s)+" is not known here", DidYouMean(s, f.enum))
		return
	case f.required && s == "":
		d.bad(path, n, "is empty", "give it a value")
		return
	}
	if f.enum == nil {
		resolved, ok := d.resolve(path, n, s)
		if !ok {
			return
		}
		s = resolved
	}
	if f.file {
		s = d.path(s)
	}
	v.SetString(s)
}

func (d *decoder) list(path string, n *yaml.Node, v reflect.Value, f field) {
	if n.Kind != yaml.SequenceNode {
		d.bad(path, n, "a list is expected, not "+kindOf(n), "write it as [...]")
		return
	}
	if f.required && len(n.Content) == 0 {
		d.bad(path, n, "is empty", "name at least one")
		return
	}
	f.required = v.Type().Elem().Kind() == reflect.String // An element is never the empty string.
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, e := range n.Content {
		d.value(fmt.Sprintf("%s[%d]", path, i), e, v.Index(i), f)
	}
}

func (d *decoder) mapping(path string, n *yaml.Node, v reflect.Value, f field) {
	if n.Kind != yaml.MappingNode {
		d.bad(path, n, "a mapping is expected, not "+kindOf(n), "write it as name: value")
		return
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.Content)/2))
	d.pairs(path, n, func(key, value *yaml.Node) {
		at := pathKey(path, key.Value)
		if f.keys != nil && !slices.Contains(f.keys, key.Value) {
			d.bad(at, key, quote(key.Value)+" is not known here", DidYouMean(key.Value, f.keys))
			return
		}
		if key.Value == "" {
			d.bad(at, key, "the name is empty", "give it a name")
			return
		}
		elem := reflect.New(v.Type().Elem()).Elem()
		d.value(at, value, elem, field{enum: f.enum})
		v.SetMapIndex(reflect.ValueOf(key.Value), elem)
	})
}

// pairs calls do for every key of a mapping that is a string and not a
// repetition.
func (d *decoder) pairs(path string, n *yaml.Node, do func(key, value *yaml.Node)) {
	first := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := d.follow(n.Content[i])
		switch {
		case key.ShortTag() == "!!merge":
			d.bad(path, key, "merge keys are not supported", "write the values out, or use an alias for a whole value")
			continue
		case key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str":
			d.bad(path, key, "a name is expected, not "+kindOf(key), "put it in quotes")
			continue
		}
		if line, again := first[key.Value]; again {
			d.bad(pathKey(path, key.Value), key, fmt.Sprintf("is given twice, first in line %d", line), "remove one")
			continue
		}
		first[key.Value] = key.Line
		do(key, n.Content[i+1])
	}
}

// structure decodes a mapping into a struct and sets the defaults of what is
// absent. This is the one place where defaults are applied.
func (d *decoder) structure(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		d.bad(path, n, "a mapping is expected, not "+kindOf(n), "write it as name: value")
		return
	}
	fields := fieldsOf(v.Type())
	given := make(map[string]bool, len(fields))
	d.pairs(path, n, func(key, value *yaml.Node) {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == key.Value || f.single != "" && f.single == key.Value })
		if i < 0 {
			d.misspelt(path, key.Value, fields)
			d.bad(pathKey(path, key.Value), key, "no such field", DidYouMean(key.Value, names(fields)))
			return
		}
		f := fields[i]
		if given[f.name] {
			d.bad(joinPath(path, key.Value), key, fmt.Sprintf("%s and %s are both given", f.single, f.name), "keep one")
			return
		}
		given[f.name] = true
		if key.Value == f.single {
			d.single[joinPath(path, f.name)] = joinPath(path, f.single)
			value = &yaml.Node{Kind: yaml.SequenceNode, Line: key.Line, Column: key.Column, Content: []*yaml.Node{value}}
		}
		d.value(joinPath(path, f.name), value, v.FieldByIndex(f.index), f)
	})
	for _, f := range fields {
		if !given[f.name] {
			d.absent(path, n, v, f)
		}
	}
}

// misspelt notes which field an unknown name may stand for, so that nobody
// reports that the field is missing.
func (d *decoder) misspelt(path, name string, fields []field) {
	near := nearest(name, names(fields))
	for _, f := range fields {
		if near != "" && (near == f.name || near == f.single) {
			d.troubled[joinPath(path, f.name)] = true
		}
	}
}

// absent reports a required field or sets the default.
func (d *decoder) absent(path string, n *yaml.Node, v reflect.Value, f field) {
	at, target := joinPath(path, f.name), v.FieldByIndex(f.index)
	if f.required && d.quiet == 0 && !d.troubled[at] {
		what, _, _ := strings.Cut(f.doc, ". ")
		d.bad(at, n, "is required", "add it: "+strings.TrimSuffix(what, "."))
	}
	d.quiet++
	defer func() { d.quiet-- }()
	_, isScalar := asScalar(target)
	switch {
	case f.hasDef:
		d.value(at, f.defaultNode(), target, f)
	case target.Kind() == reflect.Struct && !isScalar:
		d.structure(at, &yaml.Node{Kind: yaml.MappingNode}, target)
	}
}

// names returns the keys of fields.
func names(fields []field) []string {
	var all []string
	for _, f := range fields {
		all = append(all, f.name)
		if f.single != "" {
			all = append(all, f.single)
		}
	}
	return all
}
