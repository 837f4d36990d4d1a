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
// is known before. Of a body that is not JSON they are not read: it permits if no
// schema or only "type: string" describes it, else it is undecided with reason
// schema-unsupported. A body or media type that the operation does not declare
// is left undecided by in.ctype, which denies it.
//
// The verdict is worth something only if the tokens are those of a document that is
// well-formed, and within the bounds of its depth and of its numbers. A denial's
// detail is the place, up to the last declared name, and the keyword.
func (j *Judge) Judge(r *policy.Request, mediaType string, tokens iter.Seq2[jsontext.Kind, []byte], present bool) (v policy.Verdict) {
	defer recovered(&v)
	run := j.run()
	v = j.judge(r, run, mediaType, tokens, present)
	j.runs.Put(run) // not after a panic
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
	return run
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

// content judges a body of a type that is declared.
func (j *Judge) content(run *schema.Run, m *media, name string, tokens iter.Seq2[jsontext.Kind, []byte]) policy.Verdict {
	var (
		v       policy.Verdict
		decided bool
	)
	switch {
	case m.schema == nil && m.described:
		return policy.Undecided(policy.SchemaUnsupported, nil)
	case m.schema == nil:
		return policy.Permitted()
	case isJSON(name):
		return j.document(run, m.schema, tokens)
	case m.form != nil && isForm(name):
		v, decided = m.form.judge(run, name, tokens)
	case name == textType:
		v, decided = judgeText(run, m.schema, tokens)
	case m.described:
		return policy.Undecided(policy.SchemaUnsupported, nil)
	default:
		return policy.Permitted()
	}
	if decided {
		return v
	}
	return j.said(run)
}

// document judges the tokens of a value by a schema, then the properties that no
// schema declares.
func (j *Judge) document(run *schema.Run, s *schema.Schema, tokens iter.Seq2[jsontext.Kind, []byte]) policy.Verdict {
	run.Begin(s)
	for kind, text := range tokens {
		if run.Visit(kind, text); run.Failed() {
			break
		}
	}
	return j.said(run)
}

// said is the verdict on the value that a run was told.
func (j *Judge) said(run *schema.Run) policy.Verdict {
	if f, failed := run.Fault(); failed {
		return policy.Denied(policy.SchemaMismatch, strings.TrimSpace(f.Pointer+" "+f.Keyword))
	}
	if j.deny {
		if at, found := run.Stranger(); found {
			return policy.Denied(policy.UndeclaredProperty, at)
		}
	}
	return policy.Permitted()
}
