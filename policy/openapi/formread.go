package openapi

import (
	"bytes"
	"encoding/binary"
	"iter"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// gathering is one form while it is judged: its fields by name, in the order of their
// first, because an object has each name once.
type gathering struct {
	*formBody
	forms      schema.Forms
	urlencoded bool

	entries []*entry
	known   map[string]*entry
}

// entry is everything that a form has for one property.
type entry struct {
	name     string
	field    formField
	forms    schema.Forms
	standing schema.Standing

	values  []formValue
	members []formMember // of an object whose members are fields

	// readings are what the values can mean, the likeliest first; at is the one that
	// is chosen.
	readings []formMeaning
	at       int
	opaque   bool // it is written as something that nobody reads
}

// formValue is the value of one field.
type formValue struct {
	mediaType string // of a part
	file      bool   // the part has a filename
	bytes     []byte
	document  recording // of a part that is JSON
}

type formMember struct {
	name string
	text []byte
	file bool
}

// formMeaning is one thing that the values of an entry can mean: its tokens, of which those of
// a document stand together.
type formMeaning []piece

// piece is a token, or the tokens of a document. It shares the text with the value.
type piece struct {
	kind     jsontext.Kind
	text     []byte
	document recording
}

func (r formMeaning) play(run *schema.Run) {
	for _, p := range r {
		if p.document == nil {
			run.Visit(p.kind, p.text)
			continue
		}
		p.document.play(run)
	}
}

// recording are tokens that were kept: the kind, the length of the text, the text.
type recording []byte

func (r recording) add(kind jsontext.Kind, text []byte) recording {
	r = binary.AppendUvarint(append(r, byte(kind)), uint64(len(text)))
	return append(r, text...)
}

func (r recording) play(run *schema.Run) {
	for len(r) > 0 {
		n, width := binary.Uvarint(r[1:])
		text := r[1+width:]
		run.Visit(jsontext.Kind(r[0]), text[:n])
		r = text[n:]
	}
}

// gather takes the tokens of a form and reports whether they are those of one.
func (g *gathering) gather(tokens iter.Seq2[jsontext.Kind, []byte]) bool {
	g.known = map[string]*entry{}
	var (
		begun, named bool
		depth        int
		name         string
		v            formValue
	)
	for kind, text := range tokens {
		switch {
		case !begun:
			begun = true
		case !named:
			name, named, v = string(text), true, formValue{}
		case kind == policy.PartType:
			v.mediaType = string(text)
		case kind == policy.PartFile:
			v.file = true
		case kind == policy.PartBytes:
			v.bytes, v.document = bytes.Clone(text), recording{}
		case v.document == nil:
			v.bytes = bytes.Clone(text)
			g.field(name, v)
			named = false
		default:
			v.document = v.document.add(kind, text)
			depth += nested(kind)
			if depth == 0 {
				g.field(name, v)
				named = false
			}
		}
	}
	return begun
}

// nested is by how much a token leads deeper.
func nested(kind jsontext.Kind) int {
	if kind == jsontext.KindBeginObject || kind == jsontext.KindBeginArray {
		return 1
	}
	if kind == jsontext.KindEndObject || kind == jsontext.KindEndArray {
		return -1
	}
	return 0
}

// field files a field under its property.
func (g *gathering) field(name string, v formValue) {
	for _, property := range g.deep {
		if member, ok := strings.CutPrefix(name, property+"["); ok {
			e := g.entry(property)
			e.members = append(e.members, formMember{member, v.bytes, v.file})
			return
		}
	}
	if len(g.spread) > 0 {
		if _, standing := g.forms.Property(name); standing != schema.Declared {
			for _, property := range g.spread {
				e := g.entryOf(property)
				if _, standing := e.forms.Property(name); standing == schema.Declared {
					e = g.entry(property)
					e.members = append(e.members, formMember{name, v.bytes, v.file})
					return
				}
			}
		}
	}
	e := g.entry(name)
	e.values = append(e.values, v)
}

// entry returns the entry of a property, which has one from now on.
func (g *gathering) entry(name string) *entry {
	e := g.known[name]
	if e == nil {
		e = g.entryOf(name)
		e.field.binary = e.forms.Bytes() || e.forms.Item(-1).Bytes()
		g.known[name] = e
		g.entries = append(g.entries, e)
	}
	return e
}

func (g *gathering) entryOf(name string) *entry {
	e := &entry{name: name}
	if field := g.fields[name]; field != nil {
		e.field = *field
	}
	e.forms, e.standing = g.forms.Property(name)
	return e
}
