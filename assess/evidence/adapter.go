package evidence

import (
	"net/http"
	"slices"
	"strings"

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
		thing:     tupleOf(rec),
		filled:    rec.HTTP.InspectedBytes > 0 && !rec.HTTP.PartiallyInspected,
		caller:    callerOf(rec),
	}
	t.deletes, t.deleted = deletionOf(rec)
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
			t.objections = append(t.objections, objection{control: f.Control, limit: f.Detail})
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
// answer is not: the request that asked for it is as clean as before. Nor is what
// honest proxies add to every request.
func objected(findings []audit.Finding) bool {
	return slices.ContainsFunc(findings, func(f audit.Finding) bool {
		entry, known := policy.Lookup(f.Control)
		return !known || entry.Phase != policy.ResponsePhase.String() && !f.Reason.Incidental()
	})
}

// tupleOf names the thing that a request is about. A record that leaves out a
// part of the name gives none: a query parameter that is no account, a body, a
// path that was redacted or cut. HEAD shows no contents.
func tupleOf(rec *audit.Record) tuple {
	h := &rec.HTTP
	if h.ReqBytes == nil || *h.ReqBytes != 0 || h.Method == http.MethodHead || rec.Truncated || !tells(rec) {
		return tuple{}
	}
	for _, key := range h.QueryKeys {
		if !carries(rec.Account.Carrier, key) {
			return tuple{}
		}
	}
	return tuple{path: h.Path, carrier: rec.Account.Carrier, accounts: rec.Account.Requested}
}

// tells reports whether the path of a record is the whole path, with a pseudonym
// for every parameter.
func tells(rec *audit.Record) bool {
	const cut = 1024 // bytes; a path of so many may have been longer
	path := rec.HTTP.Path
	return strings.HasPrefix(path, "/") && len(path) < cut && strings.IndexByte(path, '{') < 0 && len(rec.Redaction.Errors) == 0
}

// carries reports whether the accounts of a record came from a query parameter
// among others.
func carries(carrier, key string) bool {
	for carrier != "" {
		var one string
		one, carrier, _ = strings.Cut(carrier, ",")
		if name, ok := strings.CutPrefix(one, "query."); ok && name == key {
			return true
		}
	}
	return false
}

// deletionOf returns what a request may have deleted. Only an answer that says
// that nothing was done is known to leave all as it was.
func deletionOf(rec *audit.Record) (may bool, path string) {
	if rec.HTTP.Method != http.MethodDelete {
		return false, ""
	}
	switch rec.Be.Class { //nolint:exhaustive // all others may have done it
	case policy.ClassNone, "", policy.Class401, policy.Class403, policy.Class404, policy.Class405, policy.Class406, policy.Class415,
		policy.ClassSize, policy.ClassInput, policy.ClassState, policy.ClassAfter, policy.Class429, policy.Class501:
		return false, ""
	}
	if !tells(rec) || rec.Op.ID == policy.UnmatchedID {
		return true, "" // an unmatched path has other pseudonyms
	}
	return true, rec.HTTP.Path
}

// callerOf returns who is charged for a request, as far as its record tells. Limits
// are taken before the body is read: accounts that were found there are those that
// were charged only if the token has no other.
func callerOf(rec *audit.Record) caller {
	if rec.ClientID == "" {
		return caller{}
	}
	for i := range rec.Findings {
		if c := rec.Findings[i].Control; strings.HasPrefix(string(c), "tok.") || c == policy.KeyValid {
			return caller{}
		}
	}
	c := caller{client: rec.ClientID}
	if slices.Contains(rec.Permits, policy.AzAccount) || slices.Contains(rec.Permits, policy.AzDelegate) {
		c.accounts = rec.Account.Requested
		c.sure = !rec.Truncated && (len(rec.Account.Token) == 1 || !strings.Contains(rec.Account.Carrier, "body"))
	}
	if rec.Tok != nil {
		c.issuer = rec.Tok.Iss
	}
	return c
}
