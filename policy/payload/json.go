package payload

import (
	"bytes"
	"iter"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sidewarden/sidewarden/policy"
)

const (
	// MaxMembers is how many object members and array elements one document may
	// have in total, and how many elements and attributes an XML document.
	MaxMembers = 100_000
	// MaxNumberBytes is how long a JSON number may be. A longer one is no number
	// of any common type, and costs validators with exact arithmetic dearly.
	MaxNumberBytes = 40
	// MaxExponent is how large the exponent of a JSON number may be, either way, as it is
	// written and with one digit before the point: that of IEEE 754 double precision,
	// beyond which most parsers read infinity or zero.
	MaxExponent = 308
)

// ReadJSON reads a whole JSON document strictly and returns the verdict of
// in.wellformed. MaxDepth is how deep arrays and objects may nest; a scalar has
// depth 0.
//
// Yield is told every token of the document until it returns false; nil asks for the
// verdict alone. Text is that of a string or member name, unescaped, or the literal of
// a number, and nil of the rest. It is valid until the next token, may be part of b,
// and must not be changed. A token that the verdict is about is not handed on, nor
// any after it; the last token comes when it is certain that nothing follows.
func ReadJSON(b []byte, maxDepth int, yield func(kind jsontext.Kind, text []byte) bool) policy.Verdict {
	r := newJSONReader()
	r.begin(b, maxDepth, nil)
	r.read(yield)
	r.read(nil)
	return verdictOf(r.err)
}

// jsonReader reads one document after another in one pass, and keeps its memory. It
// is not safe for concurrent use.
type jsonReader struct {
	// tokens is the method handOn, made once so that asking for it costs no memory.
	tokens iter.Seq2[jsontext.Kind, []byte]

	document []byte
	maxDepth int
	handed   bool // the tokens were ranged over
	ended    bool // nothing more to read, by err or at the end
	err      error

	// The last token: where it is, what it says, and in how many arrays and objects it
	// is, those that it opens or closes itself not counted.
	kind       jsontext.Kind
	name       bool // the name of a member
	start, end int
	text       []byte
	depth      int

	scan    scan
	scratch []byte // unescaped text
	wanted  []selection
}

// maxKeptMembers and maxKeptBytes bound what a reader keeps for the next document.
const (
	maxKeptMembers = 2048
	maxKeptBytes   = 64 << 10
)

func newJSONReader() *jsonReader {
	r := &jsonReader{scan: scan{names: newNameSet()}}
	r.tokens = r.handOn
	return r
}

// begin turns to another document.
func (r *jsonReader) begin(b []byte, maxDepth int, selectors []selector) {
	r.document, r.maxDepth = b, maxDepth
	r.handed, r.ended, r.err = false, false, nil
	r.name, r.end, r.text = false, 0, nil
	r.scan.begin()
	r.wanted = r.wanted[:0]
	for _, s := range selectors {
		r.wanted = append(r.wanted, selection{selector: s})
	}
	if bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) || !utf8.Valid(b) {
		r.err, r.ended = &fault{policy.JSONEncoding, ""}, true
	}
}

// forget drops the document, and reports whether the reader is worth keeping: a large
// document leaves large tables behind.
func (r *jsonReader) forget() bool {
	kept := r.scan.members <= maxKeptMembers && cap(r.scratch) <= maxKeptBytes && r.scan.names.forget()
	clear(r.wanted)
	r.document, r.text, r.err, r.ended = nil, nil, nil, true
	return kept
}

// selected returns what each selector found; it is called at the end.
func (r *jsonReader) selected() [][]string {
	found := make([][]string, len(r.wanted))
	for i := range r.wanted {
		found[i] = r.wanted[i].found
	}
	return found
}

// handOn is an [iter.Seq2] over the tokens, once.
func (r *jsonReader) handOn(yield func(jsontext.Kind, []byte) bool) {
	if !r.handed {
		r.handed = true
		r.read(yield)
	}
}

// read reads on, to the end or until yield has enough. Whatever yield does, a panic
// included, the next read goes on behind the token that it was told.
func (r *jsonReader) read(yield func(jsontext.Kind, []byte) bool) {
	for !r.ended {
		if !r.next() {
			r.ended, r.err = true, explain(r.document, r.maxDepth)
			return
		}
		for i := range r.wanted {
			r.wanted[i].visit(r)
		}
		if yield != nil && !yield(r.kind, r.text) {
			return
		}
	}
}

// opens and closes report whether a token begins or ends an object or array.
func opens(kind jsontext.Kind) bool {
	return kind == jsontext.KindBeginObject || kind == jsontext.KindBeginArray
}

func closes(kind jsontext.Kind) bool {
	return kind == jsontext.KindEndObject || kind == jsontext.KindEndArray
}

// checkNumber applies the bounds of numbers to a literal of valid syntax.
func checkNumber(literal []byte) error {
	if len(literal) > MaxNumberBytes {
		return &fault{policy.JSONNumber, "length, " + limit(MaxNumberBytes)}
	}
	for i, c := range literal {
		if c != 'e' && c != 'E' {
			continue
		}
		if e, err := strconv.Atoi(string(literal[i+1:])); err != nil || e > MaxExponent || e < -MaxExponent || !policy.Finite(string(literal)) {
			return &fault{policy.JSONNumber, "exponent, " + limit(MaxExponent)}
		}
	}
	return nil
}
