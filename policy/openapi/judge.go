package openapi

import (
	"fmt"
	"iter"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// Judge judges the parameters and the body of one operation against the
// contract. It is immutable and safe for concurrent use.
type Judge struct {
	deny       bool // properties of bodies that no schema declares
	answers    bool // judges answers, not requests
	parameters []parameter
	query      *query
	maxQuery   int  // how many query parameters are judged
	cookies    bool // a cookie is a parameter

	bodyDeclared, bodyRequired bool
	media                      []media // exact types first

	runs *sync.Pool // of *schema.Run, shared by the contract
}

// Judge returns the verdict of in.schema on a request of the operation: first
// that of the declared parameters, by r.Match.Params, r.Query and r.Header, then that
// of the body, then that of the query as a whole.
//
// Present says whether there is a body, mediaType what it is (RFC 9110, 8.3.1;
// parameters are ignored), and tokens are those of the JSON document, as
// [schema.Run] takes them; they are read once, and not to their end if the verdict
// is known before. A body that is neither JSON nor a form nor text is one string of bytes,
// of which minLength and maxLength count each; where the schema says more, or the body is
// XML, it is undecided with reason schema-unsupported. A body or media type that the
// operation does not declare is left undecided by in.ctype, which denies it.
//
// The verdict is worth something only if the tokens are those of a document that is
// well-formed, and within the bounds of its depth and of its numbers. A denial's
// detail is the place, up to the last declared name, and the keyword.
func (j *Judge) Judge(r *policy.Request, mediaType string, tokens iter.Seq2[jsontext.Kind, []byte], present bool) (v policy.Verdict) {
	defer recovered(&v)
	run := j.run()
	v = j.judge(r, run, mediaType, tokens, present)
	j.done(run) // not after a panic
	return v
}

func (j *Judge) judge(r *policy.Request, run *schema.Run, mediaType string, tokens iter.Seq2[jsontext.Kind, []byte], present bool) policy.Verdict {
	if v, is := j.crowded(r); is {
		return v
	}
	parameters, stranger := j.judgeParameters(r, run)
	if parameters.Effect == policy.Deny {
		return parameters
	}
	if v := j.body(run, mediaType, tokens, present); v.Effect != policy.Permit {
		return v
	}
	if parameters.Effect != policy.Permit {
		return parameters
	}
	if v := j.undeclared(r); v.Effect != policy.Permit || stranger == "" {
		return v
	}
	return policy.Denied(policy.ParameterUndeclared, stranger)
}

// recovered makes a panic the verdict that nothing was decided.
func recovered(v *policy.Verdict) {
	if p := recover(); p != nil {
		*v = policy.Undecided(policy.InternalError, fmt.Errorf("the judge of the contract panicked: %T", p))
	}
}

// run returns what judges a value; it goes back to the pool.
func (j *Judge) run() *schema.Run {
	run, _ := j.runs.Get().(*schema.Run) // the pool has nothing else
	run.Strangers = j.deny
	return run
}

// done gives a run back, unless a value has made it large.
func (j *Judge) done(run *schema.Run) {
	if !run.Large() {
		j.runs.Put(run)
	}
}

func (j *Judge) body(run *schema.Run, mediaType string, tokens iter.Seq2[jsontext.Kind, []byte], present bool) policy.Verdict {
	switch {
	case !present && j.bodyRequired:
		return policy.Denied(policy.BodyRequired, "")
	case !present:
		return policy.Permitted()
	case !j.bodyDeclared:
		return policy.UndecidedBy(policy.InCtype)
	}
	name := mediaName(mediaType)
	for i := range j.media {
		m := &j.media[i]
		if !m.covers(name) {
			continue
		}
		return j.content(run, m, name, tokens)
	}
	return policy.UndecidedBy(policy.InCtype)
}

// content judges a body of a type that is declared; the detail of what cannot be judged
// is that type.
func (j *Judge) content(run *schema.Run, m *media, name string, tokens iter.Seq2[jsontext.Kind, []byte]) policy.Verdict {
	v := j.value(run, m, name, tokens)
	if v.Reason == policy.SchemaUnsupported {
		v.Detail = strings.TrimSpace("body " + m.name + " " + v.Detail)
	}
	return v
}

// unsupported is the verdict on what the contract cannot judge; the detail is structural.
func unsupported(detail string) policy.Verdict {
	v := policy.Undecided(policy.SchemaUnsupported, nil)
	v.Detail = detail
	return v
}

// count judges the number of bytes of a body.
func (m *media) count(tokens iter.Seq2[jsontext.Kind, []byte]) policy.Verdict {
	for _, text := range tokens {
		switch {
		case len(text) < m.octets.Min:
			return policy.Denied(policy.SchemaMismatch, "minLength")
		case m.octets.Max >= 0 && len(text) > m.octets.Max:
			return policy.Denied(policy.SchemaMismatch, "maxLength")
		}
		return policy.Permitted()
	}
	return unsupported("")
}

func (j *Judge) value(run *schema.Run, m *media, name string, tokens iter.Seq2[jsontext.Kind, []byte]) policy.Verdict {
	var (
		v       policy.Verdict
		decided bool
	)
	switch m.handling(name) {
	case handlePermit:
		return policy.Permitted()
	case handleDocument:
		return j.document(run, m.schema, tokens)
	case handleForm:
		v, decided = m.form.judge(run, name, tokens)
	case handleText:
		v, decided = judgeText(run, m.schema, tokens)
	case handleOctets:
		return m.count(tokens)
	case handleNothing:
		return unsupported("")
	}
	if decided {
		return v
	}
	return j.said(run)
}

// document judges the tokens of a value by a schema, then the properties that no
// schema declares.
func (j *Judge) document(run *schema.Run, s *schema.Schema, tokens iter.Seq2[jsontext.Kind, []byte]) policy.Verdict {
	run.Judge(s, tokens)
	return j.said(run)
}

// said is the verdict on the value that a run was told.
func (j *Judge) said(run *schema.Run) policy.Verdict {
	if f, failed := run.Fault(); failed {
		return policy.Denied(policy.SchemaMismatch, strings.TrimSpace(f.Pointer+" "+f.Keyword))
	}
	if at, found := run.Oddity(); found && !j.answers {
		return policy.Denied(policy.UndeclaredProperty, at)
	}
	if j.deny {
		if at, found := run.Stranger(); found {
			return policy.Denied(policy.UndeclaredProperty, at)
		}
	}
	return policy.Permitted()
}
