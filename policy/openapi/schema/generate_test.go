package schema_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// chooser makes choices. Without a source it always takes the first.
type chooser struct{ source *rand.Rand }

// choices returns a chooser that a number decides.
func choices(seed uint64) *chooser { return &chooser{rand.New(rand.NewPCG(seed, 2020))} }

// under returns a number from 0 to n-1.
func (c *chooser) under(n int) int {
	if c.source == nil {
		return 0
	}
	return c.source.IntN(n)
}

// rarely is true once in n times, and never without a source.
func (c *chooser) rarely(n int) bool { return c.under(n) == n-1 }

func pick[T any](c *chooser, of []T) T { return of[c.under(len(of))] }

// some returns up to n of the values, without repetition.
func some[T comparable](c *chooser, of []T, n int) []any {
	var all []any
	for range 1 + c.under(n) {
		if v := pick(c, of); !slices.Contains(all, any(v)) {
			all = append(all, v)
		}
	}
	return all
}

type object = map[string]any

// What schemas and documents are made of. The schemas never speak of strangers, which
// are names that only documents have.
var (
	names     = []string{"a", "b", "c", "x-1", "ä", "", "a/b~c"}
	strangers = []string{"stranger", "x-stranger"}
	texts     = []string{"a", "", "b", "ab", "aaa", "abc", "ä", "𝄞𝄞", "x-1", "12", "2026-01-02", "10.0.0.1", "YQ==", "f47ac10b-58cc-4372-a567-0e02b2c3d479", "2026-11-28T12:00:00Z"}
	patterns  = []string{"^a", "b$", "^[a-c]+$", "^x-", "a|b", "^.$", "ä", `^\d{2}`, `^\w*$`, "a{2,3}", "^$"}
	formats   = []string{"date", "ipv4", "byte", "uuid", "date-time", "hostname", "unknown"}
	// The numbers are exact in decimal notation; several are not in float64, or have
	// a neighbour that float64 takes for the same.
	numbers = []json.Number{
		"1", "0", "2", "3", "-1", "1.5", "0.5", "1.0", "-0", "10", "1e2", "100", "0.1", "0.3", "3.0e0", "-2.5", "15e-1", "0.01",
		"2147483647", "2147483648", "-2147483649", "9007199254740992", "9007199254740993", "9223372036854775807", "9223372036854775808", "1e300",
	}
	multiples  = []json.Number{"1", "2", "0.5", "0.1", "1.5", "0.01", "3"}
	components = []string{"A", "B", "C"}
)

// generator makes the schemas of one document in one dialect.
type generator struct {
	*chooser
	modern bool
	// at is which of the components is made. What judges the same value may refer to
	// later ones only, so that no schema needs its own verdict.
	at int
}

// document returns a document with three schemas that refer to each other.
func (g *generator) document() object {
	all := object{}
	for i, name := range components {
		g.at = i
		all[name] = g.schema(3, true)
	}
	return object{"components": object{"schemas": all}}
}

func ref(name string) string { return "#/components/schemas/" + name }

// resolved returns the schema that a reference of the generator leads to.
func resolved(document object, to string) any {
	at := any(document)
	for token := range strings.SplitSeq(strings.TrimPrefix(to, "#/"), "/") {
		at = at.(object)[token] //nolint:errcheck // the generator makes no other
	}
	return at
}

// schema returns a schema. Same reports that it judges the same value as the
// component that it is in.
func (g *generator) schema(depth int, same bool) any {
	if g.modern && g.rarely(16) {
		return g.rarely(2)
	}
	if g.rarely(6) {
		if to := g.reference(same); to != "" {
			s := object{"$ref": ref(to)}
			if g.modern && g.rarely(3) { // siblings count in 2020-12 alone
				g.keyword(s, depth, same)
			}
			return s
		}
	}
	s := object{}
	if g.modern && depth > 0 && g.rarely(6) {
		g.rest(s, depth-1, same)
		return s
	}
	if !g.rarely(4) {
		g.types(s)
	}
	for range 1 + g.under(4) {
		g.keyword(s, depth, same)
	}
	if s["discriminator"] != nil && s["oneOf"] != nil {
		delete(s, "anyOf") // kin wants the branch in both, which no contract means
	}
	return s
}

func (g *generator) reference(same bool) string {
	if !same {
		return pick(g.chooser, components)
	}
	if later := components[g.at+1:]; len(later) > 0 {
		return pick(g.chooser, later)
	}
	return ""
}

func (g *generator) types(s object) {
	all := []string{"object", "array", "string", "integer", "number", "boolean"}
	if !g.modern {
		s["type"] = pick(g.chooser, all)
		if g.rarely(4) {
			s["nullable"] = true
		}
		return
	}
	all = append(all, "null")
	if g.rarely(4) {
		s["type"] = some(g.chooser, all, 3)
		return
	}
	s["type"] = pick(g.chooser, all)
}

// keyword adds one keyword, of those that say something of the type if there is one.
func (g *generator) keyword(s object, depth int, same bool) {
	kind, _ := s["type"].(string)
	if depth > 0 && g.rarely(3) {
		g.branch(s, depth-1, same)
		return
	}
	if g.rarely(8) {
		g.constant(s, depth)
		return
	}
	if kind == "" || g.rarely(12) {
		kind = pick(g.chooser, []string{"object", "array", "string", "number"})
	}
	switch kind {
	case "object":
		g.object(s, depth)
	case "array":
		g.array(s, depth)
	case "string":
		g.text(s)
	case "integer", "number":
		g.number(s)
	}
}

func (g *generator) constant(s object, depth int) {
	if g.modern && g.rarely(3) {
		s["const"] = g.value(min(depth, 1))
		return
	}
	var all []any
	for range 1 + g.under(4) {
		all = append(all, g.value(min(depth, 1)))
	}
	s["enum"] = all
}

func (g *generator) schemas(depth int, same bool) []any {
	var all []any
	for range 1 + g.under(3) {
		all = append(all, g.schema(depth, same))
	}
	return all
}

func (g *generator) branch(s object, depth int, same bool) {
	switch g.under(7) {
	case 0:
		s["allOf"] = g.schemas(depth, same)
	case 1:
		s["anyOf"] = g.schemas(depth, same)
	case 2:
		s["oneOf"] = g.schemas(depth, same)
	case 3:
		s["not"] = g.schema(depth, same)
	case 4:
		if g.discriminator(s, same) {
			return
		}
		s["oneOf"] = g.schemas(depth, same)
	default:
		if !g.modern {
			s["allOf"] = g.schemas(depth, same)
			return
		}
		s["if"] = g.schema(depth, same)
		if !g.rarely(3) {
			s["then"] = g.schema(depth, same)
		}
		if !g.rarely(3) {
			s["else"] = g.schema(depth, same)
		}
	}
}

// discriminator chooses among the components that may be referred to. In 2020-12 it
// is no keyword, and what it means beside one is tested elsewhere.
func (g *generator) discriminator(s object, same bool) bool {
	may := components
	if same {
		may = components[g.at+1:]
	}
	if g.modern || len(may) == 0 {
		return false
	}
	var branches []any
	mapping := object{}
	for _, name := range may {
		branches = append(branches, object{"$ref": ref(name)})
		mapping[strings.ToLower(name)] = ref(name)
	}
	d := object{"propertyName": pick(g.chooser, names)}
	if !g.rarely(3) {
		d["mapping"] = mapping
	}
	s[pick(g.chooser, []string{"oneOf", "anyOf"})], s["discriminator"] = branches, d
	return true
}

func (g *generator) object(s object, depth int) {
	inner := func() any {
		if depth <= 0 {
			return object{}
		}
		return g.schema(depth-1, false)
	}
	cases := 6
	if g.modern {
		cases = 11
	}
	switch g.under(cases) {
	case 0, 1:
		all := object{}
		for range 1 + g.under(3) {
			p, name := inner(), pick(g.chooser, names)
			if o, plain := p.(object); plain && o["$ref"] == nil && g.rarely(8) {
				o[pick(g.chooser, []string{"readOnly", "writeOnly"})] = true
				if g.rarely(2) {
					s["required"] = []any{name}
				}
			}
			all[name] = p
		}
		s["properties"] = all
	case 2:
		s["required"] = some(g.chooser, names, 3)
	case 3:
		s["additionalProperties"] = pick(g.chooser, []any{false, true, inner()})
	case 4:
		s["minProperties"] = json.Number(pick(g.chooser, []string{"0", "1", "2"}))
	case 5:
		s["maxProperties"] = json.Number(pick(g.chooser, []string{"0", "1", "2", "3"}))
	case 6:
		s["patternProperties"] = object{pick(g.chooser, patterns): inner(), pick(g.chooser, patterns): inner()}
	case 7:
		s["propertyNames"] = pick(g.chooser, []any{object{"maxLength": json.Number("1")}, object{"pattern": pick(g.chooser, patterns)}, object{"enum": some(g.chooser, names, 4)}, inner()})
	case 8:
		s["dependentRequired"] = object{pick(g.chooser, names): some(g.chooser, names, 2)}
	case 9:
		if depth > 0 {
			s["dependentSchemas"] = object{pick(g.chooser, names): g.schema(0, true)}
		}
	case 10:
		s["unevaluatedProperties"] = pick(g.chooser, []any{false, true, inner()})
	}
}

func (g *generator) array(s object, depth int) {
	inner := func() any {
		if depth <= 0 {
			return object{}
		}
		return g.schema(depth-1, false)
	}
	cases := 5
	if g.modern {
		cases = 8
	}
	switch g.under(cases) {
	case 0, 1:
		s["items"] = inner()
	case 2:
		s["minItems"] = json.Number(pick(g.chooser, []string{"0", "1", "2"}))
		s["items"] = object{} // it must be there in 3.0
	case 3:
		s["maxItems"] = json.Number(pick(g.chooser, []string{"0", "1", "2", "3"}))
	case 4:
		s["uniqueItems"] = true
	case 5:
		s["prefixItems"] = g.schemas(max(depth-1, 0), false)
	case 6:
		s["contains"] = inner()
		if g.rarely(2) {
			s["minContains"] = json.Number(pick(g.chooser, []string{"0", "1", "2"}))
		}
		if g.rarely(2) {
			s["maxContains"] = json.Number(pick(g.chooser, []string{"0", "1", "2"}))
		}
	case 7:
		s["unevaluatedItems"] = pick(g.chooser, []any{false, true, inner()})
	}
}

// rest makes a schema of what others leave: unevaluated members or items beside schemas
// that evaluate some.
func (g *generator) rest(s object, depth int, same bool) {
	array := g.rarely(3)
	part := func(depth int) any {
		p := object{}
		for range 1 + g.under(2) {
			if array {
				g.array(p, depth)
			} else {
				g.object(p, depth)
			}
		}
		return p
	}
	rest := "unevaluatedProperties"
	if array {
		rest = "unevaluatedItems"
	}
	s[rest] = pick(g.chooser, []any{false, false, true, g.schema(0, false)})
	for range 1 + g.under(3) {
		switch g.under(9) {
		case 0:
			s["allOf"] = []any{part(depth), part(depth)}
		case 1:
			s["anyOf"] = []any{part(depth), part(depth), part(depth)}
		case 2:
			s["oneOf"] = []any{part(depth), part(depth)}
		case 3:
			condition := any(object{"required": []any{pick(g.chooser, names)}})
			if array {
				condition = object{"minItems": json.Number("2")}
			}
			s["if"], s["then"], s["else"] = condition, part(depth), part(depth)
		case 4:
			s["not"] = object{"not": part(depth)}
		case 5:
			s["dependentSchemas"] = object{pick(g.chooser, names): part(depth)}
		case 6:
			if to := g.reference(same); to != "" {
				shared := object{"$ref": ref(to)} // it judges the value once
				s["allOf"] = []any{shared, object{"allOf": []any{shared, part(0)}}}
			}
		case 7:
			s["allOf"] = []any{object{rest: pick(g.chooser, []any{true, g.schema(0, false)})}, part(depth)}
		case 8:
			if array {
				g.array(s, depth)
			} else {
				g.object(s, depth)
			}
		}
	}
}

func (g *generator) text(s object) {
	switch g.under(4) {
	case 0:
		s["minLength"] = json.Number(pick(g.chooser, []string{"1", "0", "2", "3"}))
	case 1:
		s["maxLength"] = json.Number(pick(g.chooser, []string{"0", "1", "2", "3", "10"}))
	case 2:
		s["pattern"] = pick(g.chooser, patterns)
	case 3:
		s["format"] = pick(g.chooser, formats)
	}
}

func (g *generator) number(s object) {
	limit, exclusive := "minimum", "exclusiveMinimum"
	switch g.under(4) {
	case 0:
	case 1:
		limit, exclusive = "maximum", "exclusiveMaximum"
	case 2:
		s["multipleOf"] = pick(g.chooser, multiples)
		return
	case 3:
		if s["type"] == "integer" {
			s["format"] = pick(g.chooser, []string{"int32", "int64"})
		}
		return
	}
	switch {
	case !g.rarely(3):
		s[limit] = pick(g.chooser, numbers)
	case g.modern:
		s[exclusive] = pick(g.chooser, numbers)
	default:
		s[limit], s[exclusive] = pick(g.chooser, numbers), true
	}
}

// value returns a value that nothing asks for.
func (g *generator) value(depth int) any {
	kinds := 5
	if depth > 0 {
		kinds = 7
	}
	switch g.under(kinds) {
	case 0:
		return pick(g.chooser, texts)
	case 1, 2:
		return pick(g.chooser, numbers)
	case 3:
		return g.rarely(2)
	case 4:
		return nil
	case 5:
		all := []any{}
		for range g.under(4) {
			all = append(all, g.value(depth-1))
		}
		return all
	}
	all := object{}
	for range g.under(4) {
		all[pick(g.chooser, slices.Concat(names, strangers))] = g.value(depth - 1)
	}
	return all
}

// keys returns the names of an object, sorted.
func keys(o object) []string { return slices.Sorted(maps.Keys(o)) }
