package openapi

import (
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// notes does what had to wait for the compiled schemas, and notes free-form objects.
func (b *builder) notes(operations []Operation) {
	for _, note := range b.later {
		note()
	}
	if b.way.deny {
		b.freeForm(operations)
	}
}

// unjudged learns, once it is known, what a schema says of the bodies or answers of a media
// type, and notes that nobody judges it. So says what comes of it, and is "" of answers, of
// which JSON alone is judged.
func (b *builder) unjudged(m *media, where, what, so string) {
	b.later = append(b.later, func() {
		m.learn()
		unread := m.unread()
		if len(unread) == 0 && (so != "" || m.schema == nil || m.silent) {
			return
		}
		cause := fmt.Sprintf("%s of type %q are not judged by their schema", what, bounded(m.name))
		if strings.Contains(m.name, "*") {
			cause += " where they are of such a type as " + strings.Join(unread, ", ")
		}
		b.noted.report(nil, where, cause+so, "")
	})
}

// unread returns the media types, or examples of them, of which the verdict is undecided.
func (m *media) unread() []string {
	all := []string{m.name}
	if strings.Contains(m.name, "*") {
		all = []string{"application/octet-stream", "application/xml", "image/png", "multipart/form-data", "text/plain", "text/xml"}
		all = slices.DeleteFunc(all, func(name string) bool { return !m.covers(name) })
	}
	return slices.DeleteFunc(all, func(name string) bool { return m.handling(name) != handleNothing })
}

// opaque notes, once it is known, that a parameter is not judged.
func (b *builder) opaque(j *Judge, i int, p *openapi3.Parameter, at spot) {
	b.later = append(b.later, func() {
		if j.parameters[i].opaque {
			b.noted.report(p.Origin, at.place+"/parameters", fmt.Sprintf("parameter %q is not JSON and is not judged: in.schema is undecided there", bounded(p.Name)), "")
		}
	})
}

// maxFreeForm bounds the notes of free-form objects.
const maxFreeForm = 20

// freeForm notes where bodies may have any member although undeclared ones are denied.
func (b *builder) freeForm(operations []Operation) {
	noted := map[schema.Place]bool{}
	for i := range operations {
		media := operations[i].judge.media
		for k := range media {
			if media[k].schema == nil || !media[k].mayBeJSON() && media[k].form == nil {
				continue
			}
			for _, place := range media[k].schema.FreeForm() {
				if !noted[place] && len(noted) == maxFreeForm {
					b.noted.report(nil, "/components/schemas", "more objects may have any member, also under undeclared_properties: deny", "")
					return
				}
				if !noted[place] {
					noted[place] = true
					b.noted.at(place, "an object may have any member here, also under undeclared_properties: deny", "list its properties, or name another type")
				}
			}
		}
	}
}
