package openapi

import (
	"slices"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"
)

// branches returns the schemas that judge the same value as s.
func branches(s *openapi3.Schema) []*openapi3.SchemaRef {
	refs := slices.Concat(s.AllOf, s.OneOf, s.AnyOf)
	for _, ref := range []*openapi3.SchemaRef{s.Not, s.If, s.Then, s.Else} {
		if ref != nil {
			refs = append(refs, ref)
		}
	}
	for _, name := range sortedKeys(s.DependentSchemas) {
		refs = append(refs, s.DependentSchemas[name])
	}
	return refs
}

// parts returns the schemas that judge a member or an item of the value.
func parts(s *openapi3.Schema) []*openapi3.SchemaRef {
	refs := slices.Clone(s.PrefixItems)
	for _, ref := range []*openapi3.SchemaRef{
		s.Items, s.Contains, s.PropertyNames, s.ContentSchema,
		s.AdditionalProperties.Schema, s.UnevaluatedItems.Schema, s.UnevaluatedProperties.Schema,
	} {
		if ref != nil {
			refs = append(refs, ref)
		}
	}
	for _, m := range []openapi3.Schemas{s.Properties, s.PatternProperties, s.Defs} {
		for _, name := range sortedKeys(m) {
			refs = append(refs, m[name])
		}
	}
	return refs
}

// eachSchema calls f once for every schema that the given ones lead to.
func eachSchema(roots []*openapi3.Schema, f func(*openapi3.Schema)) {
	seen := map[*openapi3.Schema]bool{}
	pending := slices.Clone(roots)
	for len(pending) > 0 {
		s := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if s == nil || seen[s] {
			continue
		}
		seen[s] = true
		f(s)
		for _, ref := range slices.Concat(branches(s), parts(s)) {
			if ref != nil {
				pending = append(pending, ref.Value)
			}
		}
	}
}

// localRefs gives every reference that is not a name of one schema a name that
// is. The 3.1 engine knows references by name alone: it would take a schema of
// the main file for one of the same name in another file, and judge nothing of a
// schema that it cannot find.
func localRefs(roots []*openapi3.Schema) {
	const local = "#/components/schemas/"
	owner := map[string]*openapi3.Schema{}
	name := map[*openapi3.Schema]string{}
	rename := func(ref *openapi3.SchemaRef) string {
		if n, ok := name[ref.Value]; ok {
			return n
		}
		n := ref.Ref
		if len(n) < len(local) || n[:len(local)] != local || owner[n] != nil {
			for i := len(owner); ; i++ {
				if n = local + "-" + strconv.Itoa(i); owner[n] == nil {
					break
				}
			}
		}
		owner[n], name[ref.Value] = ref.Value, n
		return n
	}
	eachSchema(roots, func(s *openapi3.Schema) {
		renamed := map[string]string{}
		for _, ref := range slices.Concat(branches(s), parts(s)) {
			if ref != nil && ref.Ref != "" && ref.Value != nil {
				n := rename(ref)
				renamed[ref.Ref], ref.Ref = n, n
			}
		}
		if s.Discriminator == nil {
			return
		}
		for value, target := range s.Discriminator.Mapping {
			if n, ok := renamed[target.Ref]; ok {
				target.Ref = n
				s.Discriminator.Mapping[value] = target
			}
		}
	})
}

// optionalForeign takes the properties that belong to the other direction off the
// lists of required ones: readOnly ones are required of answers only, writeOnly
// ones of requests only (OpenAPI 3.0.4, 4.7.24.3). One engine knows that, the other
// does not. A list and a property belong together if some schema joins them by
// allOf.
func (f *family) optionalForeign(roots []*openapi3.Schema) {
	eachSchema(roots, func(s *openapi3.Schema) {
		group := f.of(s)
		for _, m := range group {
			if !m.certain || len(m.schema.Required) == 0 {
				continue
			}
			m.schema.Required = slices.DeleteFunc(slices.Clone(m.schema.Required), func(name string) bool {
				return f.foreign(group, name)
			})
		}
	})
}
