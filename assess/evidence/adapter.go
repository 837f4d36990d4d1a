package evidence

import (
	"slices"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

// trialOf reads a record. It is the only code here that knows a record's fields.
// A record that was cut or reduced is never clean: what is missing may be the
// objection.
func trialOf(rec *audit.Record) trial {
	t := trial{
		policy:    rec.Policy.Digest,
		operation: rec.Op.ID,
		at:        rec.Time,
		client:    rec.ClientID,
		proven:    rec.ClientID != "" || rec.PrincipalID != "" || rec.Auth.Outcome == audit.AuthSuccess,
		class:     rec.Be.Class,
		instance:  rec.Be.Instance,
		permits:   rec.Permits,
	}
	judged := len(rec.Permits) > 0 || len(rec.NotApplicable) > 0
	// A line that was cut may have lost its findings, and not its disposition.
	t.clean = judged && !objected(rec.Findings) && len(rec.Redaction.Errors) == 0 &&
		(!rec.Truncated || rec.Disposition == policy.Allowed.String())
	if len(rec.Findings) > 0 {
		t.objections = make([]objection, 0, len(rec.Findings))
	}
	for i := range rec.Findings {
		f := &rec.Findings[i]
		switch {
		case f.Effect == policy.Deny.String():
			t.objections = append(t.objections, objection{control: f.Control})
		case f.Cause == "":
			t.objections = append(t.objections, objection{control: f.Control, undecided: true})
		}
	}
	if len(rec.Observations) > 0 {
		t.observations = make([]policy.Observation, 0, len(rec.Observations))
	}
	for i := range rec.Observations {
		o := &rec.Observations[i]
		t.observations = append(t.observations, policy.Observation{
			Control: o.Control, Position: o.Position, Signal: o.Signal, Reason: o.Reason, Isolated: o.Isolated,
		})
	}
	return t
}

// objected reports whether a finding is about the request. What is wrong with an
// answer is not: the request that asked for it is as clean as before.
func objected(findings []audit.Finding) bool {
	return slices.ContainsFunc(findings, func(f audit.Finding) bool {
		entry, known := policy.Lookup(f.Control)
		return !known || entry.Phase != policy.ResponsePhase.String()
	})
}
