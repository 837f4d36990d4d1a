package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// doubts notes what a schema can only have by mistake: it loads and is judged as it is
// written, but nobody can mean it.
func (rd *reader) doubts() {
	rd.doubtNull()
	rd.doubtEnum()
	if p, ok := rd.m["pattern"].(string); ok && slashed(p) {
		rd.note("pattern", "is written between slashes, which are part of it and have to be in the text", "leave out the slashes and what follows the second one")
	}
	if t := rd.node.text; t != nil {
		rd.doubtCounts("minLength", t.minLength, "maxLength", t.maxLength)
	}
	if a := rd.node.array; a != nil {
		rd.doubtCounts("minItems", a.minItems, "maxItems", a.maxItems)
		if a.contains != nil {
			rd.doubtCounts("minContains", a.minContains, "maxContains", a.maxContains)
		}
	}
	if o := rd.node.object; o != nil {
		rd.doubtCounts("minProperties", o.minProperties, "maxProperties", o.maxProperties)
	}
	rd.doubtBounds()
}

// doubtNull notes where null is let in and refused at once. In OpenAPI 3.0 nullable adds
// null to type, and to nothing else (3.0.4, 4.7.24.1).
func (rd *reader) doubtNull() {
	adds := !rd.options.Modern && rd.m["nullable"] == true
	switch {
	case adds && rd.node.types == 0:
		rd.note("nullable", "says nothing without type", "to let null be there, write anyOf with the schema and {type: object, nullable: true, enum: [null]}")
	case rd.node.types&typeNull == 0 || rd.node.enum == nil || rd.node.enum.null:
	case adds:
		rd.note("nullable", "adds nothing: null is not in the enum", "add null to the enum")
	default:
		rd.note("enum", "does not have null, which type names", "add null to it")
	}
}

// doubtEnum notes the values that the schema's own type refuses.
func (rd *reader) doubtEnum() {
	if rd.node.types == 0 || rd.node.enum == nil {
		return
	}
	for i, value := range rd.list("enum") {
		if rd.node.types&typesOf(value) == 0 {
			rd.notes = append(rd.notes, Problem{
				Place: rd.node.at.Child("enum", strconv.Itoa(i)), Cause: "the value is not of the type that stands beside the enum",
				Fix: "correct the value or the type",
			})
		}
	}
}

// typesOf returns the types that a raw value has.
func typesOf(value any) typeSet {
	switch v := value.(type) {
	case bool:
		return typeBoolean
	case string:
		return typeString
	case []any:
		return typeArray
	case map[string]any:
		return typeObject
	case json.Number:
		if parseDecimal([]byte(v)).integer() {
			return typeNumber | typeInteger
		}
		return typeNumber
	}
	return typeNull
}

// doubtCounts notes a lower bound that is above the upper one, which is below 0 where
// there is none.
func (rd *reader) doubtCounts(least string, low int, most string, high int) {
	if high >= 0 && low > high {
		rd.crossed(least, most)
	}
}

// doubtBounds notes bounds between which there is no number.
func (rd *reader) doubtBounds() {
	n := rd.node.number
	if n == nil {
		return
	}
	for _, low := range []*decimal{n.minimum, n.exclusiveMinimum} {
		for _, high := range []*decimal{n.maximum, n.exclusiveMaximum} {
			if low == nil || high == nil {
				continue
			}
			order := low.compare(*high)
			if order < 0 || order == 0 && low == n.minimum && high == n.maximum {
				continue
			}
			least, most := "minimum", "maximum"
			if rd.options.Modern && low == n.exclusiveMinimum {
				least = "exclusiveMinimum"
			}
			if rd.options.Modern && high == n.exclusiveMaximum {
				most = "exclusiveMaximum"
			}
			rd.crossed(least, most)
			return
		}
	}
}

func (rd *reader) crossed(least, most string) {
	written := least
	if _, ok := rd.m[least]; !ok { // the default of minContains
		written = most
	}
	rd.notes = append(rd.notes, Problem{Place: rd.node.at.Child(written), Cause: least + " and " + most + " leave no value", Fix: "correct one of them"})
}

// slashed reports whether a pattern is written as a literal of JavaScript is, between
// slashes and with flags. Between those there is something that makes no sense behind a
// slash, or flags prove it.
func slashed(pattern string) bool {
	end := strings.LastIndexByte(pattern, '/')
	if end < 2 || pattern[0] != '/' {
		return false
	}
	inner, flags := pattern[1:end], pattern[end+1:]
	if strings.Trim(flags, "dgimsuvy") != "" {
		return false
	}
	anchored := inner[0] == '^' || strings.HasSuffix(inner, "$") && !strings.HasSuffix(inner, `\$`)
	return anchored || flags != "" && strings.ContainsAny(inner, `[(*+?\`)
}

// doubtJoined notes a schema that lets null be there by its type while another one that
// must hold with it does not.
func (c *Compiler) doubtJoined() {
	for _, n := range c.nodes {
		if n.types&typeNull == 0 || len(n.subs) == 0 {
			continue
		}
		for _, s := range n.subs {
			m := s.node
			if s.role != roleAll {
				continue
			}
			if m.types != 0 && m.types&typeNull == 0 || m.enum != nil && !m.enum.null {
				c.notes = append(c.notes, Problem{
					Place: n.at, Cause: fmt.Sprintf("null cannot be there although the type has it: %s does not allow it", m.at.seen(n.at)),
					Fix: "to let it be there, join the two by anyOf and not by allOf",
				})
				break
			}
		}
	}
}

// seen names a place as it is seen from another one.
func (p Place) seen(other Place) string {
	switch {
	case p.Pointer == "":
		return p.Document
	case p.Document == other.Document:
		return p.Pointer
	}
	return p.Document + "#" + p.Pointer
}

// loop says how a schema leads back to itself: the last of the nodes to the first.
func (c *Compiler) loop(nodes []*node) {
	first, text := nodes[0], ""
	chooses, extends := false, false
	for i, n := range nodes {
		next := nodes[(i+1)%len(nodes)]
		s := n.subs[slices.IndexFunc(n.subs, func(s sub) bool { return s.role != roleMapped && s.node == next })]
		chooses = chooses || s.role == roleOne || s.role == roleAny
		extends = extends || s.role == roleAll
		text += n.at.Child(s.keyword()...).seen(first.at) + " leads to "
	}
	fix := "break the circle of references"
	if chooses && extends {
		fix = "where the branches of a oneOf or anyOf extend the schema that has it, put it where that schema is used, or into a schema of its own"
	}
	c.problem(first.at, "the schema leads back to itself without a step into the value: "+text+first.at.seen(first.at), fix)
}

// keyword returns where in its schema a sub is.
func (s sub) keyword() []string {
	at := strconv.Itoa(int(s.index))
	switch s.role {
	case roleAll:
		if s.index < 0 {
			return []string{"$ref"}
		}
		return []string{"allOf", at}
	case roleAny:
		return []string{"anyOf", at}
	case roleOne:
		return []string{"oneOf", at}
	case roleNot:
		return []string{"not"}
	case roleIf:
		return []string{"if"}
	case roleThen:
		return []string{"then"}
	case roleElse:
		return []string{"else"}
	case roleDependent:
		return []string{"dependentSchemas", s.name}
	case roleMapped, roleContains, roleRest: // they judge no value for the sake of a schema of it
	}
	return nil
}
