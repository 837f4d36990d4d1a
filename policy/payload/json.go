package payload

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
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
	// MaxExponent is how large the exponent of a JSON number may be, either way:
	// that of IEEE 754 double precision.
	MaxExponent = 308
)

// ReadJSON reads a whole JSON document strictly and returns it as a tree of
// map[string]any, []any, [json.Number], string, bool and nil, and the verdict of
// in.wellformed. The tree is nil unless the verdict permits, and shares no memory
// with b. MaxDepth is how deep arrays and objects may nest; a scalar has depth 0.
func ReadJSON(b []byte, maxDepth int) (any, policy.Verdict) {
	value, err := readJSON(b, maxDepth)
	if err != nil {
		return nil, verdictOf(err)
	}
	return value, policy.Permitted()
}

func readJSON(b []byte, maxDepth int) (any, error) {
	if bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) || !utf8.Valid(b) {
		return nil, &fault{policy.JSONEncoding, ""}
	}
	r := jsonReader{decoder: jsontext.NewDecoder(bytes.NewBuffer(b)), maxDepth: maxDepth}
	value, err := r.value()
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return nil, explain(b, err)
	}
	return value, nil
}

// jsonReader builds the tree of one document.
type jsonReader struct {
	decoder         *jsontext.Decoder
	depth, maxDepth int
	members         int // members and elements so far
}

// value reads the next value. Its recursion ends at the depth bound.
func (r *jsonReader) value() (any, error) {
	token, err := r.decoder.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case jsontext.KindBeginObject:
		return r.nested(r.object)
	case jsontext.KindBeginArray:
		return r.nested(r.array)
	case jsontext.KindString:
		return token.String(), nil
	case jsontext.KindNumber:
		return number(token.String())
	case jsontext.KindTrue, jsontext.KindFalse:
		return token.Bool(), nil
	case jsontext.KindNull, jsontext.KindEndObject, jsontext.KindEndArray, jsontext.KindInvalid:
	}
	return nil, nil // null: where a value is due, the decoder gives none of the others
}

// nested reads an object or array one level down.
func (r *jsonReader) nested(read func() (any, error)) (any, error) {
	if r.depth++; r.depth > r.maxDepth {
		return nil, &fault{policy.JSONTooDeep, limit(r.maxDepth)}
	}
	value, err := read()
	r.depth--
	return value, err
}

func (r *jsonReader) object() (any, error) {
	object := make(map[string]any)
	for r.decoder.PeekKind() != jsontext.KindEndObject {
		token, err := r.decoder.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String()
		if err := r.count(); err != nil {
			return nil, err
		}
		if object[name], err = r.value(); err != nil {
			return nil, err
		}
	}
	_, err := r.decoder.ReadToken()
	return object, err
}

func (r *jsonReader) array() (any, error) {
	array := []any{}
	for r.decoder.PeekKind() != jsontext.KindEndArray {
		if err := r.count(); err != nil {
			return nil, err
		}
		value, err := r.value()
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	_, err := r.decoder.ReadToken()
	return array, err
}

func (r *jsonReader) count() error {
	if r.members++; r.members > MaxMembers {
		return &fault{policy.JSONTooManyMembers, limit(MaxMembers)}
	}
	return nil
}

// end checks that only white space follows.
func (r *jsonReader) end() error {
	if _, err := r.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return &fault{policy.JSONTrailingData, offset(r.decoder.InputOffset())}
	}
	return nil
}

// number applies the bounds of numbers to a literal of valid syntax.
func number(literal string) (any, error) {
	if len(literal) > MaxNumberBytes {
		return nil, &fault{policy.JSONNumber, "length, " + limit(MaxNumberBytes)}
	}
	if i := strings.IndexAny(literal, "eE"); i >= 0 {
		if e, err := strconv.Atoi(literal[i+1:]); err != nil || e > MaxExponent || e < -MaxExponent {
			return nil, &fault{policy.JSONNumber, "exponent, " + limit(MaxExponent)}
		}
	}
	return json.Number(literal), nil
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
