package openapi

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
)

// walk visits every part of a value once, with all schemas that may describe it.
type walk struct {
	family *family
	tokens []string // of the place, in declared names
	hidden int      // how many levels below the last declared name
	nodes  int

	err       error      // why the engine must not see the value
	fault     *fault     // what the engine would not find, if there is any
	strangers [][]string // the objects that have an undeclared property
}

// fail notes the first fault: at the place, or at the declared name below it.
func (w *walk) fail(keyword string, name ...string) {
	if w.fault != nil {
		return
	}
	tokens := slices.Clone(w.tokens)
	if w.hidden == 0 {
		tokens = append(tokens, name...)
	}
	w.fault = &fault{tokens: tokens, keyword: keyword}
}

func (w *walk) visit(value any, fs forms) {
	if w.nodes++; w.err != nil {
		return
	}
	switch value := value.(type) {
	case json.Number:
		w.number(value, fs)
	case map[string]any:
		w.object(value, fs)
	case []any:
		for i, item := range value {
			w.enter("*", item, w.family.item(fs, i), w.hidden == 0)
		}
	}
}

func (w *walk) object(value map[string]any, fs forms) {
	stranger := false
	for _, name := range sortedKeys(value) {
		inner, state := w.family.property(fs, name)
		if state == undeclared && !stranger {
			stranger = true
			w.strangers = append(w.strangers, slices.Clone(w.tokens))
		}
		shown := state == declared && w.hidden == 0
		if state == declared && value[name] != nil && w.family.foreign(fs, name) {
			w.fail(w.family.foreignKeyword(), name)
		}
		w.enter(name, value[name], inner, shown)
	}
}

func (w *walk) enter(token string, value any, fs forms, shown bool) {
	if len(w.tokens)+w.hidden >= maxDepth {
		w.err = errDeep
		return
	}
	if !shown {
		w.hidden++
		w.visit(value, fs)
		w.hidden--
		return
	}
	w.tokens = append(w.tokens, token)
	w.visit(value, fs)
	w.tokens = w.tokens[:len(w.tokens)-1]
}

// strangerAt reports whether the object at the place has an undeclared property.
func (w *walk) strangerAt(tokens []string) bool {
	place := pointer(tokens...)
	for _, s := range w.strangers {
		if pointer(s...) == place {
			return true
		}
	}
	return false
}

// number judges what the engine cannot or must not: a literal that would cost
// too much, and format int64, for which the engine rounds first.
func (w *walk) number(n json.Number, fs forms) {
	if !literalInBounds(n) {
		w.err = errNumber
		return
	}
	wide := slices.ContainsFunc(fs, func(at form) bool {
		return at.certain && at.schema.Format == "int64" && at.schema.Type.Is("integer")
	})
	if wide && !fitsInt64(n) {
		w.fail("format")
	}
}

// fitsInt64 reports whether an integer is one of 64 bits.
func fitsInt64(n json.Number) bool {
	if _, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return true
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil || f != math.Trunc(f) {
		return err == nil // not an integer: the engine says so
	}
	if isDigits(n) {
		return false
	}
	return f >= math.MinInt64 && f < -math.MinInt64
}

// isDigits reports whether the literal has neither fraction nor exponent.
func isDigits(n json.Number) bool {
	for i := range len(n) {
		if c := n[i]; !digit(c) && c != '-' {
			return false
		}
	}
	return true
}
