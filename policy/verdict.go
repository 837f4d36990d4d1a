package policy

import "time"

// Effect is what one check says of one request.
type Effect uint8

// The effects. The zero value is Indeterminate: a verdict that nobody made is
// "could not decide", and that blocks where the control enforces.
const (
	Indeterminate Effect = iota
	Permit
	Deny
	NotApplicable
)

// String returns the word used in records and labels.
func (e Effect) String() string {
	switch e {
	case Indeterminate:
		return "indeterminate"
	case Permit:
		return "permit"
	case Deny:
		return "deny"
	case NotApplicable:
		return "not-applicable"
	}
	return "invalid"
}

// Verdict is the result of one check for one request. A denial is a value of
// it, never an error.
type Verdict struct {
	Effect Effect
	// Reason is the stable code of a Deny or Indeterminate; empty otherwise.
	Reason Reason
	// Detail is a structural addition, such as "/applicationServer additionalProperties".
	// It ends at the last declared name and never holds a submitted value.
	Detail string
	// Cause names the control whose failure left this one undecided. Only an
	// Indeterminate verdict has one; it is always the root of the chain.
	Cause Control
	// RetryAfter is how long the caller should wait; only limits set it.
	RetryAfter time.Duration
	// Err is why the check could not decide. It is for the operator's log and
	// never reaches a client, a record or a label.
	Err error
}

// Permitted is the verdict of a check that found its control satisfied.
func Permitted() Verdict { return Verdict{Effect: Permit} }

// Inapplicable is the verdict of a check whose control has nothing to say of
// this request, such as a content type without a body.
func Inapplicable() Verdict { return Verdict{Effect: NotApplicable} }

// Denied is the verdict of a check that found its control violated. Detail is
// structural and may be empty.
func Denied(reason Reason, detail string) Verdict {
	return Verdict{Effect: Deny, Reason: reason, Detail: detail}
}

// Undecided is the verdict of a check that could not decide for a reason of its
// own. Err may be nil.
func Undecided(reason Reason, err error) Verdict {
	return Verdict{Effect: Indeterminate, Reason: reason, Err: err}
}

// UndecidedBy is the verdict of a check that could not decide because the
// control cause did not permit. It is Indeterminate and not NotApplicable:
// otherwise a shadowed token rule would open a hole under an enforcing account
// rule.
func UndecidedBy(cause Control) Verdict {
	return Verdict{Effect: Indeterminate, Reason: PrerequisiteFailed, Cause: cause}
}

// Passes reports whether the verdict leaves the request alone: permit or not
// applicable.
func (v Verdict) Passes() bool { return v.Effect == Permit || v.Effect == NotApplicable }

// Dependent returns the verdict that a control which needs the control self has
// when self's verdict is v and does not permit: undecided, with the root cause.
func (v Verdict) Dependent(self Control) Verdict {
	if v.Cause != "" {
		return UndecidedBy(v.Cause)
	}
	return UndecidedBy(self)
}

// plain reports whether the verdict says nothing but its effect.
func (v *Verdict) plain() bool {
	return v.Reason == "" && v.Detail == "" && v.Cause == "" && v.RetryAfter == 0 && v.Err == nil
}
