package openapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/sidewarden/sidewarden/policy"
)

// Judge judges the parameters and the body of one operation against the
// contract. It is immutable and safe for concurrent use.
type Judge struct {
	family     *family
	engine     *engine
	deny       bool // properties that no schema declares
	parameters []parameter

	bodyDeclared, bodyRequired bool
	media                      []media // exact types first
}

// Why a value is not judged although it has a schema.
var (
	errCostly = errors.New("the value would be visited too often: its schema is recursive and has branches")
	errDeep   = errors.New("the value is nested too deep to be judged")
	errNumber = errors.New("a number is too long, or its exponent too large, to be judged")
)

// Judge returns the verdict of in.schema on a request of the operation: first
// that of the parameters, by r.Match.Params, r.Query and r.Header, then that of
// the body.
//
// Present says whether there is a body, mediaType what it is (RFC 9110, 8.3.1;
// parameters are ignored), and value is the JSON document, decoded strictly:
// nil, bool, [encoding/json.Number], string, []any or map[string]any. Of a body
// that is not JSON, value is ignored: it permits if no schema or only
// "type: string" describes it, else it is undecided with reason
// schema-unsupported. A body or media type that the operation does not declare
// is left undecided by in.ctype, which denies it.
//
// Judge changes neither r nor value. A denial's detail is the place, up to the
// last declared name, and the keyword.
func (j *Judge) Judge(r *policy.Request, mediaType string, value any, present bool) (v policy.Verdict) {
	defer func() {
		// The library has panicked on hostile values before.
		if p := recover(); p != nil {
			v = policy.Undecided(policy.InternalError, fmt.Errorf("the judge of the contract panicked: %T", p))
		}
	}()
	undecided := policy.Permitted()
	for i := range j.parameters {
		switch v := j.parameter(r, &j.parameters[i]); v.Effect {
		case policy.Deny:
			return v
		case policy.Indeterminate:
			undecided = v
		case policy.Permit, policy.NotApplicable:
		}
	}
	v = j.body(mediaType, value, present)
	if v.Effect == policy.Permit {
		return undecided
	}
	return v
}

func (j *Judge) body(mediaType string, value any, present bool) policy.Verdict {
	switch {
	case !present && j.bodyRequired:
		return policy.Denied(policy.BodyRequired, "")
	case !present:
		return policy.Permitted()
	case !j.bodyDeclared:
		return policy.UndecidedBy(policy.InCtype)
	}
	name := mediaName(mediaType)
	for _, m := range j.media {
		if !m.covers(name) {
			continue
		}
		s := m.schema
		switch {
		case s == nil:
			return policy.Permitted()
		case isJSON(name):
			return j.document(&subject{schema: s}, value)
		case s.Type.Is("string"):
			return policy.Permitted()
		default:
			return policy.Undecided(policy.SchemaUnsupported, nil)
		}
	}
	return policy.UndecidedBy(policy.InCtype)
}

// document judges a value by a schema: the guards first, then the engine, then
// the properties that no schema declares.
func (j *Judge) document(s *subject, value any) policy.Verdict {
	w := walk{family: j.family}
	w.visit(value, j.family.of(s.schema))
	switch {
	case w.err != nil:
		return policy.Undecided(policy.SchemaUnsupported, w.err)
	case w.fault != nil:
		return s.denied(w.fault.tokens, w.fault.keyword)
	}
	if j.engine.costly[s.schema] {
		b := budget{left: visitsPerValue + visitsPerNode*w.nodes}
		if !b.spend(s.schema, value, nil) {
			return policy.Undecided(policy.SchemaUnsupported, errCostly)
		}
	}
	if f, failed := j.engine.judge(s.schema, value); failed {
		tokens, at := j.family.declaredPrefix(j.family.of(s.schema), value, f)
		if (f.keyword == "oneOf" || f.keyword == "anyOf") && at.closes() && w.strangerAt(tokens) {
			f.keyword = "additionalProperties"
		}
		return s.denied(tokens, f.keyword)
	}
	if j.deny && !s.parameter && len(w.strangers) > 0 {
		return policy.Denied(policy.UndeclaredProperty, pointer(w.strangers[0]...))
	}
	return policy.Permitted()
}

// maxDepth bounds the nesting of a value. Payload has a limit of its own, which
// is configured and lower.
const maxDepth = 256

// declaredPrefix returns the place of a fault up to the last declared name, with
// "*" for the index of an array, and the forms of that place.
func (f *family) declaredPrefix(fs forms, value any, at fault) ([]string, forms) {
	var place []string
	for i, token := range at.tokens {
		switch v := value.(type) {
		case []any:
			n := index10(token, len(v))
			if n < 0 {
				return place, fs
			}
			value, fs, place = v[n], f.item(fs, n), append(place, "*")
		case map[string]any:
			inner, state := f.property(fs, token)
			if state != declared {
				if at.keyword == "required" && i == len(at.tokens)-1 && fs.requires(token) {
					return append(place, token), nil
				}
				return place, fs
			}
			value, fs, place = v[token], inner, append(place, token)
		default:
			return place, fs
		}
	}
	return place, fs
}

// index10 is the index that the token names in an array of n items, or -1.
func index10(token string, n int) int {
	i := 0
	for j := range len(token) {
		if i = i*10 + int(token[j]-'0'); !digit(token[j]) || i >= n {
			return -1
		}
	}
	if token == "" {
		return -1
	}
	return i
}

// requires reports whether a form lists the property as required.
func (fs forms) requires(name string) bool {
	for _, at := range fs {
		if slices.Contains(at.schema.Required, name) {
			return true
		}
	}
	return false
}

// subject is what a value is: a body, or the parameter of a name.
type subject struct {
	schema    *openapi3.Schema
	parameter bool
	name      string // such as "query.limit"
}

// denied is the verdict on a fault.
func (s *subject) denied(tokens []string, keyword string) policy.Verdict {
	reason := policy.SchemaMismatch
	if s.parameter {
		reason = policy.ParameterInvalid
	}
	return policy.Denied(reason, strings.TrimSpace(s.name+pointer(tokens...)+" "+keyword))
}
