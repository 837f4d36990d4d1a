package payload

import (
	"bytes"
	"errors"
	"io"
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
	decoder jsontext.Decoder
	buffer  bytes.Buffer // what the decoder reads: the document itself, not a copy
	scratch []byte       // unescaped text
	// tokens is the method handOn, made once so that asking for it costs no memory.
	tokens iter.Seq2[jsontext.Kind, []byte]

	document []byte
	escapes  bool // some string may have one
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

	objects []bool // what is open: true is an object, false an array
	members int    // members and elements so far
	wanted  []selection
}

// maxKeptMembers and maxKeptBytes bound what a reader keeps for the next document.
const (
	maxKeptMembers = 2048
	maxKeptBytes   = 64 << 10
)

func newJSONReader() *jsonReader {
	r := &jsonReader{}
	r.tokens = r.handOn
	return r
}

// begin turns to another document.
func (r *jsonReader) begin(b []byte, maxDepth int, selectors []selector) {
	r.document, r.maxDepth = b, maxDepth
	r.handed, r.ended, r.err = false, false, nil
	r.name, r.end, r.text = false, 0, nil
	r.objects, r.members = r.objects[:0], 0
	r.wanted = r.wanted[:0]
	for _, s := range selectors {
		r.wanted = append(r.wanted, selection{selector: s})
	}
	if bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) || !utf8.Valid(b) {
		r.fail(&fault{policy.JSONEncoding, ""})
		return
	}
	r.escapes = bytes.IndexByte(b, '\\') >= 0
	r.buffer = *bytes.NewBuffer(b)
	r.decoder.Reset(&r.buffer)
}

// forget drops the document, and reports whether the reader is worth keeping: a large
// document leaves large tables behind.
func (r *jsonReader) forget() bool {
	kept := r.members <= maxKeptMembers && cap(r.scratch) <= maxKeptBytes
	clear(r.wanted)
	r.document, r.text, r.err, r.ended = nil, nil, nil, true
	r.buffer = bytes.Buffer{}
	r.decoder.Reset(&r.buffer)
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
	told := yield != nil || len(r.wanted) > 0
	for !r.ended {
		if err := r.next(); err != nil {
			r.fail(err)
			return
		}
		if told {
			r.unescape()
		}
		for i := range r.wanted {
			r.wanted[i].visit(r)
		}
		if yield != nil && !yield(r.kind, r.text) {
			return
		}
	}
}

// next reads a token and applies the bounds to it.
func (r *jsonReader) next() error {
	if _, err := r.decoder.ReadToken(); err != nil {
		return err
	}
	start := r.end
	for isBetween(r.document[start]) {
		start++
	}
	// The first byte of a token tells its kind.
	kind := jsontext.Kind(r.document[start])
	if kind == '-' || '0' <= kind && kind <= '9' {
		kind = jsontext.KindNumber
	}
	r.kind, r.start, r.end = kind, start, int(r.decoder.InputOffset())
	if closes(kind) {
		r.objects = r.objects[:len(r.objects)-1]
		r.depth, r.name = len(r.objects), false
	} else if err := r.count(); err != nil {
		return err
	}
	if r.depth == 0 && !opens(kind) {
		return r.finish()
	}
	return nil
}

// opens and closes report whether a token begins or ends an object or array.
func opens(kind jsontext.Kind) bool {
	return kind == jsontext.KindBeginObject || kind == jsontext.KindBeginArray
}

func closes(kind jsontext.Kind) bool {
	return kind == jsontext.KindEndObject || kind == jsontext.KindEndArray
}

// isBetween reports whether a byte can stand between two tokens.
func isBetween(c byte) bool {
	return c == ' ' || c == ',' || c == ':' || c == '\n' || c == '\r' || c == '\t'
}

// count keeps account of where a name or value is, and applies the bounds.
func (r *jsonReader) count() error {
	r.depth = len(r.objects)
	object := r.depth > 0 && r.objects[r.depth-1]
	r.name = object && !r.name
	if r.depth > 0 && (r.name || !object) { // a member counts by its name
		if r.members++; r.members > MaxMembers {
			return &fault{policy.JSONTooManyMembers, limit(MaxMembers)}
		}
	}
	switch {
	case r.kind == jsontext.KindNumber:
		return checkNumber(r.document[r.start:r.end])
	case !opens(r.kind):
		return nil
	case r.depth == r.maxDepth:
		return &fault{policy.JSONTooDeep, limit(r.maxDepth)}
	}
	r.objects, r.name = append(r.objects, r.kind == jsontext.KindBeginObject), false
	return nil
}

// finish checks, behind the last token, that only white space follows.
func (r *jsonReader) finish() error {
	if _, err := r.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return &fault{policy.JSONTrailingData, offset(r.decoder.InputOffset())}
	}
	r.ended = true
	return nil
}

func (r *jsonReader) fail(err error) {
	r.err, r.ended = explain(r.document, err), true
}

// unescape makes the text of the last token.
func (r *jsonReader) unescape() {
	if r.kind != jsontext.KindString {
		r.text = nil
		if r.kind == jsontext.KindNumber {
			r.text = r.document[r.start:r.end]
		}
		return
	}
	r.text = r.document[r.start+1 : r.end-1]
	if r.escapes && bytes.IndexByte(r.text, '\\') >= 0 {
		// The decoder has found nothing wrong with the string.
		r.scratch, _ = jsontext.AppendUnquote(r.scratch[:0], r.document[r.start:r.end])
		r.text = r.scratch
	}
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

// explain turns an error of the decoder into a fault; its text is dropped, since
// it quotes the document.
func explain(b []byte, err error) error {
	var own *fault
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &own):
		return own
	case !errors.As(err, &syntax):
		return &fault{policy.JSONSyntax, "truncated"} // io.EOF: no value at all
	case errors.Is(err, jsontext.ErrDuplicateName):
		return &fault{policy.JSONDuplicateMember, offset(syntax.ByteOffset)}
	case loneSurrogate(b, syntax.ByteOffset):
		return &fault{policy.JSONEncoding, offset(syntax.ByteOffset)}
	}
	return &fault{policy.JSONSyntax, offset(syntax.ByteOffset)}
}

// loneSurrogate reports whether the fault at an offset of a document in UTF-8 is
// only an escaped lone surrogate (RFC 7493 section 2.1): a lenient decoder then
// gets beyond it.
func loneSurrogate(b []byte, at int64) bool {
	lenient := jsontext.NewDecoder(bytes.NewBuffer(b), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	for lenient.InputOffset() <= at {
		if _, err := lenient.ReadToken(); err != nil {
			return false
		}
	}
	return true
}
