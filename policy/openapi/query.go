package openapi

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/sidewarden/sidewarden/policy"
)

// query is what an operation says of the query as a whole: the names that there may
// be.
type query struct {
	names map[string]bool
	// likes are the names that something declares, as [like] returns them.
	likes map[string]bool
	// nested are the parameters whose members are query parameters.
	nested []*parameter
}

// prepare makes the parameters ready to be judged, once the schemas are compiled.
// Known are the query parameters that are declared elsewhere.
func (j *Judge) prepare(known []string) {
	j.query = &query{names: map[string]bool{}, likes: map[string]bool{}}
	for _, name := range known {
		j.query.declare(name)
	}
	for i := range j.parameters {
		p := &j.parameters[i]
		p.learn()
		switch {
		case p.in == openapi3.ParameterInCookie:
			j.cookies = true
		case p.in != openapi3.ParameterInQuery:
		case p.nested:
			j.query.nest(p)
		default:
			j.query.declare(p.name)
		}
	}
}

// declare lets the query have a parameter.
func (q *query) declare(name string) {
	q.names[name], q.likes[like(name)] = true, true
}

// nest lets the query have the members of a parameter.
func (q *query) nest(p *parameter) {
	p.query = q
	q.nested = append(q.nested, p)
	if p.style.name == styleDeep {
		q.likes[like(p.name)] = true
		return
	}
	for name := range p.members {
		q.likes[like(name)] = true
	}
}

// defaultMaxQuery is how many query parameters are judged if nothing else is said.
const defaultMaxQuery = 1000

// crowded denies a query of more parameters than are judged. It comes before anything
// that each of them costs.
func (j *Judge) crowded(r *policy.Request) (v policy.Verdict, is bool) {
	if len(r.Query) <= j.maxQuery {
		return policy.Verdict{}, false
	}
	return policy.Denied(policy.ParameterTooMany, openapi3.ParameterInQuery+" limit "+strconv.Itoa(j.maxQuery)), true
}

// undeclared judges the query as a whole, by r.RawQuery and r.Query: its escapes can
// be decoded, and the contract declares each of its parameters by name, case
// counts. It comes last: who reports such a query and does not deny it must not
// miss another reason to deny the request. Names are the client's, so that no detail has
// one.
func (j *Judge) undeclared(r *policy.Request) policy.Verdict {
	if r.RawQuery == "" && len(r.Query) == 0 {
		return policy.Permitted()
	}
	if !decodes(r.RawQuery) {
		return policy.Denied(policy.ParameterEscape, openapi3.ParameterInQuery)
	}
	for i := range r.Query {
		if !j.query.has(r.Query[i].Name) {
			return policy.Denied(policy.ParameterUndeclared, openapi3.ParameterInQuery)
		}
	}
	return policy.Permitted()
}

func (q *query) has(name string) bool {
	if q.names[name] {
		return true
	}
	for _, p := range q.nested {
		if _, member := p.inner(name); member {
			return true
		}
	}
	return false
}

// claims reports whether something declares the name, or one that is like it. No such
// name is a member of an object that is open: where it stands beside the declared one,
// some servers read it in its place.
func (q *query) claims(name string) bool { return q.names[name] || q.likes[like(name)] }

// like returns what a name has in common with all that some servers read as the same: they
// fold case, trim, cut at a bracket or a NUL, and take dots and white space for low lines.
func like(name string) string {
	if i := strings.IndexAny(name, "[\x00"); i >= 0 {
		name = name[:i]
	}
	return strings.Map(func(r rune) rune {
		if r == '.' || unicode.IsSpace(r) {
			return '_'
		}
		return fold(r)
	}, strings.TrimFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }))
}

// fold returns the first of the characters that differ in case alone.
func fold(r rune) rune {
	first := r
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		first = min(first, other)
	}
	return first
}

// decodes reports whether every percent sign begins an escape (RFC 3986, 2.1). A
// server that meets another one refuses it, drops the parameter or takes the sign
// for itself: nobody can say which.
func decodes(raw string) bool {
	for {
		i := strings.IndexByte(raw, '%')
		if i < 0 {
			return true
		}
		raw = raw[i+1:]
		if len(raw) < 2 || policy.Unhex(raw[0]) < 0 || policy.Unhex(raw[1]) < 0 {
			return false
		}
		raw = raw[2:]
	}
}
