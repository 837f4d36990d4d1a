package openapi

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/sidewarden/sidewarden/policy"
)

// Answers judges the answers of one operation against the contract. It is
// immutable and safe for concurrent use.
type Answers struct {
	judge    Judge // of schemas alone
	exact    map[int]answer
	classes  [6]*answer // of ranges such as 2XX, by the first digit
	fallback *answer    // "default"
}

// answer is what the contract says of one status or range.
type answer struct{ media []media } // exact types first; none says nothing of the body

// Head judges what the head of an answer tells: its status, which the contract
// declares exactly, by a range such as 2XX or by "default", in this order; and, if
// it has a body, its media type, in lower case without parameters, or "" for none.
// More reports that the verdict is still open: the body is JSON, of which Document
// says the rest.
//
// An answer whose declaration has no content says nothing of its body. A media
// type that is declared and not JSON is all that is judged of such a body.
func (a *Answers) Head(status int, mediaType string, body bool) (v policy.Verdict, more bool) {
	declared := a.of(status)
	if declared == nil {
		return policy.Denied(policy.StatusUndeclared, ""), false
	}
	if !body || len(declared.media) == 0 {
		return policy.Permitted(), false
	}
	if _, ok := declared.covering(mediaType); !ok {
		if mediaType == "" {
			return policy.Denied(policy.ContentTypeMissing, ""), false
		}
		return policy.Denied(policy.ContentTypeUndeclared, ""), false
	}
	if isJSON(mediaType) {
		return policy.Verdict{}, true
	}
	return policy.Permitted(), false
}

// Document judges the JSON document of an answer of which Head said that there is
// more, decoded as [Judge.Judge] wants it. A required property that is writeOnly
// may be missing, and one that is writeOnly may not be there. Document does not
// change the value; a denial's detail is the place, up to the last declared name,
// and the keyword.
func (a *Answers) Document(status int, mediaType string, value any) (v policy.Verdict) {
	defer func() {
		// The library has panicked on hostile values before.
		if p := recover(); p != nil {
			v = policy.Undecided(policy.InternalError, fmt.Errorf("the judge of the contract panicked: %T", p))
		}
	}()
	if declared := a.of(status); declared != nil {
		if m, ok := declared.covering(mediaType); ok && m.schema != nil {
			return a.judge.document(&subject{schema: m.schema}, value)
		}
	}
	return policy.Permitted()
}

// of returns what the contract says of a status; nil if that is nothing. "default"
// says nothing of an upgrade (101), which is no answer to the request.
func (a *Answers) of(status int) *answer {
	if exact, ok := a.exact[status]; ok {
		return &exact
	}
	if class := status / 100; class > 0 && class < len(a.classes) && a.classes[class] != nil {
		return a.classes[class]
	}
	if status < http.StatusOK {
		return nil
	}
	return a.fallback
}

// covering returns the declared type that is or includes the media type.
func (a *answer) covering(mediaType string) (media, bool) {
	i := slices.IndexFunc(a.media, func(m media) bool { return m.covers(mediaType) })
	if i < 0 {
		return media{}, false
	}
	return a.media[i], true
}

// responses takes the declared answers of an operation; none where the contract
// declares none.
func (b *builder) responses(op *Operation, place string, o *openapi3.Operation) {
	declared := o.Responses.Map()
	if len(declared) == 0 {
		return
	}
	a := &Answers{exact: map[int]answer{}, judge: Judge{family: b.family, engine: b.engine, deny: b.deny}}
	for _, key := range sortedKeys(declared) {
		ref := declared[key]
		if ref == nil || ref.Value == nil {
			continue
		}
		made := answer{media: b.contents(place+"/responses"+pointer(key), ref.Value.Content)}
		digit, ranged := strings.CutSuffix(strings.ToUpper(key), "XX")
		status, err := strconv.Atoi(digit)
		switch {
		case key == "default":
			a.fallback = &made
		case err != nil: // the library has refused it before
		case ranged && status > 0 && status < len(a.classes):
			a.classes[status] = &made
		default:
			a.exact[status] = made
		}
	}
	op.answers = a
}

// contents takes the declared media types of an answer.
func (b *builder) contents(place string, content openapi3.Content) []media {
	all := make([]media, 0, len(content))
	for _, key := range sortedKeys(content) {
		m := media{name: mediaName(key)}
		m.json = isJSON(m.name)
		if c := content[key]; c != nil && c.Schema != nil && (m.json || strings.Contains(m.name, "*")) {
			m.schema = c.Schema.Value // a range such as */* may be answered as JSON too
			b.root(m.schema, place+"/content"+pointer(key)+"/schema")
		}
		all = append(all, m)
	}
	slices.SortStableFunc(all, media.compare)
	return all
}
