package openapi

import (
	"encoding/json"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// costly finds the schemas that lead to one which judges a value by branches
// and, below it, by itself again: a tree validator visits a value there once per
// branch and level, which is exponential in the depth. It is Tarjan's algorithm
// for the cycles of a graph.
type costly struct {
	index, low map[*openapi3.Schema]int
	stack      []*openapi3.Schema
	found      map[*openapi3.Schema]bool
}

// costlySchemas returns which of the schemas that the given ones lead to are costly.
func costlySchemas(roots []*openapi3.Schema) map[*openapi3.Schema]bool {
	c := &costly{
		index: map[*openapi3.Schema]int{},
		low:   map[*openapi3.Schema]int{},
		found: map[*openapi3.Schema]bool{},
	}
	for _, s := range roots {
		if s != nil && c.index[s] == 0 {
			c.visit(s)
		}
	}
	return c.found
}

func (c *costly) visit(s *openapi3.Schema) {
	c.index[s] = len(c.index) + 1
	c.low[s] = c.index[s]
	c.stack = append(c.stack, s)
	loop, leads := false, false
	for _, ref := range slices.Concat(branches(s), parts(s)) {
		if ref == nil || ref.Value == nil {
			continue
		}
		t := ref.Value
		loop = loop || t == s
		if c.index[t] == 0 {
			c.visit(t)
		}
		if c.low[t] > 0 {
			c.low[s] = min(c.low[s], c.low[t])
		}
		leads = leads || c.found[t]
	}
	if leads {
		c.found[s] = true
	}
	if c.low[s] != c.index[s] {
		return
	}
	i := len(c.stack) - 1
	for c.stack[i] != s {
		i--
	}
	cycle := c.stack[i:]
	c.stack = c.stack[:i]
	hot := false
	for _, t := range cycle {
		hot = hot || c.found[t] || (len(branches(t)) > 0 && (len(cycle) > 1 || loop))
	}
	for _, t := range cycle {
		c.low[t] = -1 // closed: it belongs to no later cycle
		if hot {
			c.found[t] = true
		}
	}
}

// The visits that a value may cost: many for any value, and some for each part
// of a large one.
const (
	visitsPerValue = 50_000
	visitsPerNode  = 50
)

// budget counts how often a tree validator would visit a schema.
type budget struct{ left int }

// spend counts the visits of s for v and reports false when the budget is gone.
// The schemas in above already judge v and are not visited again for it.
func (b *budget) spend(s *openapi3.Schema, v any, above []*openapi3.Schema) bool {
	if slices.Contains(above, s) {
		return true
	}
	if b.left--; b.left < 0 {
		return false
	}
	above = append(slices.Clip(above), s)
	for _, ref := range branches(s) {
		if !b.spend(ref.Value, v, above) {
			return false
		}
	}
	for _, ref := range s.AnyOf { // the engine visits the branch that fits a second time
		if !b.spend(ref.Value, v, above) {
			return false
		}
	}
	switch v := v.(type) {
	case map[string]any:
		return b.object(s, v)
	case []any:
		for i, item := range v {
			ref := s.Items
			if i < len(s.PrefixItems) {
				ref = s.PrefixItems[i]
			}
			if ref != nil && !b.spend(ref.Value, item, nil) {
				return false
			}
		}
	}
	return true
}

func (b *budget) object(s *openapi3.Schema, v map[string]any) bool {
	for name, value := range v {
		ref, ok := s.Properties[name]
		if !ok {
			ref = s.AdditionalProperties.Schema
		}
		if ref != nil && !b.spend(ref.Value, value, nil) {
			return false
		}
		for _, ref := range s.PatternProperties {
			if !b.spend(ref.Value, value, nil) {
				return false
			}
		}
	}
	return true
}

// literalInBounds reports whether a number costs nothing unusual: arithmetic on
// exact numbers takes time and memory by the exponent, not by the length.
func literalInBounds(n json.Number) bool {
	const maxLength, maxExponent = 40, 308
	if len(n) > maxLength {
		return false
	}
	exponent, digits := 0, false
	for i := range len(n) {
		switch c := n[i]; {
		case c == 'e' || c == 'E':
			exponent, digits = 0, true
		case digits && '0' <= c && c <= '9':
			exponent = exponent*10 + int(c-'0')
			if exponent > maxExponent {
				return false
			}
		}
	}
	return true
}
