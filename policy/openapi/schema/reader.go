package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/sidewarden/sidewarden/policy/openapi/ecma"
)

// reader reads one schema into its node.
type reader struct {
	*Compiler
	node  *node
	raw   any
	scope *scope
	m     map[string]any
}

func (rd *reader) read() {
	switch raw := rd.raw.(type) {
	case bool:
		rd.node.never, rd.node.narrow, rd.node.trivial = !raw, !raw, raw
		return
	case map[string]any:
		rd.m = raw
	default:
		rd.problem(rd.node.at, "a schema is an object", "")
		return
	}
	if rd.options.Modern {
		rd.references()
		if _, ok := rd.m["nullable"]; ok {
			rd.note("nullable", "says nothing in OpenAPI 3.1", `add "null" to type`)
		}
	}
	rd.readTypes()
	rd.readValues()
	rd.readText()
	rd.readNumber()
	rd.readArray()
	rd.readObject()
	rd.branches()
	rd.node.foreign = rd.flag(rd.options.foreign())
	rd.doubts()
	rd.node.trivial = rd.node.isTrivial()
	rd.node.narrow = rd.node.foreign || rd.node.enum != nil || rd.node.con != nil
}

// wrong reports a keyword whose value cannot be read.
func (rd *reader) wrong(keyword, want string) {
	rd.problem(rd.node.at.Child(keyword), keyword+" is not "+want, "")
}

// note tells of a keyword that is there and not judged.
func (rd *reader) note(keyword, cause, fix string) {
	rd.notes = append(rd.notes, Problem{Place: rd.node.at.Child(keyword), Cause: keyword + " " + cause, Fix: fix})
}

func (rd *reader) child(tokens ...string) *node {
	return rd.Compiler.node(rd.node.at.Child(tokens...), rd.scope)
}

// modern returns the value of a keyword that OpenAPI 3.0 does not have.
func (rd *reader) modern(keyword string) (any, bool) {
	if !rd.options.Modern {
		return nil, false
	}
	v, ok := rd.m[keyword]
	return v, ok
}

func (rd *reader) flag(keyword string) bool {
	v, ok := rd.m[keyword]
	if !ok {
		return false
	}
	b, ok := v.(bool)
	if !ok {
		rd.wrong(keyword, "true or false")
	}
	return b
}

func (rd *reader) number(keyword string) *decimal {
	v, ok := rd.m[keyword]
	if !ok {
		return nil
	}
	n, ok := v.(json.Number)
	if !ok {
		rd.wrong(keyword, "a number")
		return nil
	}
	d := parseDecimal([]byte(n))
	return &d
}

// count returns the value of a keyword that counts; -1 if it is not there.
func (rd *reader) count(keyword string) int {
	v, ok := rd.m[keyword]
	if !ok {
		return -1
	}
	n, ok := v.(json.Number)
	if ok {
		if i, err := strconv.ParseInt(string(n), 10, 64); err == nil && i >= 0 {
			return int(i)
		}
		if f, err := strconv.ParseFloat(string(n), 64); err == nil && f >= 0 && f < 1<<53 && f == float64(int64(f)) {
			return int(f)
		}
	}
	rd.wrong(keyword, "a whole number from 0")
	return -1
}

func (rd *reader) words(keyword string, v any) []string {
	list, ok := v.([]any)
	words := make([]string, 0, len(list))
	for _, item := range list {
		word, is := item.(string)
		if !is {
			ok = false
			break
		}
		words = append(words, word)
	}
	if !ok {
		rd.wrong(keyword, "a list of strings")
	}
	return words
}

func (rd *reader) members(keyword string) map[string]any {
	v, ok := rd.m[keyword]
	if !ok {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		rd.wrong(keyword, "an object")
	}
	return m
}

func (rd *reader) list(keyword string) []any {
	v, ok := rd.m[keyword]
	if !ok {
		return nil
	}
	l, ok := v.([]any)
	if !ok {
		rd.wrong(keyword, "a list")
	}
	return l
}

// readTypes takes type and, in OpenAPI 3.0, nullable (4.8.24.1), which says nothing
// without type.
func (rd *reader) readTypes() {
	v, ok := rd.m["type"]
	if !ok {
		return
	}
	names, ok := []string(nil), true
	if name, single := v.(string); single {
		names = []string{name}
	} else if rd.options.Modern {
		names = rd.words("type", v)
		ok = len(names) > 0
	} else {
		ok = false
	}
	for _, name := range names {
		t, known := typeNamed(name)
		if !known || t == typeNull && !rd.options.Modern {
			ok = false
		}
		rd.node.types |= t
	}
	if !ok {
		rd.wrong("type", "the name of a type")
	}
	if !rd.options.Modern && rd.flag("nullable") {
		rd.node.types |= typeNull
	}
}

func typeNamed(name string) (typeSet, bool) {
	switch name {
	case "null":
		return typeNull, true
	case "boolean":
		return typeBoolean, true
	case "object":
		return typeObject, true
	case "array":
		return typeArray, true
	case "number":
		return typeNumber, true
	case "integer":
		return typeInteger, true
	case "string":
		return typeString, true
	}
	return 0, false
}

func (rd *reader) readValues() {
	if _, ok := rd.m["enum"]; ok {
		rd.node.enum = rd.hasher.valuesOf(rd.list("enum"))
	}
	if v, ok := rd.modern("const"); ok {
		rd.node.con = rd.hasher.valuesOf([]any{v})
	}
}

func (rd *reader) readText() {
	t := textRules{minLength: max(rd.count("minLength"), 0), maxLength: rd.count("maxLength")}
	if v, ok := rd.m["pattern"]; ok {
		expression, is := v.(string)
		if !is {
			rd.wrong("pattern", "a string")
		} else {
			t.pattern = rd.pattern(rd.node.at.Child("pattern"), expression)
		}
	}
	if v, ok := rd.m["format"]; ok {
		t.format = rd.format(v)
		t.longest = longestOf(v)
	}
	rd.node.content = rd.content()
	if t.minLength > 0 || t.maxLength >= 0 || t.pattern != nil || t.format != nil {
		rd.node.text = &t
	}
}

// content returns what the texts stand for (OpenAPI 3.0.4, 4.8.24.3; OpenAPI 3.1.1, 4.4.1).
func (rd *reader) content() content {
	_, encoded := rd.modern("contentEncoding")
	_, typed := rd.modern("contentMediaType")
	switch format := rd.m["format"]; {
	case encoded || format == "byte":
		return contentEncoded
	case typed || format == "binary":
		return contentBytes
	}
	return contentText
}

// format returns what judges a text of the format, which may be one of numbers.
func (rd *reader) format(v any) func([]byte) bool {
	name, ok := v.(string)
	if !ok {
		rd.wrong("format", "a string")
		return nil
	}
	switch name {
	case "int32":
		rd.node.number = &numberRules{bits: 32}
	case "int64":
		rd.node.number = &numberRules{bits: 64}
	case "float", "double", "password", "binary": // nothing that could be judged
	default:
		f := stringFormat(name)
		if f == nil {
			rd.notes = append(rd.notes, Problem{Place: rd.node.at.Child("format"), Cause: fmt.Sprintf("format %q is not asserted", name)})
		}
		return f
	}
	return nil
}

// longestOf returns how many code points the texts of a format have at most, 0 if they
// have any number.
func longestOf(format any) int {
	switch format {
	case "uuid":
		return 36
	case "date":
		return 10
	case "date-time":
		return 40
	case "ipv4":
		return 15
	case "ipv6":
		return 45
	}
	return 0
}

// pattern compiles an expression; nil if it cannot.
func (rd *reader) pattern(at Place, expression string) *ecma.Pattern {
	p, over, err := rd.options.Patterns.Compile(expression)
	if over {
		rd.problem(at, "with this pattern, those of the contract cost too much together, in memory or in time to load",
			"use lower counts or smaller classes, bound the length with maxLength in place of counts, or use one expression in many places")
		return nil
	}
	if err == nil {
		return p
	}
	cause, fix := err.Error(), ""
	if told, ok := errors.AsType[*ecma.Error](err); ok {
		cause, fix = told.Cause, told.Fix
	}
	if rd.options.OmitPatterns {
		rd.notes = append(rd.notes, Problem{Place: at, Cause: "the pattern is left out: it " + cause, Fix: fix})
		return nil
	}
	rd.problem(at, "the pattern cannot be compiled: it "+cause, fix+"; or set schema.unsupported_patterns: omit")
	return nil
}

func (rd *reader) readNumber() {
	var n numberRules
	if rd.node.number != nil {
		n = *rd.node.number
	}
	n.minimum, n.maximum, n.multipleOf = rd.number("minimum"), rd.number("maximum"), rd.number("multipleOf")
	if n.multipleOf != nil && n.multipleOf.compare(decimal{}) <= 0 {
		rd.wrong("multipleOf", "above 0")
		n.multipleOf = nil
	}
	if rd.options.Modern {
		n.exclusiveMinimum, n.exclusiveMaximum = rd.number("exclusiveMinimum"), rd.number("exclusiveMaximum")
	} else { // they say how to read the other two
		if rd.flag("exclusiveMinimum") {
			n.minimum, n.exclusiveMinimum = nil, n.minimum
		}
		if rd.flag("exclusiveMaximum") {
			n.maximum, n.exclusiveMaximum = nil, n.maximum
		}
	}
	if n != (numberRules{}) {
		rd.node.number = &n
	}
}

func (rd *reader) readArray() {
	a := arrayRules{minItems: max(rd.count("minItems"), 0), maxItems: rd.count("maxItems"), unique: rd.flag("uniqueItems"), maxContains: -1}
	if _, ok := rd.modern("prefixItems"); ok {
		for i := range rd.list("prefixItems") {
			a.prefix = append(a.prefix, rd.child("prefixItems", strconv.Itoa(i)))
		}
	}
	if _, ok := rd.m["items"]; ok {
		a.items = rd.child("items")
	}
	if _, ok := rd.modern("contains"); ok {
		a.contains, a.minContains, a.maxContains = rd.child("contains"), 1, rd.count("maxContains")
		if n := rd.count("minContains"); n >= 0 {
			a.minContains = n
		}
	}
	if _, ok := rd.modern("unevaluatedItems"); ok {
		a.rest = rd.child("unevaluatedItems")
	}
	if a.minItems > 0 || a.maxItems >= 0 || a.unique || a.prefix != nil || a.items != nil || a.contains != nil || a.rest != nil {
		rd.node.array = &a
	}
}

func sortedNames(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
