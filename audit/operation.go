package audit

import (
	"strings"
	"sync/atomic"

	"github.com/sidewarden/sidewarden/policy"
)

// operation is an operation of the contract made ready for its records.
type operation struct {
	id, template word
	// parts is the template, cut into what stands in every path and the parameters
	// between; rest follows the last of them.
	parts []part
	rest  string
	// safe reports that a path can hold nothing for the net to find: the words of
	// the template are safe, and all else in it are pseudonyms.
	safe bool
	// passed is the first decision that passed; nil until there was one. Others are
	// not kept: taking turns, they would cost more than they save.
	passed atomic.Pointer[shape]
}

// shape is a decision in which everything passes, with the lists of its record.
// Records share them.
type shape struct {
	rules   []*policy.Rule
	effects []policy.Effect
	proof   proof

	permits, inapplicable, enforced []policy.Control
}

func shapeOf(rec *Record, d policy.Decision, p proof) *shape {
	s := &shape{proof: p, permits: rec.Permits, inapplicable: rec.NotApplicable, enforced: rec.Enforced}
	for i := range d.Findings {
		s.rules = append(s.rules, d.Findings[i].Rule)
		s.effects = append(s.effects, d.Findings[i].Verdict.Effect)
	}
	return s
}

// is reports whether a decision has the same rules with the same effects. One that
// passes has no reasons.
func (s *shape) is(d policy.Decision) bool {
	if s == nil || len(s.rules) != len(d.Findings) {
		return false
	}
	for i := range d.Findings {
		if f := &d.Findings[i]; f.Rule != s.rules[i] || f.Verdict.Effect != s.effects[i] || f.Verdict.Reason != "" {
			return false
		}
	}
	return true
}

// part is what stands in front of a parameter, and the parameter.
type part struct {
	before, parameter string
	kind              Type
}

type operationKey struct{ id, template string }

func keyOf(op *policy.Operation) operationKey { return operationKey{op.ID, op.Template} }

func (w *words) ready(op *policy.Operation) *operation {
	o := &operation{id: wordOf(op.ID, maxText), template: wordOf(op.Template, maxLong)}
	for rest := op.Template; ; {
		before, after, open := strings.Cut(rest, "{")
		name, next, closed := strings.Cut(after, "}")
		if !open || !closed {
			o.rest = before + after
			break
		}
		o.parts = append(o.parts, part{before: before, parameter: name, kind: w.kindOf(name)})
		rest = next
	}
	o.safe = isPlain(op.Template) && isPlain(string(o.fill(nil, func(part) string { return likePseudonym })))
	return o
}

// likePseudonym has the characters of a pseudonym.
const likePseudonym = "p1_abcdefghijklmnopqrstuvwxyz"

// isPlain reports whether the net would keep a text as it is. Texts near the
// longest path are left to the net, which cuts them.
func isPlain(s string) bool { return len(s) <= maxLong/2 && plainASCII(s) && !secret(s) }

// kindOf says which pseudonym a path parameter has: one of an account rule has the
// pseudonym that the account has everywhere.
func (w *words) kindOf(parameter string) Type {
	for _, s := range w.selectors {
		if s.In == "path" && s.Name == parameter {
			return TypeAccount
		}
	}
	return TypePath
}

// operationOf returns the operation of a request. One that only an older policy
// has is made ready for this record alone.
func (w *words) operationOf(op *policy.Operation) *operation {
	if known, ok := w.plans[op]; ok {
		return known
	}
	if known, ok := w.operations[keyOf(op)]; ok {
		return known
	}
	return w.ready(op)
}

// fill appends the template with values put into it.
func (o *operation) fill(dst []byte, value func(part) string) []byte {
	for _, p := range o.parts {
		dst = append(append(dst, p.before...), value(p)...)
	}
	return append(dst, o.rest...)
}
