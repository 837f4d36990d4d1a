package evidence

import (
	"net/http"
	"slices"
	"time"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

// How a request was answered, as far as it tells whether there is such an endpoint.
const (
	isServed       = iota // the backend did something, or sent elsewhere
	isRefused             // it answered that it does not, and not that there is nothing
	isNotFound            // it answered that there is nothing
	isFailed              // it failed, or gave no answer
	isNotForwarded        // it was not asked, because a finding blocks
	answers
)

// answerOf reads how a request was answered by the backend, whatever the client got.
func answerOf(rec *audit.Record) int {
	switch rec.Be.Class {
	case policy.ClassOK, policy.ClassEmpty, policy.ClassAccepted, policy.ClassOpaque, policy.ClassUpgrade, policy.ClassRedir:
		return isServed
	case policy.ClassAfter:
		if rec.Be.Status == http.StatusNotModified {
			return isServed
		}
		return isRefused
	case policy.Class404:
		return isNotFound
	case policy.ClassLogin, policy.ClassSoftDeny, policy.Class401, policy.Class403, policy.Class405, policy.Class406, policy.Class415,
		policy.ClassSize, policy.ClassInput, policy.ClassState, policy.Class429, policy.Class451, policy.Class4xx:
		return isRefused
	case policy.ClassNone:
		if rec.Disposition == policy.Blocked.String() {
			return isNotForwarded
		}
	case policy.ClassAbort, policy.Class500, policy.Class501, policy.ClassUnavail:
	}
	return isFailed
}

// isKnown reports whether the caller proved to be somebody.
func isKnown(rec *audit.Record) bool { return rec.ClientID != "" || rec.PrincipalID != "" }

// undeclaredOf says what the contract lacks of a request that no operation matched,
// or that it is the preflight of an operation, to which in.method does not apply.
func undeclaredOf(rec *audit.Record) (u Undeclared, preflight bool) {
	for i := range rec.Findings {
		f := &rec.Findings[i]
		if f.Effect != policy.Deny.String() {
			continue
		}
		switch f.Control {
		case policy.InRoute:
			return UndeclaredPath, false
		case policy.InMethod:
			return UndeclaredMethod, false
		}
	}
	switch {
	case slices.Contains(rec.NotApplicable, policy.InMethod):
		return "", true
	case slices.Contains(rec.Permits, policy.InRoute):
		return UndeclaredMethod, false
	}
	return UndeclaredUnknown, false
}

// usage counts requests of one endpoint.
type usage struct {
	answers     [answers]uint64
	known       uint64 // of a caller who proved to be somebody
	first, last int64  // Unix time in nanoseconds
}

func (u *usage) requests() uint64 {
	var sum uint64
	for _, n := range u.answers {
		sum += n
	}
	return sum
}

func (u *usage) count(at time.Time, answer int, known bool) {
	now := at.UnixNano()
	if u.first == 0 || now < u.first {
		u.first = now
	}
	if u.last == 0 || now > u.last {
		u.last = now
	}
	u.answers[answer]++
	if known {
		u.known++
	}
}

// add takes what another one counted.
func (u *usage) add(o *usage) {
	for i, n := range o.answers {
		u.answers[i] += n
	}
	u.known += o.known
	if u.first == 0 || o.first < u.first {
		u.first = o.first
	}
	if u.last == 0 || o.last > u.last {
		u.last = o.last
	}
}
