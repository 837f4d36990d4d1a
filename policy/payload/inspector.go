package payload

import (
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sidewarden/sidewarden/policy"
)

// Judge says whether a request matches the schemas of its operation: the
// verdict of in.schema.
type Judge interface {
	// Judge judges the parameters of r and its body. Present reports that there
	// is a body. MediaType is its type as sent, in lower case without
	// parameters, and one that the operation declares. Tokens are those of the
	// document if policy.IsJSON(mediaType), as ReadJSON hands them on. A form (IsForm), and
	// any multipart body of named parts, has those of one object, in which names may
	// repeat, and a string that is no text is the bytes of a part; before the value of a part
	// stand policy.PartType and, if that type is JSON, policy.PartBytes. Text in UTF-8 is one string,
	// and so are the bytes of a type that is neither text nor XML. Otherwise there are
	// none, and without a body neither: the Judge also says whether one is required.
	//
	// Tokens may be ranged over once, while Judge runs, and the judge may stop early.
	// The range ends early if the document proves not to be well-formed; the verdict
	// is then dropped.
	Judge(r *policy.Request, mediaType string, tokens iter.Seq2[jsontext.Kind, []byte], present bool) policy.Verdict
}

// noTokens are the tokens of a body that has none.
func noTokens(func(jsontext.Kind, []byte) bool) {}

// Options say how the bodies of one operation are inspected.
type Options struct {
	// Declared is what the operation takes; the same as of its [Ctype].
	Declared Declared
	// MaxBytes is the bound of in.size; the same as of its [Size].
	MaxBytes int64
	// MaxDepth is how deep JSON and XML may nest.
	MaxDepth int
	// MaxFields is how many fields a form may have, MaxParts how many parts a multipart
	// body; 0 stands for DefaultMaxFields and DefaultMaxParts.
	MaxFields, MaxParts int
	// MaxPartBytes is how large one part may be; 0 stands for no other bound than that
	// of the body.
	MaxPartBytes int64
	// Selectors are the JSON pointers (RFC 6901) of the account rules that read
	// the body. Where one points at an array, each element is a value; "*" is
	// not supported.
	Selectors []string
	// Schema judges by the contract; nil if in.schema is off.
	Schema Judge
}

// Inspector reads the request bodies of one operation. It is immutable, but for the
// memory that it keeps for the next body.
type Inspector struct {
	options   Options
	selectors []selector
	readers   sync.Pool // of *jsonReader
	inflaters sync.Pool // of *inflater
}

var _ policy.Inspector = (*Inspector)(nil)

// NewInspector returns an inspector. The error names every problem of the
// options: a bound below 1, a selector that is not a JSON pointer.
func NewInspector(o Options) (*Inspector, error) {
	var problems []error
	if o.MaxBytes < 1 {
		problems = append(problems, fmt.Errorf("the bound of the request body is %d bytes; give at least 1", o.MaxBytes))
	}
	if o.MaxDepth < 1 {
		problems = append(problems, fmt.Errorf("the bound of the nesting of the request body is %d; give at least 1", o.MaxDepth))
	}
	in := &Inspector{
		options:   o,
		readers:   sync.Pool{New: func() any { return newJSONReader() }},
		inflaters: sync.Pool{New: func() any { return &inflater{} }},
	}
	for _, pointer := range o.Selectors {
		s, err := parseSelector(pointer)
		if err != nil {
			problems = append(problems, err)
		}
		in.selectors = append(in.selectors, s)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return in, nil
}

// Inspect implements [policy.Inspector]. Selected has one entry per selector
// when the body is JSON and well-formed, also after a schema fault, and is nil
// otherwise. A value that is null counts as absent.
func (in *Inspector) Inspect(r *policy.Request, b []byte, size int64, whole bool) policy.Body {
	if whole {
		size = int64(len(b))
	}
	body := policy.Body{Bytes: b, Size: size, Whole: whole, FormToken: policy.Inapplicable()}
	if size == 0 {
		body.WellFormed = policy.Inapplicable()
		body.Schema = in.judge(r, "", noTokens, false)
		return body
	}
	if v, unread := in.unread(&body); unread {
		mediaType, _ := contentType(r.Header, in.options.Declared)
		body.WellFormed, body.Schema = v, v
		body.FormToken = in.formToken(mediaType, v, false)
		return body
	}
	if !in.options.Declared.unpacks(r.Header) {
		in.content(r, &body, b, policy.Permitted())
		return body
	}
	z, _ := in.inflaters.Get().(*inflater)
	content, coding := in.unpacked(z, &body)
	in.content(r, &body, content, coding)
	if z.forget() {
		in.inflaters.Put(z)
	}
	return body
}

// content judges the content of a body, of which the verdict of its coding is known.
func (in *Inspector) content(r *policy.Request, body *policy.Body, b []byte, coding policy.Verdict) {
	mediaType, typed := contentType(r.Header, in.options.Declared)
	if !typed.Passes() {
		body.WellFormed = typed.Dependent(policy.InCtype)
		body.Schema = body.WellFormed
		body.FormToken = in.formToken(mediaType, body.WellFormed, false)
		return
	}
	body.WellFormed = coding
	tokens := iter.Seq2[jsontext.Kind, []byte](noTokens)
	switch {
	case !coding.Passes():
		body.FormToken = in.formToken(mediaType, coding, false)
	case policy.IsJSON(mediaType):
		in.json(r, body, mediaType, b)
		return
	case policy.IsXML(mediaType):
		body.WellFormed = ReadXML(b, in.options.MaxDepth)
	default:
		var read fields
		read, body.WellFormed = in.options.readFields(r.Header, mediaType, b)
		body.FormToken = in.formToken(mediaType, body.WellFormed, read.credential)
		tokens = read.tokens
	}
	if !body.WellFormed.Passes() {
		body.Schema = body.WellFormed.Dependent(policy.InWellformed)
		return
	}
	body.Schema = in.judge(r, mediaType, tokens, true)
}

// json reads a JSON body in one pass: the judge is told its tokens while it is read,
// and what the judge leaves is read to the end.
func (in *Inspector) json(r *policy.Request, body *policy.Body, mediaType string, b []byte) {
	reader, _ := in.readers.Get().(*jsonReader)
	reader.begin(b, in.options.MaxDepth, in.selectors)
	body.Schema = in.judge(r, mediaType, reader.tokens, true)
	reader.read(nil)
	if body.WellFormed = verdictOf(reader.err); body.WellFormed.Passes() {
		body.Selected = reader.selected()
	} else {
		body.Schema = body.WellFormed.Dependent(policy.InWellformed)
	}
	if reader.forget() {
		in.readers.Put(reader)
	}
}

// unread returns the verdict of everything that needs the body's content, and
// true, when the content was not read whole or is too large.
func (in *Inspector) unread(body *policy.Body) (policy.Verdict, bool) {
	switch {
	case sizeOf(body) > in.options.MaxBytes:
		return policy.UndecidedBy(policy.InSize), true
	case !body.Whole:
		return policy.Undecided(policy.NotInspected, nil), true
	}
	return policy.Verdict{}, false
}

// judge asks the schema judge. Its panic costs only its own verdict: the other
// facts of the pass stay.
func (in *Inspector) judge(r *policy.Request, mediaType string, tokens iter.Seq2[jsontext.Kind, []byte], present bool) (v policy.Verdict) {
	if in.options.Schema == nil {
		return policy.Inapplicable()
	}
	defer recoverJudge(&v)
	return in.options.Schema.Judge(r, mediaType, tokens, present)
}

// recoverJudge turns a panic of a judge into a verdict. It must be deferred directly.
func recoverJudge(v *policy.Verdict) {
	if p := recover(); p != nil {
		*v = policy.Undecided(policy.InternalError, fmt.Errorf("schema judge panicked: %T", p))
	}
}
