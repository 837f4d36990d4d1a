package payload

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// maxContentType bounds the header value that is parsed, in bytes. RFC 6838
// section 4.2 allows 127 for each of type and subtype.
const maxContentType = 512

// Declared is what an operation's contract says of the request body. The zero
// value says that the operation takes none. It is immutable.
type Declared struct {
	body         bool
	ranges       []string // media types and ranges, in lower case without parameters
	maxInflation int      // zero: no content coding is taken off
}

// Declare returns the declaration of an operation that takes a body of one of
// the media types: the keys of the contract's content object, such as
// "application/json", "application/*+json", "text/*" or "*/*". Parameters are
// not compared. The error names the first key that is not a media type.
func Declare(mediaTypes ...string) (Declared, error) {
	d := Declared{body: true}
	for _, key := range mediaTypes {
		essence, _, err := mime.ParseMediaType(key)
		main, sub, found := strings.Cut(essence, "/")
		if err != nil || !found || main == "*" && sub != "*" {
			return Declared{}, fmt.Errorf("media type %q of the request body is not a type/subtype; correct it in the contract", key)
		}
		d.ranges = append(d.ranges, essence)
	}
	return d, nil
}

// Unpacking returns the declaration of an operation that also takes bodies of content
// coding gzip, which is then taken off for inspection. MaxInflation is the bound of
// [Size], at least 1.
func (d Declared) Unpacking(maxInflation int) Declared {
	d.maxInflation = maxInflation
	return d
}

// unpacks reports whether a message has a content coding that is taken off.
func (d Declared) unpacks(h http.Header) bool { return d.maxInflation > 0 && isGzip(h) }

// allows reports whether a sent media type, in lower case without parameters, is
// declared.
func (d Declared) allows(mediaType string) bool {
	return slices.ContainsFunc(d.ranges, func(r string) bool { return policy.CoversMediaType(r, mediaType) })
}

// TakesForm reports whether a form is declared, by name or by a range that covers one.
func (d Declared) TakesForm() bool { return d.allows(formType) || d.allows(formDataType) }

// ContentTypeOf returns the media type of the request's body, in lower case and
// without parameters, and what in.ctype says of it. The media type is the
// client's word, and empty unless the verdict permits. The Inspector and the
// check share this function, so that they cannot disagree.
func ContentTypeOf(r *policy.Request, declared Declared) (mediaType string, v policy.Verdict) {
	if !r.HasBody() {
		return "", policy.Inapplicable()
	}
	return contentType(r.Header, declared)
}

// contentType judges the headers of a message that has a body.
func contentType(h http.Header, declared Declared) (string, policy.Verdict) {
	deny := func(reason policy.Reason) (string, policy.Verdict) { return "", policy.Denied(reason, "") }
	if !declared.body {
		return deny(policy.BodyUndeclared)
	}
	if policy.Coded(h) && !declared.unpacks(h) {
		return deny(policy.ContentCoding)
	}
	sent := h["Content-Type"]
	switch {
	case len(sent) > 1:
		return deny(policy.ContentTypeDuplicate)
	case len(sent) == 0 || sent[0] == "":
		return deny(policy.ContentTypeMissing)
	}
	mediaType, params, ok := parse(sent[0])
	switch {
	case !ok:
		return deny(policy.ContentTypeMalformed)
	case !declared.allows(mediaType):
		return deny(policy.ContentTypeUndeclared)
	}
	if charset, has := params["charset"]; has && (policy.IsJSON(mediaType) || policy.IsXML(mediaType) || IsForm(mediaType)) && !strings.EqualFold(charset, "utf-8") {
		return deny(policy.ContentTypeCharset)
	}
	return mediaType, policy.Permitted()
}

// parse splits a Content-Type value (RFC 9110 section 8.3.1). Beyond the
// grammar, it refuses ranges, and a multipart type without a boundary that everybody
// finds: without it nobody can find the parts.
func parse(value string) (mediaType string, params map[string]string, ok bool) {
	if len(value) > maxContentType || strings.ContainsFunc(value, func(c rune) bool { return c > '~' || c < ' ' && c != '\t' }) {
		return "", nil, false
	}
	if isEssence(value) {
		return value, nil, true
	}
	mediaType, params, err := mime.ParseMediaType(value)
	if err != nil || !strings.Contains(mediaType, "/") || strings.Contains(mediaType, "*") {
		return "", nil, false
	}
	if isMultipart(mediaType) {
		if _, _, ok := boundaryOf(value); !ok {
			return "", nil, false
		}
	}
	return mediaType, params, true
}

// isEssence reports whether a value is a media type in lower case and nothing else,
// which a parser would return as it is. It knows the letters that most types are
// made of; all others are the parser's.
func isEssence(value string) bool {
	slash := -1
	for i := range len(value) {
		switch c := value[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '+', c == '.':
		case c == '/' && slash < 0 && i > 0:
			slash = i
		default:
			return false
		}
	}
	return slash > 0 && slash < len(value)-1 && value[:slash] != "multipart"
}

// Ctype is the check of in.ctype: the body has one Content-Type, which the
// operation declares, and no content coding but one
// that is taken off. Without a body it does not apply.
type Ctype struct {
	// Declared is what the operation takes.
	Declared Declared
}

var _ policy.Check = Ctype{}

// Check implements [policy.Check]. It denies with body-undeclared,
// content-coding, content-type-missing, -duplicate, -malformed, -undeclared or
// -charset; the charset counts where the body is JSON, XML or a form.
func (c Ctype) Check(_ context.Context, r *policy.Request) policy.Verdict {
	if v, missing := r.Match.Missing(); missing {
		return v
	}
	_, v := ContentTypeOf(r, c.Declared)
	return v
}
