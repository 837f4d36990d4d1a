package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// maxDepth bounds the nesting of a JSON document in a parameter.
const maxDepth = 256

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
	schema     *schema.Schema   // nil if there is nothing to judge
}

// parameter takes a parameter, which is declared at a place.
func (b *builder) parameter(p *openapi3.Parameter, at schema.Place) (parameter, error) {
	made := parameter{
		in: p.In, name: p.Name, header: http.CanonicalHeaderKey(p.Name),
		required: p.Required, allowEmpty: p.AllowEmptyValue,
	}
	for key := range p.Content { // exactly one, as the document was validated
		content, ok := b.places.child(at, "content", key)
		if !ok {
			return parameter{}, errors.New(lost)
		}
		made.document = isJSON(mediaName(key))
		if made.document {
			made.schema = b.compiled(b.requests, content)
		} else {
			made.opaque = b.places.has(content, "schema")
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
	made.schema = b.compiled(b.requests, at)
	return made, nil
}

func (p *parameter) label() string { return p.in + "." + p.name }

// judgeParameters judges the parameters of a request.
func (j *Judge) judgeParameters(r *policy.Request, run *schema.Run) policy.Verdict {
	undecided := policy.Permitted()
	for i := range j.parameters {
		switch v := j.parameter(r, run, &j.parameters[i]); v.Effect {
		case policy.Deny:
			return v
		case policy.Indeterminate:
			undecided = v
		case policy.Permit, policy.NotApplicable:
		}
	}
	return undecided
}

// parameter judges one parameter of the request.
func (j *Judge) parameter(r *policy.Request, run *schema.Run, p *parameter) policy.Verdict {
	invalid := func(why string) policy.Verdict {
		return policy.Denied(policy.ParameterInvalid, p.label()+" "+why)
	}
	var fs schema.Forms
	if p.schema != nil {
		fs = p.schema.Forms()
	}
	texts, pairs := p.texts(r, fs)
	switch {
	case len(texts) == 0 && len(pairs) == 0:
		if p.required {
			return policy.Denied(policy.ParameterMissing, p.label())
		}
		return policy.Permitted()
	case p.opaque:
		return policy.Undecided(policy.SchemaUnsupported, nil)
	case p.schema == nil:
		return policy.Permitted()
	case p.allowEmpty && len(texts) == 1 && texts[0] == "":
		return policy.Permitted()
	}
	if p.document {
		if len(texts) > 1 {
			return invalid("repeated")
		}
		value, ok := decodeJSON(texts[0])
		if !ok {
			return invalid("json")
		}
		return p.judge(run, value)
	}
	values, why := (&reading{parameter: p, forms: fs}).values(texts, pairs)
	if why != "" {
		return invalid(why)
	}
	var first policy.Verdict
	for i, value := range values {
		v := p.judge(run, value)
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
func (p *parameter) texts(r *policy.Request, fs schema.Forms) (texts []string, members []policy.Pair) {
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
func (p *parameter) spread(fs schema.Forms) bool {
	return p.style == openapi3.SerializationForm && p.explode && p.in == openapi3.ParameterInQuery &&
		!p.document && fs.Types().Object && !fs.Types().String
}

// member returns which member of the parameter a query parameter is. Of
// deepObject it is what follows the opening bracket.
func (p *parameter) member(name string, fs schema.Forms) (string, bool) {
	if p.style == openapi3.SerializationDeepObject {
		return strings.CutPrefix(name, p.name+"[")
	}
	if !p.spread(fs) {
		return name, false
	}
	_, standing := fs.Property(name)
	return name, standing == schema.Declared
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

// judge judges a value of the parameter.
func (p *parameter) judge(run *schema.Run, value any) policy.Verdict {
	run.Begin(p.schema)
	visit(run, value)
	if f, failed := run.Fault(); failed {
		return policy.Denied(policy.ParameterInvalid, p.label()+f.Pointer+" "+f.Keyword)
	}
	return policy.Permitted()
}

// visit tells a value to what judges it.
func visit(run *schema.Run, value any) {
	switch value := value.(type) {
	case nil:
		run.Visit(jsontext.KindNull, nil)
	case bool:
		kind := jsontext.KindFalse
		if value {
			kind = jsontext.KindTrue
		}
		run.Visit(kind, nil)
	case string:
		run.Visit(jsontext.KindString, []byte(value))
	case json.Number:
		run.Visit(jsontext.KindNumber, []byte(value))
	case []any:
		run.Visit(jsontext.KindBeginArray, nil)
		for _, item := range value {
			visit(run, item)
		}
		run.Visit(jsontext.KindEndArray, nil)
	case map[string]any:
		run.Visit(jsontext.KindBeginObject, nil)
		for _, name := range sortedKeys(value) {
			run.Visit(jsontext.KindString, []byte(name))
			visit(run, value[name])
		}
		run.Visit(jsontext.KindEndObject, nil)
	}
}
