package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sidewarden/sidewarden/policy"
)

// parameter is one declared parameter: where its text is, how the text is read,
// and the schema that judges it.
type parameter struct {
	in, name   string
	header     string // canonical
	required   bool
	allowEmpty bool
	style      string
	explode    bool
	document   bool             // the text is a JSON document
	opaque     bool             // the text has a media type that is not judged
	schema     *openapi3.Schema // nil if there is nothing to judge
}

func newParameter(p *openapi3.Parameter) (parameter, error) {
	made := parameter{
		in: p.In, name: p.Name, header: http.CanonicalHeaderKey(p.Name),
		required: p.Required, allowEmpty: p.AllowEmptyValue,
	}
	for key, content := range p.Content { // exactly one, as the document was validated
		made.document = isJSON(mediaName(key))
		if content != nil && content.Schema != nil {
			made.schema, made.opaque = content.Schema.Value, !made.document
		}
	}
	if p.Content != nil {
		return made, nil
	}
	method, err := p.SerializationMethod()
	if err != nil {
		return parameter{}, errors.New("has no style that is known")
	}
	made.style, made.explode = method.Style, method.Explode
	if p.Schema != nil {
		made.schema = p.Schema.Value
	}
	return made, nil
}

func (p *parameter) label() string { return p.in + "." + p.name }

// parameter judges one parameter of the request.
func (j *Judge) parameter(r *policy.Request, p *parameter) policy.Verdict {
	invalid := func(why string) policy.Verdict {
		return policy.Denied(policy.ParameterInvalid, p.label()+" "+why)
	}
	var fs forms
	if p.schema != nil {
		fs = j.family.of(p.schema)
	}
	texts, pairs := p.texts(r, fs)
	switch {
	case len(texts) == 0 && len(pairs) == 0:
		if p.required {
			return policy.Denied(policy.ParameterMissing, p.label())
		}
		return policy.Permitted()
	case p.schema == nil:
		return policy.Permitted()
	case p.opaque:
		return policy.Undecided(policy.SchemaUnsupported, nil)
	case p.allowEmpty && len(texts) == 1 && texts[0] == "":
		return policy.Permitted()
	}
	s := &subject{schema: p.schema, parameter: true, name: p.label()}
	if p.document {
		if len(texts) > 1 {
			return invalid("repeated")
		}
		value, ok := decodeJSON(texts[0])
		if !ok {
			return invalid("json")
		}
		return j.document(s, value)
	}
	values, why := (&reading{family: j.family, parameter: p, forms: fs}).values(texts, pairs)
	if why != "" {
		return invalid(why)
	}
	var first policy.Verdict
	for i, value := range values {
		v := j.document(s, value)
		if v.Effect != policy.Deny {
			return v
		}
		if i == 0 {
			first = v
		}
	}
	return first
}

// texts returns what the request has for the parameter: its texts or, for an
// object whose members are parameters of the query themselves, its members.
func (p *parameter) texts(r *policy.Request, fs forms) (texts []string, members []policy.Pair) {
	switch p.in {
	case openapi3.ParameterInPath:
		for _, pair := range r.Match.Params {
			if pair.Name == p.name {
				texts = append(texts, pair.Value)
			}
		}
	case openapi3.ParameterInHeader:
		texts = r.Header[p.header]
	case openapi3.ParameterInCookie:
		for _, c := range (&http.Request{Header: r.Header}).CookiesNamed(p.name) {
			texts = append(texts, c.Value)
		}
	case openapi3.ParameterInQuery:
		for _, pair := range r.Query {
			switch name, ok := p.member(pair.Name, fs); {
			case ok:
				members = append(members, policy.Pair{Name: name, Value: pair.Value})
			case pair.Name == p.name && !p.spread(fs):
				texts = append(texts, pair.Value)
			}
		}
	}
	return texts, members
}

// spread reports whether the members of the parameter are query parameters
// themselves, under their own names.
func (p *parameter) spread(fs forms) bool {
	return p.style == openapi3.SerializationForm && p.explode && p.in == openapi3.ParameterInQuery &&
		!p.document && fs.may("object") && !fs.may("string")
}

// member returns which member of the parameter a query parameter is. Of
// deepObject it is what follows the opening bracket.
func (p *parameter) member(name string, fs forms) (string, bool) {
	if p.style == openapi3.SerializationDeepObject {
		return strings.CutPrefix(name, p.name+"[")
	}
	return name, p.spread(fs) && slices.ContainsFunc(fs, func(at form) bool {
		return at.schema.Properties[name] != nil
	})
}

// decodeJSON decodes a document strictly: no duplicate member, no bad UTF-8, no
// second value, and not deeper than is judged.
func decodeJSON(text string) (any, bool) {
	if strings.Count(text, "[")+strings.Count(text, "{") > maxDepth && nesting(text) > maxDepth {
		return nil, false
	}
	if !jsontext.Value(text).IsValid() {
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	var value any
	return value, decoder.Decode(&value) == nil
}

// nesting returns how deep brackets are nested, strings not told apart.
func nesting(text string) int {
	depth, most := 0, 0
	for i := range len(text) {
		switch text[i] {
		case '[', '{':
			depth++
			most = max(most, depth)
		case ']', '}':
			depth--
		}
	}
	return most
}

// may reports whether a form names the type.
func (fs forms) may(name string) bool {
	return slices.ContainsFunc(fs, func(at form) bool { return slices.Contains(at.schema.Type.Slice(), name) })
}
