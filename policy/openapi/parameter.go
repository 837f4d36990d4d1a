package openapi

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// parameter is one declared parameter: where its text is, how the text is read,
// and the schema that judges it.
type parameter struct {
	at         schema.Place // its object, which is no reference
	in, name   string
	label      string // such as "query.limit"
	header     string // canonical
	required   bool
	allowEmpty bool
	document   bool           // the text is a JSON document
	opaque     bool           // the text has a media type that is not judged, and a schema that says something
	schema     *schema.Schema // nil if there is nothing to judge
	style      style

	// What follows is learned from the compiled schema.

	forms schema.Forms
	types schema.Types
	// scalar reports that the value is neither array nor object.
	scalar bool
	// repeats reports that the schema says so little that several texts are an array.
	repeats bool
	// nested reports that members of the value are query parameters of their own:
	// under their own names, or in brackets behind that of the parameter.
	nested bool
	kinds  kinds // of a scalar
	// items are what each of the first items of an array can be, members what the
	// declared members of an object can be.
	items   []kinds
	members map[string]kinds
	// lists are the declared members that can be an array, of deepObject.
	lists map[string]schema.Forms
	// unlisted is what any other member can be, and open whether there may be one. If
	// patterned, that depends on its name.
	unlisted        kinds
	open, patterned bool
	// query is what the operation declares beside it, if members of the value are
	// query parameters.
	query *query
}

// newParameter returns the parameter whose object is at a place, which is no
// reference. It is not ready before [parameter.learn], after the compiler has ended.
func newParameter(p *openapi3.Parameter, at schema.Place, c *schema.Compiler) (parameter, error) {
	made := parameter{
		at: at, in: p.In, name: p.Name, label: p.In + "." + p.Name, header: http.CanonicalHeaderKey(p.Name),
		required: p.Required, allowEmpty: p.AllowEmptyValue,
	}
	for key, content := range p.Content { // exactly one, as the document was validated
		made.document = policy.IsJSON(mediaName(key))
		if content != nil && content.Schema != nil {
			made.opaque = !made.document
			made.schema = c.Schema(at.Child("content", key, "schema"))
		}
	}
	if p.Content != nil {
		return made, nil
	}
	method, err := p.SerializationMethod()
	if err != nil {
		return parameter{}, errors.New("has no style that is known")
	}
	made.style = newStyle(p.In, p.Name, method)
	if p.Schema != nil {
		made.schema = c.Schema(at.Child("schema"))
	}
	return made, nil
}

// learn takes from the compiled schema what values the text can mean.
func (p *parameter) learn() {
	if p.schema == nil || p.document {
		return
	}
	if p.opaque {
		l, ok := p.schema.Unread()
		p.opaque, p.schema = !ok || l != schema.Length{Min: 0, Max: -1}, nil
		return
	}
	p.forms = p.schema.Forms()
	p.types = p.forms.Types()
	p.kinds = kindsOf(p.types)
	p.scalar = !p.types.Object && !p.types.Array
	p.repeats = p.scalar && p.style.name == styleForm && p.style.repeats && p.forms.Repeats()
	p.nested = p.style.name == styleDeep ||
		p.style.name == styleForm && p.style.explode && p.in == openapi3.ParameterInQuery && p.types.Object && !p.types.String
	if p.types.Array || p.repeats {
		for i := range p.forms.Prefix() + 1 { // the last is what all others can be
			p.items = append(p.items, kindsOf(p.forms.Item(i).Types()))
		}
	}
	if p.types.Object {
		p.members = map[string]kinds{}
		for _, name := range p.forms.Names() {
			inner, _ := p.forms.Property(name)
			p.members[name] = kindsOf(inner.Types())
			if p.style.name == styleDeep && inner.Types().Array {
				if p.lists == nil {
					p.lists = map[string]schema.Forms{}
				}
				p.lists[name] = inner
			}
		}
		types, standing, same := p.forms.Unlisted()
		p.unlisted, p.open, p.patterned = kindsOf(types), standing == schema.Openly, !same
	}
}

// spread reports whether the members of the value are query parameters under their
// own names.
func (p *parameter) spread() bool { return p.nested && p.style.name == styleForm }

// item returns what the item i of an array can be.
func (p *parameter) item(i int) kinds {
	return p.items[min(i, len(p.items)-1)]
}

// member returns what the member of an object can be.
func (p *parameter) member(name string) kinds {
	if known, ok := p.members[name]; ok {
		return known
	}
	if !p.patterned {
		return p.unlisted
	}
	types, _ := p.forms.Member(name)
	return kindsOf(types)
}

// inner returns which member of the parameter a query parameter is, and whether it is
// one: one that the object declares or, if the object is open, one that nothing
// declares, nor anything by a name that is like it.
func (p *parameter) inner(name string) (string, bool) {
	member, is := p.declared(name)
	switch {
	case is || p.style.name == styleDeep:
		return member, is
	case !p.patterned:
		return name, p.open && !p.query.claims(name)
	case p.query.claims(name):
		return name, false
	}
	_, standing := p.forms.Member(name)
	return name, standing == schema.Openly
}

// declared returns which member a query parameter is by what the contract says of
// its name. Of deepObject it is what follows the opening bracket.
func (p *parameter) declared(name string) (member string, is bool) {
	if p.style.name == styleDeep {
		rest, found := strings.CutPrefix(name, p.name)
		if member, is = strings.CutPrefix(rest, "["); found && is {
			return member, true
		}
		return "", false
	}
	_, is = p.members[name]
	return name, is
}

// single returns the first text that the request has for the parameter, and how
// many there are.
func (p *parameter) single(r *policy.Request) (first string, n int) {
	take := func(text string) {
		if n++; n == 1 {
			first = text
		}
	}
	switch p.in {
	case openapi3.ParameterInPath:
		for i := range r.Match.Params {
			if r.Match.Params[i].Name == p.name {
				take(r.Match.Params[i].Value)
			}
		}
	case openapi3.ParameterInQuery:
		for i := range r.Query {
			if r.Query[i].Name == p.name {
				take(r.Query[i].Value)
			}
		}
	case openapi3.ParameterInHeader:
		if values := r.Header[p.header]; len(values) > 0 {
			return values[0], len(values)
		}
	case openapi3.ParameterInCookie:
		for _, line := range r.Header["Cookie"] {
			for pair := range strings.SplitSeq(line, ";") {
				if name, value, _ := strings.Cut(pair, "="); trimmed(name) == p.name {
					take(unquoted(trimmed(value)))
				}
			}
		}
	}
	return first, n
}

// trimmed takes off the white space of a header field (RFC 9110, 5.6.3).
func trimmed(s string) string { return strings.Trim(s, " \t") }

// unquoted takes off the quotes around the value of a cookie (RFC 6265, 4.1.1), as
// most servers do.
func unquoted(s string) string {
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// reading judges the parameters of one request.
type reading struct {
	request *policy.Request
	run     *schema.Run    // nil: no schema judges the document that is read
	text    []byte         // of the last token
	strange bool           // a text is no UTF-8
	verdict policy.Verdict // on what does not pass
	deny    bool           // members of documents that no schema declares
	// stranger is the label of the first parameter that has a member which no schema
	// declares.
	stranger string
}

// judgeParameters judges the declared parameters of a request, in the order of the
// contract, by r.Match.Params, r.Query and r.Header. It permits, or returns the
// first denial, or that a parameter cannot be judged. Stranger is the label of the first
// that has a member which no schema declares.
func (j *Judge) judgeParameters(r *policy.Request, run *schema.Run) (verdict policy.Verdict, stranger string) {
	if j.cookies && !j.cookiesPlain(r) {
		return policy.Denied(policy.ParameterInvalid, "cookie encoding"), ""
	}
	verdict = policy.Permitted()
	rd := reading{request: r, run: run, deny: j.deny}
	for i := range j.parameters {
		if rd.passes(&j.parameters[i]) {
			continue
		}
		if verdict = rd.verdict; verdict.Effect == policy.Deny {
			break
		}
	}
	return verdict, rd.stranger
}

// passes judges one parameter of the request; the verdict is on one that does not
// pass.
func (rd *reading) passes(p *parameter) bool {
	text, n := p.single(rd.request)
	members := p.nested && rd.hasMember(p)
	if p.spread() && (members || !p.types.Array && p.kinds == 0) {
		n = 0 // a query parameter of its name is a member, or none of it
	}
	switch {
	case n == 0 && !members:
		if p.required {
			rd.verdict = policy.Denied(policy.ParameterMissing, p.label)
		}
		return !p.required
	case p.opaque:
		rd.verdict = unsupported(p.label)
		return false
	case p.schema == nil && !p.document:
		return true
	case p.allowEmpty && n == 1 && text == "" && !members:
		return true
	case p.document:
		return rd.document(p, text, n)
	case p.repeats && n > 1:
		return rd.read(p, rd.array(p, text, n))
	case p.scalar:
		return rd.scalar(p, text, n)
	}
	return rd.compound(p, text, n, members)
}

func (rd *reading) hasMember(p *parameter) bool {
	for i := range rd.request.Query {
		if _, ok := p.inner(rd.request.Query[i].Name); ok {
			return true
		}
	}
	return false
}

// invalid denies a parameter for a word; the place is that in its value.
func (rd *reading) invalid(p *parameter, place, word string) bool {
	rd.verdict = policy.Denied(policy.ParameterInvalid, p.label+place+" "+word)
	return false
}

// scalar judges a text by each value that it can mean, the likeliest first.
func (rd *reading) scalar(p *parameter, text string, n int) bool {
	if n > 1 {
		return rd.invalid(p, "", "repeated")
	}
	text, ok := p.style.value(text)
	if !ok {
		return rd.invalid(p, "", "style")
	}
	var first policy.Verdict
	meanings, count := p.kinds.meanings(text)
	for i, kind := range meanings[:count] {
		rd.run.Begin(p.schema)
		rd.visit(kind, text)
		if rd.judged(p) {
			return true
		}
		if i == 0 {
			first = rd.verdict
		}
	}
	rd.verdict = first
	return false
}

// compound judges what may be an object or an array, or a scalar if neither fits. The
// first of these that may be is the one whose fault is told.
func (rd *reading) compound(p *parameter, text string, n int, members bool) bool {
	tries := [...]func() bool{
		func() bool { return rd.read(p, rd.object(p, text, n, members)) },
		func() bool { return rd.read(p, rd.array(p, text, n)) },
		func() bool { return rd.scalar(p, text, n) },
	}
	var first policy.Verdict
	for i, may := range [...]bool{p.types.Object && (members || !p.spread()), p.types.Array && !members, p.kinds != 0 && !members} {
		if !may {
			continue
		}
		if tries[i]() {
			return true
		}
		if first.Reason == "" {
			first = rd.verdict
		}
	}
	rd.verdict = first
	return false
}

// read judges a value that was read, or denies it for the word that says why it cannot
// be.
func (rd *reading) read(p *parameter, word string) bool {
	if word != "" {
		rd.strange = false
		return rd.invalid(p, "", word)
	}
	return rd.judged(p)
}

// judged judges the value whose tokens were visited.
func (rd *reading) judged(p *parameter) bool {
	if rd.strange {
		rd.strange = false
		return rd.invalid(p, "", "encoding")
	}
	if fault, failed := rd.run.Fault(); failed {
		return rd.invalid(p, fault.Pointer, fault.Keyword)
	}
	at, found := rd.run.Stranger()
	switch {
	case !found:
	case !p.document:
		rd.stranger = cmp.Or(rd.stranger, p.label)
	case rd.deny:
		rd.verdict = policy.Denied(policy.UndeclaredProperty, p.label+at)
		return false
	}
	return true
}

// mark visits a token without text.
func (rd *reading) mark(kind jsontext.Kind) { rd.token(kind, nil) }

// token visits a token with its text.
func (rd *reading) token(kind jsontext.Kind, text []byte) {
	if rd.run != nil {
		rd.run.Visit(kind, text)
	}
}
