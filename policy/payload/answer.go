package payload

import (
	"context"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sidewarden/sidewarden/policy"
)

// AnswerSize is the check of out.size: the answer's body is not larger than a
// bound. A declared length is judged without reading, an undeclared one when the
// body was counted, in bytes as they were sent. Without a body it does not apply.
type AnswerSize struct {
	// MaxBytes is the largest body that is permitted, in bytes.
	MaxBytes int64
}

var _ policy.Check = AnswerSize{}

// Check implements [policy.Check]. It denies with body-too-large; the detail is
// the bound. It is undecided, not-inspected, while the length is not known, and
// stream-unbounded of an event stream without a declared length and of an upgrade: an
// answer that is meant not to end has no size, however little of it came. To an upgrade
// that the operation allows it does not apply.
func (c AnswerSize) Check(_ context.Context, r *policy.Request) policy.Verdict {
	resp := r.Response
	switch {
	case r.Switched():
		return policy.Inapplicable()
	case resp.Upgraded():
		return policy.Undecided(policy.StreamUnbounded, nil)
	case resp.Bodiless(r.Method) || resp.Body.Size == 0:
		return policy.Inapplicable()
	}
	switch {
	case sizeOf(&resp.Body) > c.MaxBytes:
		return policy.Denied(policy.BodyTooLarge, "limit "+strconv.FormatInt(c.MaxBytes, 10))
	case len(resp.Header["Content-Length"]) == 0 && isEventStream(resp.Header):
		return policy.Undecided(policy.StreamUnbounded, nil)
	case resp.Body.Size < 0 && !resp.Body.Whole:
		return policy.Undecided(policy.NotInspected, nil)
	}
	return policy.Permitted()
}

// isEventStream reports whether a body is one of server-sent events (HTML, 9.2).
func isEventStream(h http.Header) bool {
	mediaType, _, _ := parse(h.Get("Content-Type"))
	return mediaType == "text/event-stream"
}

// AnswerJudge says whether an answer is what the contract declares: the verdict of
// out.schema.
type AnswerJudge interface {
	// Head judges status and media type; body reports that there is a body, and the
	// media type is "" for none. More reports that the verdict is open until Document
	// has judged the body.
	Head(status int, mediaType string, body bool) (v policy.Verdict, more bool)
	// Document judges a JSON body of which Head said that there is more. The tokens
	// are as [Judge] has them.
	Document(status int, mediaType string, tokens iter.Seq2[jsontext.Kind, []byte]) policy.Verdict
}

// AnswerOptions say how the answers of one operation are inspected.
type AnswerOptions struct {
	// MaxBytes is how much of a body is read; the same as of its [AnswerSize].
	MaxBytes int64
	// Sized reports that out.size judges the answers, too: it is then what leaves a
	// body over the bound undecided.
	Sized bool
	// MaxDepth is how deep JSON may nest.
	MaxDepth int
	// Schema judges by the contract; nil if the contract declares no answer, of
	// which nothing can then be said.
	Schema AnswerJudge
}

// AnswerInspector reads the answers to one operation. It is immutable, but for the
// memory that it keeps for the next answer.
type AnswerInspector struct {
	options AnswerOptions
	readers sync.Pool // of *jsonReader
}

var _ policy.Inspector = (*AnswerInspector)(nil)

// NewAnswerInspector returns an inspector of answers.
func NewAnswerInspector(o AnswerOptions) *AnswerInspector {
	return &AnswerInspector{options: o, readers: sync.Pool{New: func() any { return newJSONReader() }}}
}

// Inspect implements [policy.Inspector] for the body of r.Response. Only Schema is
// judged. It does not apply to an answer to HEAD and to 304, which describe another
// answer. Of an upgrade the status alone is judged, for what follows nobody reads.
// It is undecided with content-partial for 206 and with content-coding for a body
// with a content coding: the bytes are not those that the contract describes, and
// the client chose it.
func (in *AnswerInspector) Inspect(r *policy.Request, b []byte, size int64, whole bool) policy.Body {
	if whole {
		size = int64(len(b))
	}
	body := policy.Body{Bytes: b, Size: size, Whole: whole, WellFormed: policy.Inapplicable()}
	body.Schema = in.judge(r, &body)
	return body
}

func (in *AnswerInspector) judge(r *policy.Request, body *policy.Body) (v policy.Verdict) {
	defer recoverJudge(&v)
	resp := r.Response
	switch {
	case in.options.Schema == nil, resp == nil, resp.Status < http.StatusOK && !resp.Upgraded(),
		resp.Status == http.StatusNotModified, r.Method == http.MethodHead:
		return policy.Inapplicable()
	case resp.Status == http.StatusPartialContent:
		return policy.Undecided(policy.ContentPartial, nil)
	}
	hasBody := body.Size != 0 && !resp.Bodiless(r.Method)
	if hasBody && policy.Coded(resp.Header) {
		return policy.Undecided(policy.ContentCoding, nil)
	}
	mediaType, ambiguous := answerType(resp.Header)
	v, more := in.options.Schema.Head(resp.Status, mediaType, hasBody)
	switch {
	case hasBody && ambiguous != "" && v.Reason == policy.ContentTypeMissing:
		return policy.Denied(ambiguous, "") // there is one, and nobody can say which
	case !more:
		return v
	case in.options.Sized && sizeOf(body) > in.options.MaxBytes:
		return policy.UndecidedBy(policy.OutSize)
	case !body.Whole || sizeOf(body) > in.options.MaxBytes:
		return policy.Undecided(policy.NotInspected, nil)
	}
	return in.document(resp.Status, mediaType, body.Bytes)
}

// document judges a JSON body while it is read. That it is not well-formed wins over
// what the contract says of its beginning.
func (in *AnswerInspector) document(status int, mediaType string, b []byte) (v policy.Verdict) {
	reader, _ := in.readers.Get().(*jsonReader)
	defer func() {
		if reader.forget() {
			in.readers.Put(reader)
		}
	}()
	reader.begin(b, in.options.MaxDepth, nil)
	v = in.ask(status, mediaType, reader.tokens)
	reader.read(nil)
	switch form := verdictOf(reader.err); {
	case form.Passes():
		return v
	case slices.Contains([]policy.Reason{policy.JSONTooDeep, policy.JSONTooManyMembers, policy.JSONNumber}, form.Reason):
		return policy.Undecided(form.Reason, nil) // our bounds, of which the contract says nothing
	default:
		return form
	}
}

// ask asks the judge of the contract about a document.
func (in *AnswerInspector) ask(status int, mediaType string, tokens iter.Seq2[jsontext.Kind, []byte]) (v policy.Verdict) {
	defer recoverJudge(&v)
	return in.options.Schema.Document(status, mediaType, tokens)
}

// answerType returns the media type of an answer, in lower case and without
// parameters, or "" and why a Content-Type that is there names none.
func answerType(h http.Header) (mediaType string, ambiguous policy.Reason) {
	sent := h["Content-Type"]
	switch {
	case len(sent) > 1:
		return "", policy.ContentTypeDuplicate
	case len(sent) == 0 || sent[0] == "":
		return "", ""
	}
	mediaType, _, ok := parse(sent[0])
	if !ok {
		return "", policy.ContentTypeMalformed
	}
	return mediaType, ""
}
