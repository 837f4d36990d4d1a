package policy

import "strings"

// CoversMediaType reports whether a media type, or range of them, that a contract declares
// is or includes one that was sent: "*/*" all, "text/*" every subtype, "application/*+json"
// every one with that suffix (RFC 9110, section 12.5.1; RFC 6838, section 4.2.8). Both are in lower
// case and without parameters. Whoever judges a body asks this function, so that all
// agree on which declaration it is about.
func CoversMediaType(declared, sent string) bool {
	if declared == sent || declared == "*/*" {
		return true
	}
	main, sub, _ := strings.Cut(declared, "/")
	suffix, ranged := strings.CutPrefix(sub, "*")
	sentMain, sentSub, _ := strings.Cut(sent, "/")
	return ranged && main == sentMain && strings.HasSuffix(sentSub, suffix)
}

// IsJSON reports whether a media type, in lower case without parameters, is a
// JSON type (WHATWG MIME Sniffing, section 4.6).
func IsJSON(mediaType string) bool {
	return mediaType == "application/json" || mediaType == "text/json" || strings.HasSuffix(mediaType, "+json")
}

// IsXML reports whether a media type, in lower case without parameters, is an
// XML type (WHATWG MIME Sniffing, section 4.6).
func IsXML(mediaType string) bool {
	return mediaType == "application/xml" || mediaType == "text/xml" || strings.HasSuffix(mediaType, "+xml")
}

// Kinds of the tokens that stand before those of the value of a multipart body's part,
// beside the kinds of JSON: its media type, in lower case without parameters; a mark
// without text of a part that has a filename, which servers keep apart from the fields;
// and, where the value is read as JSON, its bytes, because a contract may want the
// document and not what it says.
const (
	PartType  = 'm'
	PartFile  = 'F'
	PartBytes = 'b'
)

// IsToken reports whether s is a token (RFC 9110, section 5.6.2), as the names of fields,
// methods and media types are.
func IsToken[T string | []byte](s T) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9', c == '-':
		case strings.IndexByte("!#$%&'*+.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return len(s) > 0
}
