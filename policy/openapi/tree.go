package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxTreeDepth bounds how deep the values of a file are nested.
	maxTreeDepth = 500
	// maxNumberText bounds the text of one number. What is judged exactly is not for free.
	maxNumberText = 1000
)

// parseDocument returns the raw tree of a file of a contract: nil, bool, json.Number,
// string, []any and map[string]any. It reads what the loader of the contract reads, so
// that both see the same contract: JSON (RFC 8259) if the text is that, else YAML, where
// a date is a string and "yes" is one, too.
//
// Two things are other than there. A number keeps its text, so that it is exact, if that is a
// number of JSON. And what the loader drops in silence is refused: a member that an
// object has twice, and more than one YAML document.
//
// The error is [Problems] without a file, each with its line. Nesting and numbers are bounded, and what
// aliases of YAML multiply.
func parseDocument(data []byte) (any, error) {
	read := readYAML
	if json.Valid(data) {
		read = readJSON
	}
	tree, problems := read(data)
	if len(problems) > 0 {
		return nil, problems
	}
	return tree, nil
}

// jsonReader makes the tree of JSON.
type jsonReader struct {
	data     []byte
	decoder  *jsontext.Decoder
	lines    lineCounter
	problems Problems
}

func newJSONDecoder(data []byte) *jsontext.Decoder {
	// Names that are there twice are reported by the reader, all of them.
	return jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowDuplicateNames(true))
}

func readJSON(data []byte) (any, Problems) {
	r := &jsonReader{data: data, decoder: newJSONDecoder(data), lines: lineCounter{data: data}}
	tree, err := r.value(0)
	if err != nil {
		r.report(err.Error(), "")
	}
	return tree, r.problems
}

// value reads one value. An error ends the reading.
func (r *jsonReader) value(depth int) (any, error) {
	token, err := r.decoder.ReadToken()
	if err != nil {
		return nil, jsonCause(err)
	}
	switch kind := token.Kind(); {
	case kind == 't' || kind == 'f':
		return token.Bool(), nil
	case kind == '"':
		return token.String(), nil
	case kind == '0':
		text := token.String()
		if len(text) > maxNumberText {
			r.report(longNumber())
		}
		return json.Number(text), nil
	case (kind == '{' || kind == '[') && depth == maxTreeDepth:
		return nil, errors.New(tooDeep())
	case kind == '{':
		return r.object(depth)
	case kind == '[':
		return r.array(depth)
	}
	return nil, nil // of a well-formed text, only null is left
}

func (r *jsonReader) object(depth int) (any, error) {
	object, lines := map[string]any{}, map[string]int{}
	for r.decoder.PeekKind() != '}' {
		token, err := r.decoder.ReadToken()
		if err != nil {
			return nil, jsonCause(err)
		}
		name := token.String()
		line := r.line()
		if first, twice := lines[name]; twice {
			r.report(sameName(name, first))
		} else {
			lines[name] = line
		}
		if object[name], err = r.value(depth + 1); err != nil {
			return nil, err
		}
	}
	_, err := r.decoder.ReadToken()
	return object, jsonCause(err)
}

func (r *jsonReader) array(depth int) (any, error) {
	array := []any{}
	for r.decoder.PeekKind() != ']' {
		item, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		array = append(array, item)
	}
	_, err := r.decoder.ReadToken()
	return array, jsonCause(err)
}

func (r *jsonReader) line() int { return r.lines.at(r.decoder.InputOffset()) }

func (r *jsonReader) report(cause, fix string) {
	r.problems = append(r.problems, Problem{Line: r.line(), Pointer: bounded(string(r.decoder.StackPointer())), Cause: bounded(cause), Fix: fix})
}

// jsonCause takes place and pointer, which the problem has, off an error.
func jsonCause(err error) error {
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Errorf("cannot be read as JSON: %w", syntactic.Err)
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// What both readers report.

func tooDeep() string { return fmt.Sprintf("is nested deeper than %d levels", maxTreeDepth) }

func longNumber() (cause, fix string) {
	return fmt.Sprintf("a number has more than %d characters", maxNumberText), "write it with an exponent"
}

func sameName(name string, line int) (cause, fix string) {
	return fmt.Sprintf("%q is there twice, first in line %d", bounded(name), line), "take one of them out"
}

// lineCounter knows the lines of offsets that grow.
type lineCounter struct {
	data   []byte
	offset int64
	line   int // of the offset, from 0
}

// at returns the line of an offset, from 1.
func (c *lineCounter) at(offset int64) int {
	if offset > c.offset {
		c.line += bytes.Count(c.data[c.offset:offset], []byte{'\n'})
		c.offset = offset
	}
	return c.line + 1
}
