package policy

import "time"

// Disposition is what the sidecar did with a request.
type Disposition uint8

// The dispositions. The zero value is Failed: a request of which nobody said
// what happened did not go well.
const (
	Failed     Disposition = iota // no answer of the backend, or a fault of ours
	Allowed                       // forwarded, nothing to object
	WouldBlock                    // forwarded; under enforce it would have been blocked
	Excepted                      // forwarded because exceptions cover every objection
	Blocked                       // answered by us
)

// String returns the word used in records and labels.
func (d Disposition) String() string {
	switch d {
	case Failed:
		return "failed"
	case Allowed:
		return "allowed"
	case WouldBlock:
		return "would-block"
	case Excepted:
		return "excepted"
	case Blocked:
		return "blocked"
	}
	return "invalid"
}

// Outcome is what became of a request.
type Outcome struct {
	Disposition Disposition
	// Status is what the client got, BackendStatus what the backend said; 0 for
	// nothing. A client that left before the answer has neither, and the class is
	// ClassNone: its impatience says nothing of the backend.
	Status, BackendStatus int
	Class                 ResponseClass
	// SoftFamily is the family of controls that a soft denial's code belongs to;
	// empty when the code is not known or the class is not ClassSoftDeny.
	SoftFamily Family
	// Instance is the backend instance that answered, by its instance header or
	// address.
	Instance string
	// Coded reports that the request body was sent with a content coding.
	Coded bool
	// Overhead is the time that the sidecar added before the answer began, Elapsed
	// the whole time from head to the end of the answer, Backend the time from
	// forwarding to the backend's head.
	Overhead, Elapsed, Backend time.Duration
	// Stripped is how many header fields were taken away before the request was forwarded:
	// of what in.hdr found, the backend saw nothing.
	Stripped int
	// Sent is the number of body bytes that the client got.
	Sent int64
	// Policy is the digest of the policy that decided.
	Policy string
}

// Position is where a control can be enforced.
type Position string

// The positions in front of and behind the sidecar.
const (
	AtGateway Position = "gateway"
	AtBackend Position = "backend"
)

// Signal is what one answer says about one control at one position.
type Signal string

// The signals.
const (
	Leaked         Signal = "leaked"         // the violation went through
	Weak           Signal = "weak"           // it reached logic behind the control
	Enforced       Signal = "enforced"       // it was refused for what it is
	Masked         Signal = "masked"         // it was refused as if nothing were there
	Soft           Signal = "soft"           // it was refused inside a success answer
	Ambiguous      Signal = "ambiguous"      // the answer can mean both
	Unattributable Signal = "unattributable" // the answer is about something else
)

// Observation is what one answer said about one control at one position. It is
// evidence for a cell only when isolated: exactly one control denied, and every
// undecided finding names that control as its cause.
type Observation struct {
	Control  Control
	Position Position
	Signal   Signal
	Reason   Reason
	Isolated bool
}
