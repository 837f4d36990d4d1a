package openapi

import (
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/sidewarden/sidewarden/policy"
)

// query is what an operation says of the query as a whole: the names that there may
// be.
type query struct {
	names map[string]bool
	// nested are the parameters whose members are query parameters.
	nested []*parameter
}

// prepare makes the parameters ready to be judged, once the schemas are compiled.
// Known are the query parameters that are declared elsewhere.
func (j *Judge) prepare(known []string) {
	j.query = &query{names: map[string]bool{}}
	for _, name := range known {
		j.query.names[name] = true
	}
	for i := range j.parameters {
		p := &j.parameters[i]
		p.learn()
		switch {
		case p.in != openapi3.ParameterInQuery:
		case p.nested:
			p.query = j.query
			j.query.nested = append(j.query.nested, p)
		default:
			j.query.names[p.name] = true
		}
	}
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

// others reports whether another parameter than p declares the name.
func (q *query) others(p *parameter, name string) bool {
	if q.names[name] {
		return true
	}
	for _, other := range q.nested {
		if other == p {
			continue
		}
		if _, is := other.declared(name); is {
			return true
		}
	}
	return false
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
		if len(raw) < 2 || unhex(raw[0]) < 0 || unhex(raw[1]) < 0 {
			return false
		}
		raw = raw[2:]
	}
}
