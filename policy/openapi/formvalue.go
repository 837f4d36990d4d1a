package openapi

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// read finds what an entry can mean, or the word that says why it means nothing.
func (g *gathering) read(e *entry) (why string) {
	t := e.forms.Types()
	for i := range e.values {
		if !g.urlencoded && !e.field.takes(e.values[i].mediaType) {
			return "contentType"
		}
		if e.values[i].file && !e.takesFile(i) {
			return "filename"
		}
	}
	switch {
	case len(e.members) > 0:
		return e.object()
	case t.Any && e.forms.Structured() && (len(e.values) == 1 || !e.forms.Repeats()):
		e.structured(g)
	case e.field.style != "" && t.Object:
		return e.styled()
	case len(e.values) > 1 && (!e.forms.Repeats() || e.field.style != "" && !e.field.explode):
		return "repeated"
	case e.field.style != "" && t.Array && !e.field.explode:
		e.array(g, e.field.split(string(e.values[0].bytes)))
	case len(e.values) > 1:
		e.array(g, e.values)
	default:
		e.single(g, t)
	}
	return ""
}

// takes reports whether the contract lets a part have the media type.
func (f *formField) takes(mediaType string) bool {
	return len(f.mediaTypes) == 0 || slices.ContainsFunc(f.mediaTypes, func(m media) bool { return m.covers(mediaType) })
}

// isJSON reports whether the contract says that the value is written as JSON.
func (f *formField) isJSON() bool {
	return slices.ContainsFunc(f.mediaTypes, func(m media) bool { return policy.IsJSON(m.name) })
}

// fills reports whether the value is the document of an array or object, and one of the
// types, or null in place of one.
func (v *formValue) fills(t schema.Types) bool {
	if v.document == nil {
		return false
	}
	kind := jsontext.Kind(v.document[0])
	return kind == jsontext.KindBeginObject && (t.Object || t.Any) ||
		kind == jsontext.KindBeginArray && (t.Array || t.Any) ||
		kind == jsontext.KindNull && t.Null && (t.Array || t.Object) && !t.String
}

// takesFile reports whether the value i may have a filename. To most servers such a part
// is a file and no field: they would find nothing where the schema asks for a text.
func (e *entry) takesFile(i int) bool {
	v := &e.values[i]
	if e.forms.File() || v.fills(e.forms.Types()) || e.field.names(v.mediaType) {
		return true
	}
	item := e.forms.Item(i)
	return e.forms.Types().Array && e.field.style == "" && (item.File() || v.fills(item.Types()))
}

// names reports whether the contract says by its name, not by a range, that the value is written
// as the media type, which is not plain text.
func (f *formField) names(mediaType string) bool {
	return mediaType != "text/plain" && slices.ContainsFunc(f.mediaTypes, func(m media) bool { return m.name == mediaType })
}

// opaque reports whether the contract says that the value is written as something that is
// neither JSON nor text, while the schema wants more than a text.
func (f *formField) opaque(t schema.Types) bool {
	return len(f.mediaTypes) > 0 && !t.Any && !t.String && !slices.ContainsFunc(f.mediaTypes, func(m media) bool {
		return policy.IsJSON(m.name) || strings.HasPrefix(m.name, "text/") || strings.Contains(m.name, "*")
	})
}

// single reads the one value of an entry, which may be the only item of an array.
func (e *entry) single(g *gathering, t schema.Types) {
	v := e.values[0]
	if e.field.opaque(t) {
		e.opaque = true
		return
	}
	if !t.Array {
		e.readings = g.alternatives(v, &e.field, t)
		return
	}
	others := t
	others.Array = false
	if others != (schema.Types{}) {
		e.readings = g.alternatives(v, &e.field, t)
	} else if d := g.document(v, &e.field, t, false); d != nil && d[0] == byte(jsontext.KindBeginArray) {
		e.readings = []formMeaning{{{document: d}}}
	}
	e.array(g, e.values)
}

// structured reads the value of an entry of which the schema names no type and says what
// members or items have to be. As a text it would fit, while a backend may parse it.
func (e *entry) structured(g *gathering) {
	t := schema.Types{Object: true, Array: true}
	d := g.document(e.values[0], &e.field, t, true)
	if len(e.values) > 1 || e.field.style != "" || d == nil || d[0] != byte(jsontext.KindBeginObject) && d[0] != byte(jsontext.KindBeginArray) {
		e.opaque = true
		return
	}
	e.readings = []formMeaning{{{document: d}}}
}

// array reads values as the items of an array.
func (e *entry) array(g *gathering, values []formValue) {
	all := make([][]piece, len(values))
	for i, v := range values {
		for _, one := range g.alternatives(v, &e.field, e.forms.Item(i).Types()) {
			all[i] = append(all[i], one...)
		}
	}
	e.nest(jsontext.KindBeginArray, jsontext.KindEndArray, all, nil)
}

// nest adds the readings of an array or object of values with these alternatives: each as
// its likeliest and, if that is not all, each as its least likely one.
func (e *entry) nest(begin, end jsontext.Kind, all [][]piece, names []formMember) {
	first, last, differ := formMeaning{{kind: begin}}, formMeaning{{kind: begin}}, false
	for i, alternatives := range all {
		if names != nil {
			name := piece{kind: jsontext.KindString, text: []byte(names[i].name)}
			first, last = append(first, name), append(last, name)
		}
		first, last = append(first, alternatives[0]), append(last, alternatives[len(alternatives)-1])
		differ = differ || len(alternatives) > 1
	}
	e.readings = append(e.readings, append(first, piece{kind: end}))
	if differ {
		e.readings = append(e.readings, append(last, piece{kind: end}))
	}
}

// alternatives returns what a value can mean, each of one piece, the likeliest first; never
// nothing.
func (g *gathering) alternatives(v formValue, f *formField, t schema.Types) []formMeaning {
	var all []formMeaning
	d := g.document(v, f, t, t.Object && f.style == "")
	if d != nil && !f.binary {
		all = append(all, formMeaning{{document: d}})
	}
	switch {
	case d != nil && v.document != nil && !f.binary: // its type says that it is no text
	case f.binary, !g.urlencoded && v.document == nil && !strings.HasPrefix(v.mediaType, "text/"):
		all = append(all, formMeaning{{kind: jsontext.KindString, text: octets(v.bytes, f.binary)}})
	default:
		text := octets(v.bytes, false)
		kinds, n := kindsOf(t).meanings(string(text))
		for _, kind := range kinds[:n] {
			all = append(all, formMeaning{{kind: kind, text: text}})
		}
	}
	if d != nil && f.binary {
		all = append(all, formMeaning{{document: d}})
	}
	return all
}

// document returns the JSON document that a value is: a part by its type, a text of a
// form where the contract says that it is JSON or, as whatever is no scalar is by default,
// may be (OpenAPI 3.0.4, 4.7.15.3). It is nil of anything else, and of a part that says on its
// own that it is JSON where the schema wants a scalar, which is text by default: many servers
// read the bytes of it, whatever its type.
func (g *gathering) document(v formValue, f *formField, t schema.Types, may bool) recording {
	if !g.urlencoded {
		if f.isJSON() || v.fills(t) {
			return v.document
		}
		return nil
	}
	if len(f.mediaTypes) > 0 {
		may = f.isJSON()
	}
	if !may {
		return nil
	}
	if d, ok := recorded(v.bytes); ok {
		return d
	}
	return nil
}

// octets returns the text that bytes are for a schema: each is a character where the
// contract says that they are bytes, because the length of such a text is theirs (OpenAPI
// 3.0.4, 4.7.14.6), and where they are no text.
func octets(b []byte, binary bool) []byte {
	if !binary && utf8.Valid(b) || isASCII(b) {
		return b
	}
	text := make([]byte, 0, len(b)+len(b)/4)
	for _, c := range b {
		text = utf8.AppendRune(text, rune(c))
	}
	return text
}

func isASCII(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c >= utf8.RuneSelf })
}

// styled reads an object that is one text by its style: "k,v,k,v".
func (e *entry) styled() (why string) {
	switch {
	case e.field.explode || e.field.style == openapi3.SerializationDeepObject:
		return "style"
	case len(e.values) > 1:
		return "repeated"
	}
	parts := e.field.split(string(e.values[0].bytes))
	if len(parts)%2 != 0 {
		return "style"
	}
	for i := 0; i < len(parts); i += 2 {
		e.members = append(e.members, formMember{name: string(parts[i].bytes), text: parts[i+1].bytes})
	}
	e.record()
	return e.repeated()
}

// object reads an object whose members are fields.
func (e *entry) object() (why string) {
	if len(e.values) > 0 {
		return "style"
	}
	if slices.ContainsFunc(e.members, func(m formMember) bool { return m.file }) {
		return "filename"
	}
	if e.field.style == openapi3.SerializationDeepObject {
		for i, m := range e.members {
			// Only one level is defined (OpenAPI 3.0.4, 4.7.12.5).
			name, ok := strings.CutSuffix(m.name, "]")
			if !ok || strings.ContainsAny(name, "[]") {
				return "style"
			}
			e.members[i].name = name
		}
	}
	e.record()
	return e.repeated()
}

// repeated says that a member is there twice.
func (e *entry) repeated() string {
	seen := make(map[string]bool, len(e.members))
	for _, m := range e.members {
		if seen[m.name] {
			return "repeated"
		}
		seen[m.name] = true
	}
	return ""
}

// record makes the readings of the members.
func (e *entry) record() {
	all := make([][]piece, len(e.members))
	for i, m := range e.members {
		inner, _ := e.forms.Property(m.name)
		text := octets(m.text, false)
		kinds, n := kindsOf(inner.Types()).meanings(string(text))
		for _, kind := range kinds[:n] {
			all[i] = append(all[i], piece{kind: kind, text: text})
		}
	}
	e.nest(jsontext.KindBeginObject, jsontext.KindEndObject, all, e.members)
}

// split returns the items of one text by its style.
func (f *formField) split(text string) []formValue {
	if text == "" {
		return nil
	}
	delimiter := ","
	switch f.style {
	case openapi3.SerializationSpaceDelimited:
		delimiter = " "
	case openapi3.SerializationPipeDelimited:
		delimiter = "|"
	}
	var all []formValue
	for item := range strings.SplitSeq(text, delimiter) {
		all = append(all, formValue{mediaType: "text/plain", bytes: []byte(item)})
	}
	return all
}

// maxFormDepth bounds the nesting of a JSON document in a text of a form.
const maxFormDepth = 64

// recorded returns the tokens of a JSON document, and whether the text is one: strictly
// read, and within the bounds of depth and numbers.
func recorded(text []byte) (recording, bool) {
	d := jsontext.NewDecoder(bytes.NewBuffer(text))
	var r recording
	for {
		kind := d.PeekKind()
		var text []byte
		if kind == jsontext.KindString || kind == jsontext.KindNumber {
			value, err := d.ReadValue()
			if text = value; err == nil && kind == jsontext.KindString {
				text, err = jsontext.AppendUnquote(nil, value)
			}
			if err != nil || kind == jsontext.KindNumber && !isNumber(string(value)) {
				return nil, false
			}
		} else if _, err := d.ReadToken(); err != nil || d.StackDepth() > maxFormDepth {
			return nil, false
		}
		r = r.add(kind, text)
		if d.StackDepth() == 0 {
			_, err := d.ReadToken()
			return r, errors.Is(err, io.EOF)
		}
	}
}
