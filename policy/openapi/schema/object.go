package schema

import (
	"slices"
	"strconv"
	"strings"
)

func (rd *reader) readObject() {
	o := &objectRules{minProperties: max(rd.count("minProperties"), 0), maxProperties: rd.count("maxProperties"), properties: map[string]*property{}}
	for _, name := range sortedNames(rd.members("properties")) {
		o.properties[name] = &property{name: name, node: rd.child("properties", name), bit: -1}
	}
	rd.readPatternProperties(o)
	o.listed = len(o.properties) > 0 || len(o.patterns) > 0
	o.folded = make(map[string]struct{}, len(o.properties))
	for name := range o.properties {
		folded := string(appendFolded(nil, []byte(name)))
		o.folded[folded], rd.folded[folded] = struct{}{}, struct{}{}
	}
	if _, ok := rd.m["additionalProperties"]; ok {
		o.additional = rd.child("additionalProperties")
	}
	if _, ok := rd.modern("propertyNames"); ok {
		o.names = rd.child("propertyNames")
	}
	if _, ok := rd.modern("unevaluatedProperties"); ok {
		o.rest = rd.child("unevaluatedProperties")
	}
	if v, ok := rd.m["required"]; ok {
		for _, name := range rd.words("required", v) {
			if p := o.track(name); !slices.Contains(o.required, p) {
				o.required = append(o.required, p)
			}
		}
	}
	rd.readDependent(o)
	o.table = newNameTable(o.properties)
	o.simple = len(o.patterns) == 0 && o.names == nil && o.rest == nil
	for _, p := range o.required {
		if o.tracked <= 64 {
			o.needed |= 1 << p.bit
		}
	}
	if o.minProperties > 0 || o.maxProperties >= 0 || len(o.properties) > 0 || len(o.patterns) > 0 ||
		o.additional != nil || o.names != nil || o.rest != nil {
		rd.node.object = o
	}
}

// track returns the property of that name, which has a bit.
func (o *objectRules) track(name string) *property {
	p := o.properties[name]
	if p == nil {
		p = &property{name: name, bit: -1}
		o.properties[name] = p
	}
	if p.bit < 0 {
		p.bit = o.tracked
		o.tracked++
	}
	return p
}

func (rd *reader) readPatternProperties(o *objectRules) {
	if _, ok := rd.modern("patternProperties"); !ok {
		return
	}
	for _, expression := range sortedNames(rd.members("patternProperties")) {
		if p := rd.pattern(rd.node.at.Child("patternProperties", expression), expression); p != nil {
			o.patterns = append(o.patterns, patternProperty{pattern: p, node: rd.child("patternProperties", expression)})
		}
	}
}

func (rd *reader) readDependent(o *objectRules) {
	if _, ok := rd.modern("dependentRequired"); ok {
		needs := rd.members("dependentRequired")
		for _, trigger := range sortedNames(needs) {
			d := dependency{trigger: o.track(trigger)}
			for _, name := range rd.words("dependentRequired", needs[trigger]) {
				d.needs = append(d.needs, o.track(name))
			}
			o.dependent = append(o.dependent, d)
		}
	}
	if _, ok := rd.modern("dependentSchemas"); ok {
		for _, name := range sortedNames(rd.members("dependentSchemas")) {
			o.track(name)
			rd.node.subs = append(rd.node.subs, sub{role: roleDependent, node: rd.child("dependentSchemas", name), name: name})
		}
	}
}

// references reads $ref and $dynamicRef, which stand beside other keywords.
func (rd *reader) references() {
	for _, keyword := range []string{"$ref", "$dynamicRef"} {
		v, ok := rd.m[keyword]
		if !ok {
			continue
		}
		ref, ok := v.(string)
		if !ok {
			rd.wrong(keyword, "a reference")
			continue
		}
		at, err := rd.docs.Resolve(rd.node.at, ref)
		if err != nil {
			rd.problem(rd.node.at.Child(keyword), err.Error(), "")
			continue
		}
		if keyword == "$dynamicRef" {
			at = rd.dynamic(at, ref)
		}
		rd.node.subs = append(rd.node.subs, sub{role: roleAll, index: -1, node: rd.Compiler.node(at, rd.scope)})
	}
}

// dynamic returns where a $dynamicRef leads whose initial target is at a place: to the
// outermost schema of that dynamic anchor, if the initial target has one (JSON Schema
// 2020-12, core, 8.2.3.2).
func (rd *reader) dynamic(at Place, ref string) Place {
	_, anchor, _ := strings.Cut(ref, "#")
	if anchor == "" || strings.HasPrefix(anchor, "/") {
		return at
	}
	if own, ok := rd.docs.dynamicAnchor(rd.docs.rootOf(at), anchor); !ok || own != at {
		return at
	}
	if outer, ok := rd.scope.bound[anchor]; ok {
		return outer
	}
	return at
}

// branches reads what judges the same value.
func (rd *reader) branches() {
	add := func(why role, index int, tokens ...string) {
		rd.node.subs = append(rd.node.subs, sub{role: why, index: int32(index), node: rd.child(tokens...)})
	}
	for _, group := range []struct {
		keyword string
		role    role
	}{{"allOf", roleAll}, {"anyOf", roleAny}, {"oneOf", roleOne}} {
		list := rd.list(group.keyword)
		if _, ok := rd.m[group.keyword]; ok && len(list) == 0 {
			rd.wrong(group.keyword, "a list with a schema")
		}
		for i := range list {
			add(group.role, i, group.keyword, strconv.Itoa(i))
		}
	}
	if _, ok := rd.m["not"]; ok {
		add(roleNot, 0, "not")
	}
	for _, c := range []struct { // if comes first: the others ask what it said
		keyword string
		role    role
	}{{"if", roleIf}, {"then", roleThen}, {"else", roleElse}} {
		_, condition := rd.modern("if")
		if _, ok := rd.modern(c.keyword); ok && condition {
			add(c.role, 0, c.keyword)
		}
	}
	if d := rd.members("discriminator"); d != nil {
		rd.discriminator(d)
	}
}

// discriminator reads which branch of oneOf or anyOf the value of a property chooses
// (OpenAPI 3.0.4, 4.7.25). Schemas of the mapping that are no branches, as where
// others extend this one by allOf, judge nothing; they only know names.
func (rd *reader) discriminator(d map[string]any) {
	property, ok := d["propertyName"].(string)
	if !ok {
		rd.problem(rd.node.at.Child("discriminator"), "the discriminator has no propertyName", "")
		return
	}
	mapping, _ := d["mapping"].(map[string]any)
	p := &pick{property: property}
	count := len(rd.node.subs)
	chooses := slices.ContainsFunc(rd.node.subs, func(s sub) bool { return s.role == roleAny || s.role == roleOne })
	if len(mapping) > 0 {
		p.branches = map[string]int{}
	}
	for _, value := range sortedNames(mapping) {
		name, _ := mapping[value].(string)
		n := rd.mapped(value, name)
		if n == nil {
			continue
		}
		i := slices.IndexFunc(rd.node.subs[:count], func(s sub) bool {
			return s.node == n && (s.role == roleAny || s.role == roleOne)
		})
		if i < 0 {
			rd.node.subs = append(rd.node.subs, sub{role: roleMapped, node: n})
		}
		p.branches[value] = i
	}
	for value, i := range p.branches {
		if i < 0 {
			p.branches[value] = len(rd.node.subs)
		}
	}
	if !chooses {
		rd.note("discriminator", "chooses nothing here: there is no oneOf or anyOf beside it", "where a schema is to be chosen, write oneOf with all of them and this discriminator")
		return
	}
	rd.node.pick = p
}

// mapped returns the node that a mapping names, by the name of a component or by a
// reference.
func (rd *reader) mapped(value, name string) *node {
	ref := name
	if !strings.ContainsAny(name, "/#.") {
		ref = "#/components/schemas/" + name
	}
	at, err := rd.docs.Resolve(rd.node.at, ref)
	if err != nil {
		rd.problem(rd.node.at.Child("discriminator", "mapping", value), err.Error(), "")
		return nil
	}
	return rd.Compiler.node(at, rd.scope)
}
