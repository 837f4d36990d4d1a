package payload

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sidewarden/sidewarden/policy"
)

const (
	// DefaultMaxParts is how many parts a multipart body may have unless Options say
	// otherwise.
	DefaultMaxParts = 100
	// MaxPartHeaders is how many header lines a part may have.
	MaxPartHeaders = 16
	// MaxPartHeaderBytes is how long the header lines of a part may be together.
	MaxPartHeaderBytes = 8192

	formDataType = "multipart/form-data"
	textType     = "text/plain"
)

func isMultipart(mediaType string) bool { return strings.HasPrefix(mediaType, "multipart/") }

// part is one part of a multipart body.
type part struct {
	name      string
	mediaType string // in lower case, without parameters
	file      bool   // it has a filename
	body      []byte
	// absent reports that it is what a browser sends for a file that was not chosen (HTML,
	// 4.10.22.4): no content, and an empty filename.
	absent bool
}

// multipart is a body of a type multipart/* (RFC 2046, section 5.1; RFC 7578). What is
// accepted is the one form that all parsers read alike: delimiters alone on their line
// and nowhere else, lines that end with CRLF, nothing before the first delimiter or
// behind the last one but one CRLF, headers without folding. It is read by our own code because
// the parsers of libraries forgive what others do not.
type multipart struct {
	boundary string
	quoted   bool // the boundary was sent in quotes
	// named reports that every part is a field: that of multipart/form-data.
	named        bool
	maxParts     int
	maxPartBytes int64
	maxDepth     int

	parts      []part
	credential bool // a field is named access_token
}

// boundaryOf returns the boundary of a Content-Type of multipart/*, and whether it was
// sent in quotes. It is one of RFC 2046, section 5.1.1, but without spaces, at which some parsers
// end it.
func boundaryOf(contentType string) (boundary string, quoted, ok bool) {
	_, params, ok := parameters(contentType)
	if !ok || extended(params, "") {
		return "", false, false
	}
	p, _ := find(params, "boundary")
	if p.value == "" || len(p.value) > 70 {
		return "", false, false
	}
	for i := range len(p.value) {
		c := p.value[i]
		if !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("'()+_,-./:=?", c) >= 0) {
			return "", false, false
		}
	}
	return p.value, p.quoted, true
}

// read splits a body into its parts and checks each.
func (m *multipart) read(b []byte) error {
	if m.quoted && bytes.Contains(b, []byte(`--"`+m.boundary)) {
		return &fault{policy.MultipartBoundary, "quoted"} // the delimiter of whoever keeps the quotes
	}
	dash := []byte("--" + m.boundary)
	rest := bytes.TrimPrefix(b, []byte("\r\n"))
	if !bytes.HasPrefix(rest, dash) {
		return &fault{policy.MultipartOutside, "before the first delimiter"}
	}
	for {
		rest = rest[len(dash):]
		if tail, closed := bytes.CutPrefix(rest, []byte("--")); closed {
			if len(tail) > 0 && string(tail) != "\r\n" {
				return &fault{policy.MultipartOutside, "behind the last delimiter"}
			}
			return nil
		}
		chunk, ok := bytes.CutPrefix(rest, []byte("\r\n"))
		if !ok {
			return &fault{policy.MultipartBoundary, offset(int64(len(b) - len(rest)))}
		}
		end := bytes.Index(chunk, dash)
		if end < 0 {
			return &fault{policy.MultipartTruncated, ""}
		}
		rest = chunk[end:]
		if chunk, ok = bytes.CutSuffix(chunk[:end], []byte("\r\n")); !ok {
			return &fault{policy.MultipartBoundary, offset(int64(len(b) - len(rest)))}
		}
		if len(m.parts) == m.maxParts {
			return &fault{policy.MultipartTooManyParts, limit(m.maxParts)}
		}
		if err := m.part(chunk); err != nil {
			return m.within(err)
		}
	}
}

// within says in which part, counted from 1, a fault is.
func (m *multipart) within(err error) error {
	var f *fault
	if !errors.As(err, &f) {
		return err
	}
	detail := "part " + strconv.Itoa(len(m.parts)+1)
	if f.detail != "" {
		detail += ", " + f.detail
	}
	return &fault{f.reason, detail}
}

// part reads what stands between two delimiters.
func (m *multipart) part(chunk []byte) error {
	var lines []byte
	body, bare := bytes.CutPrefix(chunk, []byte("\r\n"))
	if !bare {
		var ended bool
		if lines, body, ended = bytes.Cut(chunk, []byte("\r\n\r\n")); !ended {
			return &fault{policy.MultipartHeaders, "without an end"}
		}
	}
	if m.maxPartBytes > 0 && int64(len(body)) > m.maxPartBytes {
		return &fault{policy.MultipartPartTooLarge, "limit " + strconv.FormatInt(m.maxPartBytes, 10)}
	}
	h, err := partHeader(lines)
	if err != nil {
		return err
	}
	made, err := h.part(body, m.named)
	if err != nil {
		return err
	}
	if err := m.content(made, h); err != nil {
		return err
	}
	made.absent = m.named && h.unnamed && len(body) == 0
	m.credential = m.credential || made.name == credentialField
	m.parts = append(m.parts, made)
	return nil
}

// content checks what is in a part, by its type.
func (m *multipart) content(p part, h header) error {
	switch {
	case isMultipart(p.mediaType):
		return &fault{policy.MultipartNested, ""}
	case policy.IsJSON(p.mediaType):
		if !utf8Named(h.charset) {
			return &fault{policy.MultipartEncoding, "charset"}
		}
		if v := ReadJSON(p.body, m.maxDepth, nil); !v.Passes() {
			return &fault{v.Reason, v.Detail}
		}
	case policy.IsXML(p.mediaType):
		if !utf8Named(h.charset) {
			return &fault{policy.MultipartEncoding, "charset"}
		}
		if v := ReadXML(p.body, m.maxDepth); !v.Passes() {
			return &fault{v.Reason, v.Detail}
		}
	case h.file || !strings.HasPrefix(p.mediaType, "text/"):
		return nil // bytes, whatever they say
	case isCharsetField(p.name) && !strings.EqualFold(string(p.body), "utf-8"):
		return &fault{policy.MultipartEncoding, charsetField}
	case !utf8Named(h.charset) && (!extendsASCII(h.charset) || !isASCII(p.body)):
		return &fault{policy.MultipartEncoding, "charset"}
	case !utf8.Valid(p.body) || bytes.HasPrefix(p.body, []byte("\xef\xbb\xbf")):
		return &fault{policy.MultipartEncoding, ""}
	}
	return nil
}

func utf8Named(charset string) bool { return charset == "" || strings.EqualFold(charset, "utf-8") }

// extendsASCII reports whether text of ASCII alone is the same in a charset as in UTF-8.
// Some clients name such a charset for every text.
func extendsASCII(charset string) bool {
	switch strings.ToLower(charset) {
	case "us-ascii", "iso-8859-1", "windows-1252":
		return true
	}
	return false
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// all yields the tokens of a body whose parts are fields.
func (m *multipart) all(yield func(jsontext.Kind, []byte) bool) {
	if !yield(jsontext.KindBeginObject, nil) {
		return
	}
	for _, p := range m.parts {
		if p.absent {
			continue
		}
		if !yield(jsontext.KindString, []byte(p.name)) || !yield(policy.PartType, []byte(p.mediaType)) ||
			p.file && !yield(policy.PartFile, nil) || !p.value(m.maxDepth, yield) {
			return
		}
	}
	yield(jsontext.KindEndObject, nil)
}

// value yields the tokens of the part's value and reports whether to go on.
func (p *part) value(maxDepth int, yield func(jsontext.Kind, []byte) bool) bool {
	if !policy.IsJSON(p.mediaType) {
		return yield(jsontext.KindString, p.body)
	}
	if !yield(policy.PartBytes, p.body) {
		return false
	}
	more := true
	ReadJSON(p.body, maxDepth, func(kind jsontext.Kind, text []byte) bool {
		more = yield(kind, text)
		return more
	})
	return more
}

// isFields reports whether every part is a named field.
func (m *multipart) isFields() bool {
	for _, p := range m.parts {
		if p.name == "" {
			return false
		}
	}
	return m.named || len(m.parts) > 0
}
