package openapi

import (
	"context"
	"errors"

	"github.com/sidewarden/sidewarden/policy"
)

// Route judges in.route: the contract has the path of the request.
type Route struct{}

// Method judges in.method: the contract has the method at that path.
type Method struct{}

// Unmatched is the check of every control that needs an operation, for requests
// that match none: it is undecided because of in.route or in.method.
type Unmatched struct{}

// Schema judges in.schema by the verdict of the Inspector's pass.
type Schema struct{}

// AnswerSchema judges out.schema by the verdict of the Inspector's pass over the
// answer.
type AnswerSchema struct{}

var (
	_ policy.Check = Route{}
	_ policy.Check = Method{}
	_ policy.Check = Unmatched{}
	_ policy.Check = Schema{}
	_ policy.Check = AnswerSchema{}
)

// Check permits when the matcher found the path, be it without the method. It is
// undecided, internal-error, when the matcher could not decide.
func (Route) Check(_ context.Context, r *policy.Request) policy.Verdict {
	if err := r.Match.Err; err != nil {
		return policy.Undecided(policy.InternalError, err)
	}
	if r.Match.Operation != nil || len(r.Match.Allow) > 0 {
		return policy.Permitted()
	}
	return policy.Denied(policy.RouteUnknown, "")
}

// Check permits when the matcher found an operation. It does not apply to the
// preflight of one. Of an unknown path it can say nothing.
func (Method) Check(_ context.Context, r *policy.Request) policy.Verdict {
	switch {
	case r.Match.Operation != nil:
		return policy.Permitted()
	case r.Match.Preflights(r):
		return policy.Inapplicable()
	case len(r.Match.Allow) > 0:
		return policy.Denied(policy.MethodNotAllowed, "")
	default:
		return policy.UndecidedBy(policy.InRoute)
	}
}

// Check is undecided by the control that tells why there is no operation. Of a
// preflight nothing is missing.
func (Unmatched) Check(_ context.Context, r *policy.Request) policy.Verdict {
	if r.Match.Preflights(r) {
		return policy.Inapplicable()
	}
	if v, missing := r.Match.Missing(); missing {
		return v
	}
	return policy.Undecided(policy.InternalError, errors.New("the plan of unmatched requests was used for a matched one"))
}

// Check returns what the Inspector found. Where it found nothing, because the
// body was not well-formed or not read, the verdict is undecided.
func (Schema) Check(_ context.Context, r *policy.Request) policy.Verdict {
	if v, missing := r.Match.Missing(); missing {
		return v
	}
	if v := r.Body.Schema; v.Effect != policy.Indeterminate || v.Reason != "" {
		return v
	}
	if v := r.Body.WellFormed; !v.Passes() && v.Reason != "" {
		return v.Dependent(policy.InWellformed)
	}
	return policy.Undecided(policy.NotInspected, nil)
}

// Check returns what the Inspector found. It does not apply while there is no answer
// of the backend, nor to an upgrade that the operation allows. What was not inspected is undecided.
func (AnswerSchema) Check(_ context.Context, r *policy.Request) policy.Verdict {
	if r.Response == nil || r.Response.Status < 200 && !r.Response.Upgraded() || r.Switched() {
		return policy.Inapplicable()
	}
	if v, missing := r.Match.Missing(); missing {
		return v
	}
	if v := r.Response.Body.Schema; v.Effect != policy.Indeterminate || v.Reason != "" {
		return v
	}
	return policy.Undecided(policy.NotInspected, nil)
}
