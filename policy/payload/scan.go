package payload

import (
	"encoding/binary"
	"math/bits"

	"github.com/go-json-experiment/json/jsontext"
)

// scan is where a jsonReader is between two tokens.
type scan struct {
	last    place
	open    []members // of what is open
	object  bool      // the last of them is one
	objects uint32    // so far
	members int       // members and elements so far
	names   nameSet
}

// place is what the last token was.
type place uint8

const (
	placeBegin place = iota // there was none
	placeOpen               // the beginning of an array or object
	placeName               // the name of a member
	placeValue              // a value, or its end
)

func (s *scan) begin() {
	s.last, s.open, s.object, s.objects, s.members = placeBegin, s.open[:0], false, 0, 0
	s.names.begin()
}

// next reads a token of a document in UTF-8, by RFC 8259 within I-JSON and the bounds. It
// reports false at the first one that it does not take, which [explain] then explains;
// both agree on every document (FuzzReaders).
func (r *jsonReader) next() bool {
	c, at := visible(r.document, r.end)
	switch r.scan.last {
	case placeName:
		if c != ':' {
			return false
		}
		c, at = visible(r.document, at+1)
		return r.value(c, at)
	case placeBegin:
		return r.value(c, at)
	case placeOpen:
		if c == ']' || c == '}' {
			return r.close(c, at)
		}
	case placeValue:
		if c != ',' {
			return r.close(c, at)
		}
		c, at = visible(r.document, at+1)
	}
	if r.scan.members++; r.scan.members > MaxMembers {
		return false
	}
	if r.scan.object {
		return c == '"' && r.member(at)
	}
	return r.value(c, at)
}

// visible returns the first byte from an offset on that is no white space, and where it
// is; 0, with which no token begins, at the end.
func visible(b []byte, at int) (byte, int) {
	for ; at < len(b); at++ {
		if c := b[at]; c > ' ' || c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c, at
		}
	}
	return 0, at
}

// member reads the name of a member, which must be new in its object.
func (r *jsonReader) member(at int) bool {
	r.kind, r.name, r.depth = jsontext.KindString, true, len(r.scan.open)
	r.scan.last = placeName
	return r.str(at) && r.scan.names.add(&r.scan.open[r.depth-1], r.text, len(r.text) < r.end-r.start-2)
}

// value reads a scalar, or the beginning of an array or object.
func (r *jsonReader) value(c byte, at int) bool {
	r.name, r.depth = false, len(r.scan.open)
	r.scan.last = placeValue
	switch c {
	case '"':
		r.kind = jsontext.KindString
		if !r.str(at) {
			return false
		}
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		r.kind = jsontext.KindNumber
		if !r.number(at) {
			return false
		}
	case '{', '[':
		return r.begins(c, at)
	case 't':
		if !r.literal(at, "true") {
			return false
		}
	case 'f':
		if !r.literal(at, "false") {
			return false
		}
	case 'n':
		if !r.literal(at, "null") {
			return false
		}
	default:
		return false
	}
	return r.depth > 0 || r.finish()
}

// begins reads the beginning of an array or object.
func (r *jsonReader) begins(c byte, at int) bool {
	if r.depth == r.maxDepth {
		return false
	}
	r.kind, r.start, r.end, r.text = jsontext.Kind(c), at, at+1, nil
	r.scan.last, r.scan.object = placeOpen, c == '{'
	if r.scan.object {
		r.scan.objects++
		r.scan.open = append(r.scan.open, r.scan.names.open(r.scan.objects))
	} else {
		r.scan.open = append(r.scan.open, members{})
	}
	return true
}

// close reads the end of the array or object that is open.
func (r *jsonReader) close(c byte, at int) bool {
	depth := len(r.scan.open) - 1
	if c != '}' && c != ']' || (c == '}') != r.scan.object {
		return false
	}
	r.kind, r.name, r.start, r.end, r.text, r.depth = jsontext.Kind(c), false, at, at+1, nil, depth
	if r.scan.object {
		r.scan.names.close(&r.scan.open[depth])
	}
	r.scan.last, r.scan.open = placeValue, r.scan.open[:depth]
	if depth == 0 {
		return r.finish()
	}
	r.scan.object = r.scan.open[depth-1].object != 0
	return true
}

// finish checks, behind the last token, that only white space follows.
func (r *jsonReader) finish() bool {
	_, at := visible(r.document, r.end)
	r.ended = at == len(r.document)
	return r.ended
}

func (r *jsonReader) literal(at int, word string) bool {
	end := at + len(word)
	if end > len(r.document) || string(r.document[at:end]) != word {
		return false
	}
	r.kind, r.start, r.end, r.text = jsontext.Kind(word[0]), at, end, nil
	return true
}

// number reads a number (RFC 8259, section 6).
func (r *jsonReader) number(at int) bool {
	b, end := r.document, at
	if b[end] == '-' {
		end++
	}
	if end < len(b) && b[end] == '0' {
		end++
	} else if n := digits(b, end); n > end {
		end = n
	} else {
		return false
	}
	if end < len(b) && b[end] == '.' {
		n := digits(b, end+1)
		if n == end+1 {
			return false
		}
		end = n
	}
	exponent := end < len(b) && b[end]|0x20 == 'e'
	if exponent {
		if end++; end < len(b) && (b[end] == '+' || b[end] == '-') {
			end++
		}
		n := digits(b, end)
		if n == end {
			return false
		}
		end = n
	}
	r.start, r.end, r.text = at, end, b[at:end]
	return !exponent && end-at <= MaxNumberBytes || checkNumber(r.text) == nil
}

// digits returns where the digits end that begin at an offset.
func digits(b []byte, at int) int {
	for at < len(b) && b[at]-'0' <= 9 {
		at++
	}
	return at
}

// str reads the string that begins at an offset. What is escaped in it, lone
// surrogates above all, is judged by jsontext.
func (r *jsonReader) str(at int) bool {
	b := r.document
	end := special(b, at+1)
	if end < len(b) && b[end] == '"' {
		r.start, r.end, r.text = at, end+1, b[at+1:end]
		return true
	}
	for end+1 < len(b) && b[end] == '\\' {
		end = special(b, end+2)
	}
	if end >= len(b) || b[end] != '"' {
		return false
	}
	var err error
	r.scratch, err = jsontext.AppendUnquote(r.scratch[:0], b[at:end+1])
	r.start, r.end, r.text = at, end+1, r.scratch
	return err == nil
}

// special returns where, from an offset on, the first byte is that does not stand for
// itself in a string: a quote, a backslash or a control character.
func special(b []byte, at int) int {
	const each, high = 0x0101010101010101, 0x8080808080808080
	for ; at+8 <= len(b); at += 8 {
		// Subtracting borrows into the high bit of a byte that is too small, and only
		// bytes behind it can be wrong.
		w := binary.LittleEndian.Uint64(b[at:])
		quote, backslash := w^each*'"', w^each*'\\'
		found := ((quote-each)&^quote | (backslash-each)&^backslash | (w-each*' ')&^w) & high
		if found != 0 {
			return at + bits.TrailingZeros64(found)/8
		}
	}
	for at < len(b) && b[at] >= ' ' && b[at] != '"' && b[at] != '\\' {
		at++
	}
	return at
}
