package openapi

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sidewarden/sidewarden/policy"
)

// styleName is how a parameter is written (OpenAPI 3.0.4, 4.7.12.3).
type styleName uint8

const (
	styleSimple styleName = iota
	styleLabel
	styleMatrix
	styleForm
	styleSpace
	stylePipe
	styleDeep
)

// style is how one parameter is written: what stands before its value, and between
// the parts of the value. A text is percent-decoded as a whole before it is read,
// so an escaped delimiter delimits too.
type style struct {
	name    styleName
	explode bool
	header  bool // white space around parts does not count
	// lead stands before a scalar or an array, before that before an object.
	lead, before string
	// empty stands for a scalar without text.
	empty string
	// between stands between items, apart between members.
	between, apart string
	// repeats: each item is a query parameter of its own.
	repeats bool
	// equals: a member is "name=value", else name and value are parts of their own.
	equals bool
}

func newStyle(in, name string, method *openapi3.SerializationMethod) style {
	s := style{explode: method.Explode, header: in == openapi3.ParameterInHeader, between: ",", apart: ","}
	switch method.Style {
	case openapi3.SerializationSimple:
		s.name = styleSimple
	case openapi3.SerializationLabel:
		s.name, s.lead, s.before = styleLabel, ".", "."
		if s.explode {
			s.between, s.apart = ".", "."
		}
	case openapi3.SerializationMatrix:
		s.name, s.lead, s.before, s.empty = styleMatrix, ";"+name+"=", ";"+name+"=", ";"+name
		if s.explode {
			s.between, s.apart, s.before = s.lead, ";", ";"
		}
	case openapi3.SerializationForm:
		s.name = styleForm
	case openapi3.SerializationSpaceDelimited:
		s.name, s.between, s.apart = styleSpace, " ", " "
	case openapi3.SerializationPipeDelimited:
		s.name, s.between, s.apart = stylePipe, "|", "|"
	case openapi3.SerializationDeepObject:
		s.name = styleDeep
	}
	s.repeats = s.explode && in == openapi3.ParameterInQuery
	s.equals = s.explode && (in == openapi3.ParameterInPath || in == openapi3.ParameterInHeader)
	return s
}

// value returns a scalar without what the style puts in front of it.
func (s *style) value(text string) (string, bool) {
	if s.lead == "" {
		return text, true
	}
	if s.empty != "" && text == s.empty { // RFC 6570, 3.2.7
		return "", true
	}
	return strings.CutPrefix(text, s.lead)
}

// parts returns the parts of an array or an object in one text, without what stands
// in front of them. No text has no part.
func (s *style) parts(text, delimiter string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if text == "" {
			return
		}
		for part := range strings.SplitSeq(text, delimiter) {
			if s.header {
				part = trimmed(part)
			}
			if !yield(part) {
				return
			}
		}
	}
}

// array visits the array that the text means, of which there are n. It returns the
// word that says why it cannot be read.
func (rd *reading) array(p *parameter, text string, n int) string {
	if p.style.repeats {
		return rd.repeated(p)
	}
	switch {
	case p.style.header:
		text = strings.Join(rd.request.Header[p.header], ",")
	case n > 1:
		return "repeated"
	}
	text, ok := p.style.value(text)
	if !ok {
		return "style"
	}
	rd.run.Begin(p.schema)
	rd.mark(jsontext.KindBeginArray)
	i := 0
	for part := range p.style.parts(text, p.style.between) {
		rd.visit(p.item(i).meaning(part), part)
		i++
	}
	rd.mark(jsontext.KindEndArray)
	return ""
}

// repeated visits the array of which each item is a query parameter.
func (rd *reading) repeated(p *parameter) string {
	rd.run.Begin(p.schema)
	rd.mark(jsontext.KindBeginArray)
	items := 0
	for i := range rd.request.Query {
		if pair := &rd.request.Query[i]; pair.Name == p.name {
			rd.visit(p.item(items).meaning(pair.Value), pair.Value)
			items++
		}
	}
	rd.mark(jsontext.KindEndArray)
	return ""
}

// object visits the object that the text means, of which there are n, or that the
// members among the query parameters are together. It returns the word that says
// why it cannot be read.
func (rd *reading) object(p *parameter, text string, n int, members bool) string {
	var (
		all []policy.Pair
		ok  bool
	)
	switch {
	case p.nested && n > 0 && (members || p.style.name == styleDeep):
		return "style" // it is said twice, or without brackets
	case members:
		all, ok = rd.gathered(p)
	default:
		if p.style.header {
			text = strings.Join(rd.request.Header[p.header], ",")
		} else if n > 1 {
			return "repeated"
		}
		all, ok = p.split(text)
	}
	if !ok {
		return "style"
	}
	seen := make(map[string]struct{}, len(all))
	rd.run.Begin(p.schema)
	rd.mark(jsontext.KindBeginObject)
	for i, m := range all {
		list, isList := p.lists[m.Name]
		if _, twice := seen[m.Name]; twice && isList {
			continue // it was read with the first
		} else if twice {
			return "repeated"
		}
		seen[m.Name] = struct{}{}
		rd.visit(jsontext.KindString, m.Name)
		if isList {
			rd.list(list, p.member(m.Name), all[i:])
			continue
		}
		rd.visit(p.member(m.Name).meaning(m.Value), m.Value)
	}
	rd.mark(jsontext.KindEndObject)
	return ""
}

// gathered returns the members that are query parameters.
func (rd *reading) gathered(p *parameter) ([]policy.Pair, bool) {
	var all []policy.Pair
	for i := range rd.request.Query {
		name, is := p.inner(rd.request.Query[i].Name)
		if !is {
			continue
		}
		if p.style.name == styleDeep {
			// Only one level is defined (OpenAPI 3.0.4, 4.7.12.3).
			var closed bool
			if name, closed = strings.CutSuffix(name, "]"); !closed || strings.ContainsAny(name, "[]") {
				return nil, false
			}
		}
		all = append(all, policy.Pair{Name: name, Value: rd.request.Query[i].Value})
	}
	return all, true
}

// split returns the members of an object in one text: "k=v,k=v" if exploded, else
// "k,v,k,v".
func (p *parameter) split(text string) ([]policy.Pair, bool) {
	s := &p.style
	text, ok := strings.CutPrefix(text, s.before)
	if !ok {
		return nil, false
	}
	var (
		all  []policy.Pair
		name string
		odd  bool
	)
	for part := range s.parts(text, s.apart) {
		if s.equals {
			name, value, found := strings.Cut(part, "=")
			if !found && s.name != styleMatrix { // there, no sign is no text (RFC 6570, 3.2.7)
				return nil, false
			}
			if s.header {
				name, value = trimmed(name), trimmed(value)
			}
			all = append(all, policy.Pair{Name: name, Value: value})
			continue
		}
		if odd = !odd; odd {
			name = part
			continue
		}
		all = append(all, policy.Pair{Name: name, Value: part})
	}
	return all, !odd
}

// maxDocumentDepth bounds the nesting of a JSON document in a parameter.
const maxDocumentDepth = 256

// document judges a JSON document: strictly read, with no duplicate member, no bad
// UTF-8 and no second value, and within the bounds of depth and numbers. That it is one
// needs no schema.
func (rd *reading) document(p *parameter, text string, n int) bool {
	if n > 1 {
		return rd.invalid(p, "", "repeated")
	}
	d := jsontext.NewDecoder(bytes.NewBufferString(text))
	if p.schema == nil {
		if alone := (reading{}); !alone.tokens(d) {
			return rd.invalid(p, "", "json")
		}
		return true
	}
	rd.run.Begin(p.schema)
	if !rd.tokens(d) {
		return rd.invalid(p, "", "json")
	}
	return rd.judged(p)
}

// tokens visits the tokens of one document and reports whether it is one.
func (rd *reading) tokens(d *jsontext.Decoder) bool {
	for {
		kind := d.PeekKind()
		if kind == jsontext.KindString || kind == jsontext.KindNumber {
			if !rd.texted(d, kind) {
				return false
			}
		} else if _, err := d.ReadToken(); err != nil || d.StackDepth() > maxDocumentDepth {
			return false
		} else {
			rd.mark(kind)
		}
		if d.StackDepth() == 0 {
			_, err := d.ReadToken()
			return errors.Is(err, io.EOF)
		}
	}
}

// texted visits a string, a member name or a number.
func (rd *reading) texted(d *jsontext.Decoder, kind jsontext.Kind) bool {
	value, err := d.ReadValue()
	if err != nil {
		return false
	}
	if kind == jsontext.KindNumber {
		rd.token(kind, value)
		return isNumber(string(value))
	}
	if rd.text, err = jsontext.AppendUnquote(rd.text[:0], value); err != nil {
		return false
	}
	rd.token(kind, rd.text)
	return true
}
