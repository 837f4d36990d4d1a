package payload

import (
	"errors"
	"fmt"

	"github.com/sidewarden/sidewarden/policy"
)

// Judge says whether a request matches the schemas of its operation: the
// verdict of in.schema.
type Judge interface {
	// Judge judges the parameters of r and its body. Present reports that there
	// is a body. MediaType is its type as sent, in lower case without
	// parameters, and one that the operation declares. Value is the tree that
	// ReadJSON made of it if IsJSON(mediaType), in which case nil is JSON null;
	// for every other type value is nil and says nothing. Without a body they
	// are empty, and the Judge also says whether one is required. The judge
	// must not change the value.
	Judge(r *policy.Request, mediaType string, value any, present bool) policy.Verdict
}

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

// Inspector reads the request bodies of one operation. It is immutable.
type Inspector struct {
	options   Options
	selectors []selector
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
	in := &Inspector{options: o}
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
		body.Schema = in.judge(r, "", nil, false)
		return body
	}
	mediaType, typed := contentType(r.Header, in.options.Declared)
	if v, unread := in.unread(&body); unread {
		body.WellFormed, body.Schema = v, v
		body.FormToken = in.formToken(mediaType, v, false)
		return body
	}
	if !typed.Passes() {
		body.WellFormed = typed.Dependent(policy.InCtype)
		body.Schema = body.WellFormed
		body.FormToken = in.formToken(mediaType, body.WellFormed, false)
		return body
	}
	var value any
	if !IsJSON(mediaType) && !IsXML(mediaType) {
		var read fields
		read, body.WellFormed = in.options.readFields(r.Header, mediaType, b)
		body.FormToken = in.formToken(mediaType, body.WellFormed, read.credential)
	} else {
		value, body.WellFormed = in.read(mediaType, b)
	}
	if !body.WellFormed.Passes() {
		body.Schema = body.WellFormed.Dependent(policy.InWellformed)
		return body
	}
	if IsJSON(mediaType) {
		body.Selected = make([][]string, len(in.selectors))
		for i, s := range in.selectors {
			body.Selected[i] = s.values(value)
		}
	}
	body.Schema = in.judge(r, mediaType, value, true)
	return body
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

// read parses the body by its type. A type without a parser is not judged.
func (in *Inspector) read(mediaType string, b []byte) (any, policy.Verdict) {
	switch {
	case IsJSON(mediaType):
		return ReadJSON(b, in.options.MaxDepth)
	case IsXML(mediaType):
		return nil, ReadXML(b, in.options.MaxDepth)
	}
	return nil, policy.Inapplicable()
}

// judge asks the schema judge. Its panic costs only its own verdict: the other
// facts of the pass stay.
func (in *Inspector) judge(r *policy.Request, mediaType string, value any, present bool) (v policy.Verdict) {
	if in.options.Schema == nil {
		return policy.Inapplicable()
	}
	defer func() {
		if p := recover(); p != nil {
			v = policy.Undecided(policy.InternalError, fmt.Errorf("schema judge panicked: %T", p))
		}
	}()
	return in.options.Schema.Judge(r, mediaType, value, present)
}
