package schema_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"
)

// nearer makes documents that are near a schema: most of what it asks for is so.
type nearer struct {
	*generator
	document object
}

// together returns the schemas that judge the same value if all goes well.
func (n *nearer) together(s any, depth int) []object {
	o, plain := s.(object)
	if !plain || depth == 0 {
		return nil
	}
	all := []object{o}
	follow := func(s any) { all = append(all, n.together(s, depth-1)...) }
	if to, ok := o["$ref"].(string); ok {
		follow(resolved(n.document, to))
	}
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		branches, ok := o[keyword].([]any)
		switch {
		case !ok:
		case keyword == "allOf":
			for _, b := range branches {
				follow(b)
			}
		default:
			follow(pick(n.chooser, branches))
		}
	}
	if n.rarely(2) {
		follow(o["then"])
		follow(o["if"])
	} else {
		follow(o["else"])
	}
	return all
}

// near returns a value near all the schemas.
func (n *nearer) near(schemas []any, depth int) any {
	var all []object
	for _, s := range schemas {
		all = append(all, n.together(s, 4)...)
	}
	if depth == 0 || n.rarely(12) {
		return n.value(depth)
	}
	for _, s := range all {
		if v, ok := s["const"]; ok && !n.rarely(4) {
			return v
		}
		if v, ok := s["enum"].([]any); ok && !n.rarely(4) {
			return pick(n.chooser, v)
		}
	}
	switch n.kind(all) {
	case "object":
		return n.nearObject(all, depth)
	case "array":
		return n.nearArray(all, depth)
	case "string":
		return n.nearText(all)
	case "integer", "number":
		return n.nearNumber(all)
	case "boolean":
		return n.rarely(2)
	}
	return nil
}

// kind is the type that the first of the schemas has, or one of which they speak.
func (n *nearer) kind(all []object) string {
	for _, s := range all {
		switch t := s["type"].(type) {
		case string:
			if s["nullable"] == true && n.rarely(6) {
				return "null"
			}
			return t
		case []any:
			return pick(n.chooser, t).(string) //nolint:errcheck // types are strings
		}
	}
	for _, s := range all {
		for _, keyword := range keys(s) {
			switch keyword {
			case "properties", "required", "additionalProperties", "patternProperties", "unevaluatedProperties", "discriminator", "minProperties", "dependentRequired", "dependentSchemas", "propertyNames":
				return "object"
			case "items", "prefixItems", "contains", "unevaluatedItems", "minItems", "uniqueItems":
				return "array"
			case "pattern", "minLength", "maxLength", "format":
				return "string"
			case "minimum", "maximum", "multipleOf":
				return "number"
			}
		}
	}
	return pick(n.chooser, []string{"object", "array", "string", "number", "boolean", "null"})
}

func (n *nearer) nearObject(all []object, depth int) any {
	o, wanted := object{}, map[string]bool{}
	declared := map[string][]any{}
	var others []any
	for _, s := range all {
		if p, ok := s["properties"].(object); ok {
			for _, name := range keys(p) {
				declared[name] = append(declared[name], p[name])
			}
		}
		if r, ok := s["required"].([]any); ok {
			for _, name := range r {
				wanted[name.(string)] = true //nolint:errcheck // names are strings
			}
		}
		for _, keyword := range []string{"additionalProperties", "unevaluatedProperties"} {
			if more, ok := s[keyword].(object); ok {
				others = append(others, more)
			}
		}
		if d, ok := s["discriminator"].(object); ok && !n.rarely(4) {
			o[d["propertyName"].(string)] = pick(n.chooser, []string{"a", "b", "c", "A", "B", "nobody"}) //nolint:errcheck // it is a string
		}
	}
	for _, name := range slices.Concat(names, strangers) {
		if _, set := o[name]; set {
			continue
		}
		in, said := declared[name]
		switch {
		case wanted[name] && !n.rarely(8), said && n.rarely(2):
		case !wanted[name] && !said && n.rarely(8):
			in = others
		default:
			continue
		}
		o[name] = n.near(in, depth-1)
	}
	return o
}

func (n *nearer) nearArray(all []object, depth int) any {
	items, least := []any{}, 0
	var prefix [][]any
	var rest []any
	for _, s := range all {
		if p, ok := s["prefixItems"].([]any); ok {
			for i, schema := range p {
				if i == len(prefix) {
					prefix = append(prefix, nil)
				}
				prefix[i] = append(prefix[i], schema)
			}
		}
		for _, keyword := range []string{"items", "contains", "unevaluatedItems"} {
			if inner, ok := s[keyword]; ok {
				rest = append(rest, inner)
			}
		}
		if v, ok := s["minItems"].(json.Number); ok {
			least = max(least, int(v[0]-'0'))
		}
	}
	for i := range least + n.under(3) {
		in := rest
		if i < len(prefix) {
			in = prefix[i]
		}
		items = append(items, n.near(in, depth-1))
	}
	return items
}

// nearText returns a text that fulfils most of what is asked, if there is one.
func (n *nearer) nearText(all []object) any {
	start := n.under(len(texts))
	best, most := "", -1
	for i := range texts {
		text, good := texts[(start+i)%len(texts)], 0
		for _, s := range all {
			if p, ok := s["pattern"].(string); ok && regexp.MustCompile(p).MatchString(text) {
				good++
			}
			if v, ok := s["minLength"].(json.Number); ok && utf8.RuneCountInString(text) >= int(v[0]-'0') {
				good++
			}
			if v, ok := s["maxLength"].(json.Number); ok && (utf8.RuneCountInString(text) <= int(v[0]-'0') || v == "10") {
				good++
			}
		}
		if good > most {
			best, most = text, good
		}
	}
	return best
}

// nearNumber returns a bound, or a number within most of them.
func (n *nearer) nearNumber(all []object) any {
	var bounds []json.Number
	for _, s := range all {
		for _, keyword := range []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"} {
			if v, ok := s[keyword].(json.Number); ok {
				bounds = append(bounds, v)
			}
		}
	}
	if len(bounds) > 0 && n.rarely(2) {
		return pick(n.chooser, bounds)
	}
	return pick(n.chooser, numbers)
}

// encode writes a value as JSON, the members of an object in an order that starts
// anywhere.
func encode(b *bytes.Buffer, value any, c *chooser) {
	switch v := value.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case json.Number:
		b.WriteString(string(v))
	case string:
		encodeText(b, v)
	case []any:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			encode(b, item, c)
		}
		b.WriteByte(']')
	case object:
		b.WriteByte('{')
		all := keys(v)
		start := c.under(max(len(all), 1))
		for i := range all {
			if i > 0 {
				b.WriteByte(',')
			}
			name := all[(start+i)%len(all)]
			encodeText(b, name)
			b.WriteByte(':')
			encode(b, v[name], c)
		}
		b.WriteByte('}')
	}
}

func encodeText(b *bytes.Buffer, text string) {
	encoded, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string always has a JSON text
	}
	b.Write(encoded)
}

func text(value any, c *chooser) []byte {
	var b bytes.Buffer
	encode(&b, value, c)
	return b.Bytes()
}
