package payload

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sidewarden/sidewarden/policy"
)

// DefaultMaxFields is how many fields a form may have unless Options say otherwise.
// Parsers of forms stop at a thousand, and some then drop the rest in silence: what is
// behind it would be judged here and not be seen there.
const DefaultMaxFields = 1000

const formType = "application/x-www-form-urlencoded"

// IsForm reports whether a media type, in lower case without parameters, is one of
// those that HTML forms are sent with: its body is a list of named fields.
func IsForm(mediaType string) bool { return mediaType == formType || mediaType == formDataType }

// urlencoded is a body of type application/x-www-form-urlencoded (URL Standard,
// section 5). What servers read differently is refused: a raw ";", which some take for
// a separator; a field without "=" or without a name, which some drop; an escape
// that nobody can decode, a NUL, a byte that has to be escaped; another encoding than
// UTF-8. An empty field between two "&" is none for everybody.
type urlencoded struct {
	body []byte
	// name and value hold the decoded field. They are reused.
	name, value []byte
	// credential reports that a field is named access_token.
	credential bool
}

// check reads the whole body.
func (f *urlencoded) check(maxFields int) error {
	if bytes.HasPrefix(f.body, []byte("\xef\xbb\xbf")) {
		return &fault{policy.FormEncoding, "byte order mark"}
	}
	fields, at := 0, 0
	for field := range bytes.SplitSeq(f.body, []byte("&")) {
		if len(field) > 0 {
			if fields++; fields > maxFields {
				return &fault{policy.FormTooManyFields, limit(maxFields)}
			}
			if err := f.field(field, at); err != nil {
				return err
			}
		}
		at += len(field) + 1
	}
	return nil
}

// field checks one field, which begins at an offset.
func (f *urlencoded) field(field []byte, at int) error {
	name, value, found := bytes.Cut(field, []byte("="))
	var err error
	if f.name, err = unescape(f.name[:0], name, at); err != nil {
		return err
	}
	if f.value, err = unescape(f.value[:0], value, at+len(name)+1); err != nil {
		return err
	}
	switch {
	case !found || len(name) == 0 || bytes.ContainsFunc(f.name, isControl):
		return &fault{policy.FormField, offset(int64(at))}
	case !utf8.Valid(f.name) || !utf8.Valid(f.value):
		return &fault{policy.FormEncoding, offset(int64(at))}
	case isCharsetField(string(f.name)) && !strings.EqualFold(string(f.value), "utf-8"):
		return &fault{policy.FormEncoding, charsetField}
	}
	f.credential = f.credential || string(f.name) == credentialField
	return nil
}

// all yields the tokens of a form that was checked.
func (f *urlencoded) all(yield func(jsontext.Kind, []byte) bool) {
	if !yield(jsontext.KindBeginObject, nil) {
		return
	}
	for field := range bytes.SplitSeq(f.body, []byte("&")) {
		if len(field) == 0 {
			continue
		}
		name, value, _ := bytes.Cut(field, []byte("="))
		f.name, _ = unescape(f.name[:0], name, 0)
		f.value, _ = unescape(f.value[:0], value, 0)
		if !yield(jsontext.KindString, f.name) || !yield(jsontext.KindString, f.value) {
			return
		}
	}
	yield(jsontext.KindEndObject, nil)
}

// unescape appends the decoded text of a name or value, which begins at an offset.
func unescape(dst, text []byte, at int) ([]byte, error) {
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == ';':
			return dst, &fault{policy.FormSeparator, offset(int64(at + i))}
		case c == '+':
			c = ' '
		case c <= ' ' || c == 0x7f:
			return dst, &fault{policy.FormEscape, offset(int64(at + i))}
		case c == '%':
			if i+2 >= len(text) || policy.Unhex(text[i+1]) < 0 || policy.Unhex(text[i+2]) < 0 {
				return dst, &fault{policy.FormEscape, offset(int64(at + i))}
			}
			if c = byte(policy.Unhex(text[i+1])<<4 | policy.Unhex(text[i+2])); c == 0 {
				return dst, &fault{policy.FormEscape, offset(int64(at + i))}
			}
			i += 2
		}
		dst = append(dst, c)
	}
	return dst, nil
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f }

const (
	// credentialField is the name of a token that is sent in a form (RFC 6750 section 2.2).
	credentialField = "access_token"
	// charsetField is the name of the field that says how the others are encoded (HTML,
	// 4.10.22.5; RFC 7578 section 4.6). A server that heeds it reads other text than one
	// that does not.
	charsetField = "_charset_"
)

func isCharsetField(name string) bool { return strings.EqualFold(name, charsetField) }
