package payload

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sidewarden/sidewarden/policy"
)

// header is what the header lines of a part say of it. Lines that RFC 7578, section 4.8,
// does not know are ignored by everybody, and have to be lines all the same.
type header struct {
	disposition, contentType, transferEncoding, contentLength string
	described                                                 bool // there is a disposition

	charset string
	file    bool // it has a filename
	unnamed bool // it has a filename, which is empty
}

// malformed is the fault of a header line; the detail is a word of ours.
func malformed(what string) error { return &fault{policy.MultipartHeaders, what} }

// partHeader reads the header lines of a part, which the CRLF of the last one is
// taken from.
func partHeader(lines []byte) (header, error) {
	var h header
	if len(lines) > MaxPartHeaderBytes {
		return h, malformed("size, " + limit(MaxPartHeaderBytes))
	}
	if !utf8.Valid(lines) {
		return h, &fault{policy.MultipartEncoding, "header"}
	}
	if len(lines) == 0 {
		return h, nil
	}
	seen := make([]string, 0, 4)
	for line := range bytes.SplitSeq(lines, []byte("\r\n")) {
		if len(seen) == MaxPartHeaders {
			return h, malformed("lines, " + limit(MaxPartHeaders))
		}
		name, value, found := strings.Cut(string(line), ":")
		if !found || !policy.IsToken(name) || strings.ContainsFunc(value, func(c rune) bool { return c != '\t' && isControl(c) }) {
			return h, malformed("line")
		}
		name = strings.ToLower(name)
		if slices.Contains(seen, name) {
			return h, malformed("repeated")
		}
		seen = append(seen, name)
		h.take(name, strings.Trim(value, " \t"))
	}
	return h, nil
}

func (h *header) take(name, value string) {
	switch name {
	case "content-disposition":
		h.disposition, h.described = value, true
	case "content-type":
		h.contentType = value
	case "content-transfer-encoding":
		h.transferEncoding = value
	case "content-length":
		h.contentLength = value
	}
}

// part makes the part of a header and its body. Of a field the header must name it.
func (h *header) part(body []byte, field bool) (part, error) {
	p := part{mediaType: textType, body: body}
	if h.described {
		name, err := h.describe(field)
		if err != nil {
			return p, err
		}
		p.name, p.file = name, h.file
	} else if field {
		return p, malformed("no disposition")
	}
	switch strings.ToLower(h.transferEncoding) {
	case "", "binary", "8bit", "7bit":
	default: // RFC 7578, section 4.7: the bytes are not those of the value
		return p, malformed("transfer encoding")
	}
	if h.contentLength != "" && h.contentLength != strconv.Itoa(len(body)) {
		return p, malformed("length") // a parser that believes it goes on elsewhere
	}
	if h.contentType == "" {
		return p, nil
	}
	mediaType, params, ok := parameters(h.contentType)
	if !ok || !strings.Contains(mediaType, "/") || strings.Contains(mediaType, "*") || extended(params, "") {
		return p, malformed("content type")
	}
	p.mediaType = strings.ToLower(mediaType)
	charset, _ := find(params, "charset")
	h.charset = charset.value
	return p, nil
}

// describe reads the disposition and returns the name of the field. RFC 7578,
// section 4.2, knows name and filename alone, and the extended filename, which it forbids, is
// sent beside the plain one by clients that mean well.
func (h *header) describe(field bool) (string, error) {
	kind, params, ok := parameters(h.disposition)
	isField := strings.EqualFold(kind, "form-data")
	switch {
	case !ok:
		return "", malformed("disposition")
	case !isField && field:
		return "", malformed("disposition")
	case !isField:
		return "", nil
	case extended(params, "filename*"):
		return "", malformed("disposition")
	}
	for _, p := range params {
		switch p.name {
		case "name":
		case "filename", "filename*":
			h.file, h.unnamed = true, p.value == "" && (!h.file || h.unnamed)
		default:
			return "", malformed("disposition")
		}
	}
	name, _ := find(params, "name")
	if !plainName(name) {
		return "", malformed("name")
	}
	return name.value, nil
}

// plainName reports whether all parsers find the same name. Some take single
// quotes for quotes, some decode the escapes that browsers send for quotes and line ends (HTML,
// 4.10.22.8), some the encoded words of mail (RFC 2047).
func plainName(p parameter) bool {
	escaped := strings.ToLower(p.value)
	return p.value != "" && !strings.HasPrefix(p.value, "'") && !strings.HasPrefix(p.value, "=?") &&
		!strings.Contains(escaped, "%22") && !strings.Contains(escaped, "%0d") && !strings.Contains(escaped, "%0a")
}
