package payload

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sidewarden/sidewarden/policy"
)

// explain returns why the scanner does not take a document, whose text is UTF-8: the first
// fault that the decoder of jsontext or a bound finds. What a client is told of its
// document so is what a reader says that others use and test, and the scanner has nothing
// to say but yes or no.
func explain(b []byte, maxDepth int) error {
	if _, err := reread(b, maxDepth); err != nil {
		return err
	}
	return errors.New("two readers of JSON disagree") // one of them is wrong: nothing is decided
}

// reread reads a document by jsontext, and returns its first fault and how many tokens
// come before it.
func reread(b []byte, maxDepth int) (tokens int, err error) {
	r := rereader{decoder: jsontext.NewDecoder(bytes.NewBuffer(b)), document: b, maxDepth: maxDepth}
	for !r.ended {
		if err := r.next(); err != nil {
			return tokens, faultOf(b, err)
		}
		tokens++
	}
	return tokens, nil
}

// rereader applies the bounds to the tokens of a decoder.
type rereader struct {
	decoder  *jsontext.Decoder
	document []byte
	maxDepth int
	ended    bool
	name     bool   // the last token is the name of a member
	objects  []bool // what is open: true is an object, false an array
	members  int    // members and elements so far
}

// next reads a token and applies the bounds to it.
func (r *rereader) next() error {
	start := int(r.decoder.InputOffset())
	token, err := r.decoder.ReadToken()
	if err != nil {
		return err
	}
	kind := token.Kind()
	if closes(kind) {
		r.objects, r.name = r.objects[:len(r.objects)-1], false
	} else if err := r.count(kind, start); err != nil {
		return err
	}
	if len(r.objects) == 0 {
		return r.finish()
	}
	return nil
}

// count keeps account of where a name or value is, and applies the bounds.
func (r *rereader) count(kind jsontext.Kind, start int) error {
	depth := len(r.objects)
	object := depth > 0 && r.objects[depth-1]
	r.name = object && !r.name
	if depth > 0 && (r.name || !object) { // a member counts by its name
		if r.members++; r.members > MaxMembers {
			return &fault{policy.JSONTooManyMembers, limit(MaxMembers)}
		}
	}
	switch {
	case kind == jsontext.KindNumber:
		return checkNumber(bytes.TrimLeft(r.document[start:r.decoder.InputOffset()], " \t\r\n,:"))
	case !opens(kind):
		return nil
	case depth == r.maxDepth:
		return &fault{policy.JSONTooDeep, limit(r.maxDepth)}
	}
	r.objects, r.name = append(r.objects, kind == jsontext.KindBeginObject), false
	return nil
}

// finish checks, behind the last token, that only white space follows.
func (r *rereader) finish() error {
	if _, err := r.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return &fault{policy.JSONTrailingData, offset(r.decoder.InputOffset())}
	}
	r.ended = true
	return nil
}

// faultOf turns an error of the decoder into a fault; its text is dropped, since
// it quotes the document.
func faultOf(b []byte, err error) error {
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
