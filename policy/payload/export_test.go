package payload

import (
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sidewarden/sidewarden/policy"
)

// Fields returns the tokens of a body that is neither JSON nor XML, for the tests.
func Fields(h http.Header, mediaType string, body []byte) (kinds []jsontext.Kind, texts []string, v policy.Verdict) {
	o := Options{MaxDepth: 8}
	read, v := o.readFields(h, mediaType, body)
	for kind, text := range read.tokens {
		kinds, texts = append(kinds, kind), append(texts, string(text))
	}
	return kinds, texts, v
}

// Reread returns what jsontext and the bounds say of a document in UTF-8, for the tests:
// why it is refused, and how many tokens come before that.
func Reread(b []byte, maxDepth int) (tokens int, v policy.Verdict) {
	tokens, err := reread(b, maxDepth)
	return tokens, verdictOf(err)
}
