package policy

// Finding is a rule with its verdict for one request.
type Finding struct {
	Rule    *Rule
	Verdict Verdict
	// Exception is the id of the exception that covers a verdict that does not
	// pass; empty otherwise.
	Exception string
}

// stops reports whether the finding, taken alone, stops the request.
func (f Finding) stops() bool {
	return f.Rule.Mode == Enforce && f.Exception == "" && f.objects()
}

// objects reports whether the finding stops the request where its control
// enforces and no exception covers it.
func (f Finding) objects() bool {
	switch f.Verdict.Effect {
	case Deny:
		return true
	case Indeterminate:
		return f.Rule.OnError != Permit
	case Permit, NotApplicable:
	}
	return false
}

// FailedOpen reports that the finding is undecided and would have blocked, had
// its control not been listed under insecure_fail_open.
func (f Finding) FailedOpen() bool {
	return f.Rule.Mode == Enforce && f.Exception == "" &&
		f.Verdict.Effect == Indeterminate && f.Rule.OnError == Permit
}

// Decision is all findings of one request, in order of evaluation. Findings of a
// phase that was not reached are absent.
type Decision struct {
	Findings []Finding
}

// With returns the decision with the findings of a later phase added.
func (d Decision) With(later Decision) Decision {
	if len(later.Findings) == 0 {
		return d
	}
	all := make([]Finding, 0, len(d.Findings)+len(later.Findings))
	return Decision{Findings: append(append(all, d.Findings...), later.Findings...)}
}

// Find returns the finding of a control, if there is one.
func (d Decision) Find(c Control) (Finding, bool) {
	for _, f := range d.Findings {
		if f.Rule.Control == c {
			return f, true
		}
	}
	return Finding{}, false
}

// Blocking returns the finding that blocks the request: the first denial, or
// undecided verdict, that enforces and is not excepted. An undecided verdict
// gives way to the control that caused it when that one blocks too, so that the
// answer names the cause.
func (d Decision) Blocking() (Finding, bool) {
	for _, f := range d.Findings {
		if !f.stops() {
			continue
		}
		if cause := f.Verdict.Cause; cause != "" {
			if root, ok := d.Find(cause); ok && root.stops() {
				return root, true
			}
		}
		return f, true
	}
	return Finding{}, false
}

// Clean reports whether every finding passes: the request is what the policy
// wants.
func (d Decision) Clean() bool {
	for _, f := range d.Findings {
		if !f.Verdict.Passes() {
			return false
		}
	}
	return true
}

// Disposition returns what is done with a request of this decision when nothing
// fails: blocked, would-block, excepted or allowed.
func (d Decision) Disposition() Disposition {
	if _, blocked := d.Blocking(); blocked {
		return Blocked
	}
	result := Allowed
	for _, f := range d.Findings {
		switch {
		case !f.objects():
		case f.Exception != "":
			if result == Allowed {
				result = Excepted
			}
		case f.Rule.Mode == Shadow:
			result = WouldBlock
		}
	}
	return result
}
