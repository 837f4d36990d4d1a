package openapi

import (
	"iter"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// formBody judges the forms of one declared media type: bodies that are a list of named
// texts, of which the schema says what object they are (OpenAPI 3.0.4, 4.7.15). It is
// immutable.
type formBody struct {
	schema *schema.Schema
	fields map[string]*formField
	// deep are the properties whose members are fields named "property[member]"
	// (deepObject), spread those whose members are fields under their own names; both
	// are sorted.
	deep, spread []string
}

// formField is what the contract says of how a property is written.
type formField struct {
	style      string // "" if none is given: then it is text, or a document
	explode    bool
	mediaTypes []media // declared types of the part, or of the text
	binary     bool    // a value, or each item of it, is bytes (OpenAPI 3.0.4, 4.7.14.6)
}

// isForm reports whether bodies of the type are forms that can be judged, if payload
// finds fields in them.
func isForm(name string) bool {
	return name == "application/x-www-form-urlencoded" || strings.HasPrefix(name, "multipart/")
}

// newFormBody returns the judge of forms by a media type of the contract and its compiled schema,
// and notes of what it says of them and nobody judges.
func newFormBody(m *openapi3.MediaType, s *schema.Schema) (f *formBody, notes []string) {
	f = &formBody{schema: s, fields: map[string]*formField{}}
	for _, name := range sortedKeys(m.Encoding) {
		if e := m.Encoding[name]; e != nil {
			notes = append(notes, f.encode(name, e)...)
		}
	}
	return f, notes
}

// encode takes an Encoding Object. By a style a value is written only where one of the fields
// that belong to it is there; else by a media type (OpenAPI 3.0.4, 4.7.15.1.2).
func (f *formBody) encode(name string, e *openapi3.Encoding) (notes []string) {
	field := f.fields[name]
	if field == nil {
		field = &formField{}
		f.fields[name] = field
	}
	if len(e.Headers) > 0 {
		notes = append(notes, "headers of the parts of "+bounded(name)+" are not judged")
	}
	if e.Style == "" && e.Explode == nil && !e.AllowReserved {
		for key := range strings.SplitSeq(e.ContentType, ",") {
			if key = mediaName(key); key != "" {
				field.mediaTypes = append(field.mediaTypes, media{name: key})
			}
		}
		return notes
	}
	field.style = e.Style
	if field.style == "" {
		field.style = openapi3.SerializationForm
	}
	field.explode = field.style == openapi3.SerializationForm
	if e.Explode != nil {
		field.explode = *e.Explode
	}
	switch {
	case field.style == openapi3.SerializationDeepObject:
		f.deep = append(f.deep, name)
	case field.style == openapi3.SerializationForm && field.explode:
		f.spread = append(f.spread, name)
	}
	return notes
}

// maxReadings bounds how often a form is judged, each time with another reading of
// what its texts may mean.
const maxReadings = 8

// judge tells the run the object that the tokens of a form are. It returns a verdict
// and true where the form cannot be that of the schema; else what there is to say is what the run
// says after it. Of a multipart body of other parts there is nothing to read.
func (f *formBody) judge(run *schema.Run, mediaType string, tokens iter.Seq2[jsontext.Kind, []byte]) (v policy.Verdict, decided bool) {
	g := gathering{formBody: f, forms: f.schema.Forms(), urlencoded: mediaType == "application/x-www-form-urlencoded"}
	if !g.gather(tokens) {
		return unsupported(""), true
	}
	for _, e := range g.entries {
		switch why := g.read(e); {
		case e.opaque && why == "":
			v, decided = unsupported(g.place(e)), true
		case why != "":
			return policy.Denied(policy.SchemaMismatch, strings.TrimSpace(g.place(e)+" "+why)), true
		}
	}
	if decided {
		return v, true
	}
	for range maxReadings {
		g.play(run, f.schema)
		at, failed := run.Fault()
		if !failed {
			return policy.Verdict{}, false
		}
		if !g.advance(at.Pointer) {
			break
		}
	}
	for _, e := range g.entries { // the fault that counts is that of the likeliest reading
		e.at = 0
	}
	g.play(run, f.schema)
	return policy.Verdict{}, false
}

// place is that of an entry, as far as the contract declares it.
func (g *gathering) place(e *entry) string {
	if e.standing != schema.Declared {
		return ""
	}
	return pointer(e.name)
}

// play tells the run the object by the readings that are chosen.
func (g *gathering) play(run *schema.Run, s *schema.Schema) {
	run.Begin(s)
	run.Visit(jsontext.KindBeginObject, nil)
	for _, e := range g.entries {
		run.Visit(jsontext.KindString, []byte(e.name))
		e.readings[e.at].play(run)
		if _, failed := run.Fault(); failed {
			return
		}
	}
	run.Visit(jsontext.KindEndObject, nil)
}

// advance chooses the next reading of the entry that a fault is at or, of a fault of
// the whole, of every entry. It reports whether there was one.
func (g *gathering) advance(at string) bool {
	advanced := false
	for _, e := range g.entries {
		place := pointer(e.name)
		if (at == "" || at == place || strings.HasPrefix(at, place+"/")) && e.at+1 < len(e.readings) {
			e.at++
			advanced = true
		}
	}
	return advanced
}

// judgeText tells the run a body of text, as what the schema says that it means: a text,
// a number, a boolean. It returns a verdict and true where there is nothing to read.
func judgeText(run *schema.Run, s *schema.Schema, tokens iter.Seq2[jsontext.Kind, []byte]) (v policy.Verdict, decided bool) {
	t := s.Forms().Types()
	for _, text := range tokens {
		all, n := kindsOf(t).meanings(string(text))
		for _, kind := range append(all[:n:n], all[0]) { // the fault that counts is that of the likeliest
			run.Begin(s)
			run.Visit(kind, text)
			if _, failed := run.Fault(); !failed {
				break
			}
		}
		return policy.Verdict{}, false
	}
	return unsupported(""), true
}
