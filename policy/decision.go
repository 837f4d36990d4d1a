package policy

import "slices"

// Finding is a rule with its verdict for one request.
type Finding struct {
	Rule    *Rule
	Verdict Verdict
	// Exception is the id of the exception that covers a verdict that does not
	// pass; empty otherwise.
	Exception string
}

// Reported reports that the finding is a denial for a reason that its rule never
// stops a request for.
func (f *Finding) Reported() bool {
	return f.Verdict.Effect == Deny && slices.Contains(f.Rule.Reports, f.Verdict.Reason)
}

// Mode returns the mode in which the rule judged: that of the rule, but Shadow for a
// denial that is only reported.
func (f *Finding) Mode() Mode {
	if f.Rule.Mode == Enforce && f.Reported() {
		return Shadow
	}
	return f.Rule.Mode
}

// Decision is all findings of one request, in order of evaluation. Findings of a
// phase that was not reached are absent.
type Decision struct {
	Findings []Finding

	// list is Findings with the room that is left for later phases; nil when the
	// list is not one of Extend's.
	list []Finding
}

// extensible returns the findings in a list that is n long: the decision's own when it
// is the first to be extended, else a copy with room for all phases' rules. The
// room behind a list belongs to whoever wrote its first finding, so that decisions
// made of the same one do not overwrite each other.
func (d Decision) extensible(n, rules int) []Finding {
	known := len(d.Findings)
	if known > 0 && known == len(d.list) && n <= cap(d.list) && &d.list[0] == &d.Findings[0] && d.list[:n][known].Rule == nil {
		return d.list[:n]
	}
	list := make([]Finding, n, max(rules, n))
	copy(list, d.Findings)
	return list
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
	if f := d.find(c); f != nil {
		return *f, true
	}
	return Finding{}, false
}

// find is Find without the copy: a finding is larger than what is asked of it.
func (d Decision) find(c Control) *Finding {
	for i := range d.Findings {
		if f := &d.Findings[i]; f.Rule.Control == c {
			return f
		}
	}
	return nil
}

// stops reports whether the finding, taken alone, stops the request.
func (d Decision) stops(f *Finding) bool {
	return f.Rule.Mode == Enforce && f.Exception == "" && d.Objects(f)
}

// Objects reports whether the finding of the decision stops the request where its
// control enforces and no exception covers it: it denies for more than a report, or is
// undecided and its control does not fail open.
func (d Decision) Objects(f *Finding) bool {
	switch f.Verdict.Effect {
	case Deny:
		return !f.Reported()
	case Indeterminate:
		return f.Rule.OnError != Permit || d.provoked(f)
	case Permit, NotApplicable:
	}
	return false
}

// provoked reports whether an undecided finding is the caller's doing: the control
// that caused it denied, or was not judged. Failing open is for what is out of
// order; a token of a foreign issuer, which leaves tok.sig undecided, is not.
func (d Decision) provoked(f *Finding) bool {
	if f.Verdict.Cause == "" {
		return false
	}
	root := d.find(f.Verdict.Cause)
	return root == nil || root.Verdict.Effect != Indeterminate
}

// FailedOpen reports that a finding of the decision is undecided and would have
// blocked, had its control not been listed under insecure_fail_open.
func (d Decision) FailedOpen(f Finding) bool {
	return f.Rule.Mode == Enforce && f.Exception == "" &&
		f.Verdict.Effect == Indeterminate && !d.Objects(&f)
}

// Blocking returns the finding that blocks the request: the first denial, or
// undecided verdict, that enforces and is not excepted. An undecided verdict
// gives way to the control that caused it when that one blocks too, so that the
// answer names the cause.
func (d Decision) Blocking() (Finding, bool) {
	if f := d.blocking(); f != nil {
		return *f, true
	}
	return Finding{}, false
}

func (d Decision) blocking() *Finding {
	for i := range d.Findings {
		f := &d.Findings[i]
		if f.Verdict.Passes() || !d.stops(f) {
			continue
		}
		if cause := f.Verdict.Cause; cause != "" {
			if root := d.find(cause); root != nil && d.stops(root) {
				return root
			}
		}
		return f
	}
	return nil
}

// Waits reports whether a finding that enforces could not decide only because the
// body was not read: with the body there, it can.
func (d Decision) Waits() bool {
	for _, f := range d.Findings {
		if f.Rule.Mode == Enforce && f.Exception == "" &&
			f.Verdict.Effect == Indeterminate && f.Verdict.Reason == NotInspected {
			return true
		}
	}
	return false
}

// Clean reports whether every finding passes: the request is what the policy
// wants.
func (d Decision) Clean() bool {
	for i := range d.Findings {
		if !d.Findings[i].Verdict.Passes() {
			return false
		}
	}
	return true
}

// Disposition returns what is done with a request of this decision when nothing
// fails: blocked, would-block, excepted or allowed.
func (d Decision) Disposition() Disposition {
	result := Allowed
	for i := range d.Findings {
		f := &d.Findings[i]
		switch {
		case f.Verdict.Passes() || !d.Objects(f):
		case f.Exception != "":
			if result == Allowed {
				result = Excepted
			}
		case f.Rule.Mode == Enforce:
			return Blocked
		case f.Rule.Mode == Shadow:
			result = WouldBlock
		}
	}
	return result
}
