package openapi

import (
	"maps"
	"slices"

	"github.com/sidewarden/sidewarden/policy"
)

// Engine is what judges a part of a request or of an answer by the contract.
type Engine string

// The engines, the strictest first.
const (
	// EngineStream is the compiled schema: every keyword, while the tokens are read.
	EngineStream Engine = "stream"
	// EngineSyntax says whether a document is well-formed, and nothing by a schema.
	EngineSyntax Engine = "syntax only"
	// EngineSize bounds the number of bytes; nothing is read of them.
	EngineSize Engine = "size only"
	// EngineType compares the status and the media type of an answer.
	EngineType Engine = "type only"
	// EnginePresence says whether a parameter is there.
	EnginePresence Engine = "presence only"
	// EngineUndecided is nothing although there is a schema: the verdict is undecided, whatever
	// comes.
	EngineUndecided Engine = "undecided"
	// EngineNone is nothing: there is no such part, or nobody asked for it.
	EngineNone Engine = "none"
)

// Engines name what judges the parts of an operation.
type Engines struct {
	// Parameters is the weakest of those of the parameters; which one it is of is in the
	// notes of the contract.
	Parameters Engine
	// Body and Answers are those of the declared media types, in lower case and without
	// parameters. A media type of several answers has the weakest one of them. Where answers
	// are declared and none of them has a media type, there is one without name.
	Body, Answers map[string]Engine
}

// Engines returns what judges the parts of the operation.
func (o Operation) Engines() Engines {
	e := Engines{Parameters: EngineNone, Body: map[string]Engine{}, Answers: map[string]Engine{}}
	for i := range o.judge.parameters {
		switch p := &o.judge.parameters[i]; {
		case p.opaque:
			e.Parameters = EngineUndecided
		case e.Parameters == EngineUndecided:
		case p.schema == nil:
			e.Parameters = EnginePresence
		case e.Parameters == EngineNone:
			e.Parameters = EngineStream
		}
	}
	for i := range o.judge.media {
		m := &o.judge.media[i]
		e.Body[m.name] = m.engine()
	}
	if o.answers != nil {
		o.answers.engines(e.Answers)
	}
	return e
}

func (a *Answers) engines(all map[string]Engine) {
	declared := slices.Collect(maps.Values(a.exact))
	for _, d := range append(a.classes[:], a.fallback) {
		if d != nil {
			declared = append(declared, *d)
		}
	}
	if len(declared) > 0 && !slices.ContainsFunc(declared, func(d answer) bool { return len(d.media) > 0 }) {
		all[""] = EngineType
	}
	rank := []Engine{EngineStream, EngineSyntax, EngineType}
	for _, d := range declared {
		for i := range d.media {
			m := &d.media[i]
			engine := EngineType
			switch {
			case m.schema != nil && m.mayBeJSON():
				engine = EngineStream
			case m.json:
				engine = EngineSyntax
			}
			if was, ok := all[m.name]; !ok || slices.Index(rank, engine) > slices.Index(rank, was) {
				all[m.name] = engine
			}
		}
	}
}

// engine is what judges a body of the media type. That of a range is what judges JSON, if
// JSON may be meant by it.
func (m *media) engine() Engine {
	name := m.example()
	if m.schema != nil && (m.name == "*/*" || m.name == "application/*") {
		return EngineStream
	}
	switch m.handling(name) {
	case handleDocument, handleForm, handleText:
		return EngineStream
	case handleNothing:
		return EngineUndecided
	case handlePermit, handleOctets:
	}
	if m.json || policy.IsXML(name) || isForm(name) {
		return EngineSyntax
	}
	return EngineSize
}
