package payload

import (
	"iter"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sidewarden/sidewarden/policy"
)

// fields is what a body is that is neither JSON nor XML.
type fields struct {
	// tokens are those of one object for a form, those of one string for text in UTF-8
	// and for bytes, and none for text in another charset and parts without names.
	tokens iter.Seq2[jsontext.Kind, []byte]
	// form reports that it is a form, credential that a field of it is named
	// access_token.
	form, credential bool
}

// once lets tokens be ranged over once, as those of JSON are.
func once(all iter.Seq2[jsontext.Kind, []byte]) iter.Seq2[jsontext.Kind, []byte] {
	ranged := false
	return func(yield func(jsontext.Kind, []byte) bool) {
		if !ranged {
			ranged = true
			all(yield)
		}
	}
}

// readFields reads a form, a multipart body or text, and returns the verdict of
// in.wellformed, which applies to forms alone. A body that is not well-formed
// has no tokens.
func (o *Options) readFields(h http.Header, mediaType string, b []byte) (fields, policy.Verdict) {
	none := fields{tokens: noTokens, form: IsForm(mediaType)}
	switch {
	case mediaType == formType:
		f := &urlencoded{body: b}
		if err := f.check(orDefault(o.MaxFields, DefaultMaxFields)); err != nil {
			return none, verdictOf(err)
		}
		return fields{once(f.all), true, f.credential}, policy.Permitted()
	case isMultipart(mediaType):
		m := multipart{
			named: mediaType == formDataType, maxParts: orDefault(o.MaxParts, DefaultMaxParts),
			maxPartBytes: o.MaxPartBytes, maxDepth: o.MaxDepth,
		}
		m.boundary, m.quoted, _ = boundaryOf(h.Get("Content-Type")) // in.ctype saw to it
		if err := m.read(b); err != nil {
			return none, verdictOf(err)
		}
		if !m.isFields() {
			return none, policy.Permitted()
		}
		return fields{once(m.all), none.form, m.credential}, policy.Permitted()
	case !isText(mediaType) || utf8.Valid(b) && isPlainUTF8(h.Get("Content-Type")):
		return fields{tokens: once(func(yield func(jsontext.Kind, []byte) bool) { yield(jsontext.KindString, b) })}, policy.Inapplicable()
	}
	return none, policy.Inapplicable()
}

func isText(mediaType string) bool { return strings.HasPrefix(mediaType, "text/") }

// formToken returns the fact Body.FormToken of a body by its media type, "" for one that
// in.ctype denies: where a form may be sent, it can be one all the same.
func (in *Inspector) formToken(mediaType string, wellFormed policy.Verdict, credential bool) policy.Verdict {
	switch {
	case !IsForm(mediaType) && (mediaType != "" || !in.options.Declared.TakesForm()):
		return policy.Inapplicable()
	case credential:
		return policy.Denied(policy.CredentialDuplicate, "")
	case wellFormed.Passes() || wellFormed.Reason == policy.NotInspected:
		return wellFormed
	}
	return wellFormed.Dependent(policy.InWellformed)
}

// isPlainUTF8 reports whether a Content-Type names no other charset than UTF-8, or
// US-ASCII, which is a part of it.
func isPlainUTF8(contentType string) bool {
	_, params, ok := parse(contentType)
	charset := params["charset"]
	return ok && (utf8Named(charset) || strings.EqualFold(charset, "us-ascii"))
}

func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}
