package policy

// Mode says what a denial of a rule does to the request.
type Mode uint8

// The modes. The zero value is Off, so that a rule that nobody configured does
// nothing; compile leaves such rules out of the plan.
const (
	Off     Mode = iota // not evaluated
	Shadow              // evaluated and recorded; changes nothing
	Enforce             // evaluated, recorded, and blocks
)

// String returns the word used in config files, records and labels.
func (m Mode) String() string {
	switch m {
	case Off:
		return "off"
	case Shadow:
		return "shadow"
	case Enforce:
		return "enforce"
	}
	return "invalid"
}

// Phase says when a rule is evaluated.
type Phase uint8

// The phases in their order of evaluation.
const (
	HeadPhase     Phase = iota // after match and authenticate
	LimitPhase                 // after spend
	BodyPhase                  // after inspect
	ResponsePhase              // after the backend answered
)

// String returns the word used in the catalogue and in the docs.
func (p Phase) String() string {
	switch p {
	case HeadPhase:
		return "head"
	case LimitPhase:
		return "limit"
	case BodyPhase:
		return "body"
	case ResponsePhase:
		return "response"
	}
	return "invalid"
}
