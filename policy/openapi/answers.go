package openapi

import (
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json/jsontext"

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
	if policy.IsJSON(mediaType) {
		return policy.Verdict{}, true
	}
	return policy.Permitted(), false
}

// Document judges the JSON document of an answer of which Head said that there is
// more, by its tokens, as [Judge.Judge] does. A required property that is writeOnly
// may be missing, and one that is writeOnly may not be there. A denial's detail is the
// place, up to the last declared name, and the keyword.
func (a *Answers) Document(status int, mediaType string, tokens iter.Seq2[jsontext.Kind, []byte]) (v policy.Verdict) {
	defer recovered(&v)
	if declared := a.of(status); declared != nil {
		if m, ok := declared.covering(mediaType); ok && m.schema != nil {
			run := a.judge.run()
			v = a.judge.document(run, m.schema, tokens)
			a.judge.done(run)
			return v
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
func (b *builder) responses(op *Operation, at spot, o *openapi3.Operation) {
	declared := o.Responses.Map()
	if len(declared) == 0 {
		return
	}
	a := &Answers{exact: map[int]answer{}, judge: Judge{deny: b.way.deny, answers: true, runs: b.runs}}
	for _, key := range sortedKeys(declared) {
		ref := declared[key]
		if ref == nil || ref.Value == nil {
			continue
		}
		found, ok := b.places.child(at.operation, "responses", key)
		if !ok {
			b.report(ref.Value.Origin, at.place+"/responses"+pointer(key), lost, lostFix)
			continue
		}
		made := answer{media: b.contents(b.answers, found, ref.Value.Content)}
		for i := range made.media {
			if m := &made.media[i]; !strings.Contains(m.name, "*") && !m.json {
				b.unjudged(m, found.Child("content", m.key, "schema").Pointer, "answers", "")
			}
		}
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
