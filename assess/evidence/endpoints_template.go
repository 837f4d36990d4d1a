package evidence

import (
	"strings"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

const (
	// maxTemplate bounds the template of an undeclared endpoint in bytes, maxSegments
	// the segments that it has. The rest of a longer path is one "…".
	maxTemplate = 512
	maxSegments = 16
	// anySegment stands for one segment, ellipsis for all that follow.
	anySegment = "{}"
	ellipsis   = "…"
)

// words are the segments that a template may repeat.
type words map[string]struct{}

// wordsOf are the literal segments of a policy's templates, and common ones.
func wordsOf(p *policy.Policy) words {
	w := words{}
	for _, word := range audit.CommonSegments() {
		w[word] = struct{}{}
	}
	for _, operations := range [...][]*policy.Operation{p.Operations, p.Health} {
		for _, op := range operations {
			for _, place := range op.Places() {
				for segment := range strings.SplitSeq(place.Template, "/") {
					if !strings.Contains(segment, "{") {
						w[segment] = struct{}{}
					}
				}
			}
		}
	}
	return w
}

// template appends the template of a path: its words, and "{}" for every other segment.
// An empty segment stays empty, so that a path with another slash is another template.
func (w words) template(dst []byte, path string) []byte {
	for i := 0; ; i++ {
		segment, after, more := strings.Cut(path, "/")
		if _, known := w[segment]; segment != "" && !known {
			segment = anySegment
		}
		if i > maxSegments || len(dst)+len(segment)+len("/"+ellipsis) > maxTemplate {
			return append(dst, ellipsis...)
		}
		dst = append(dst, segment...)
		if !more {
			return dst
		}
		dst, path = append(dst, '/'), after
	}
}

// mayBe reports whether the endpoint may be what an operation declares: nothing tells
// them apart.
func (ep *endpoint) mayBe(op *policy.Operation) bool {
	if ep.method != op.Method {
		return false
	}
	for _, place := range op.Places() {
		if fits(ep.template, place.Template) {
			return true
		}
	}
	return false
}

// fits reports whether one path can have both templates, as far as whole segments tell.
func fits(template, declared string) bool {
	for {
		a, afterA, moreA := strings.Cut(template, "/")
		if a == ellipsis {
			return true
		}
		b, afterB, moreB := strings.Cut(declared, "/")
		if a != b && (a == "" || a != anySegment && !strings.Contains(b, "{")) || moreA != moreB {
			return false
		}
		if !moreA {
			return true
		}
		template, declared = afterA, afterB
	}
}
