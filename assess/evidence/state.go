package evidence

// State says what is known of one control at one position.
type State string

// The states. OPEN is a gateway that let violations arrive, of which the number
// of attempts is unknown; it reads like NOT.
const (
	StateENF  State = "ENF"  // every counted trial was refused
	StateNOT  State = "NOT"  // every counted trial leaked
	StatePART State = "PART" // some leaked, some were refused; of limits also within one window
	StateOPEN State = "OPEN" // some arrived; how many were refused is unknown
	StateAMB  State = "AMB"  // only answers that can mean both
	StateUNK  State = "UNK"  // nothing is known
	StateNA   State = "NA"   // the position does not exist
)

// States returns every state, in the order of the definitions.
func States() []State {
	return []State{StateENF, StateNOT, StatePART, StateOPEN, StateAMB, StateUNK, StateNA}
}

// Class is the result of one cell: who enforces the control, as far as known.
type Class string

// The classes of the measurement plan, 4.5.
const (
	ClassLayered             Class = "LAYERED"
	ClassGatewayOnly         Class = "GATEWAY_ONLY"
	ClassGatewayEnforced     Class = "GATEWAY_ENFORCED"
	ClassBackendOnly         Class = "BACKEND_ONLY"
	ClassBackendEnforced     Class = "BACKEND_ENFORCED"
	ClassNone                Class = "NONE"
	ClassInconsistent        Class = "INCONSISTENT"
	ClassAmbiguous           Class = "AMBIGUOUS"
	ClassGatewayOpen         Class = "GATEWAY_OPEN"
	ClassBackendOpen         Class = "BACKEND_OPEN"
	ClassUnobserved          Class = "UNOBSERVED"
	ClassNotApplicable       Class = "NOT_APPLICABLE"
	ClassUntestable          Class = "UNTESTABLE"
	ClassIndeterminatePolicy Class = "INDETERMINATE_POLICY"
)

// Classes returns every class in the order in which gaps are shown: nobody
// enforces first, nothing to say last.
func Classes() []Class {
	return []Class{
		ClassNone, ClassBackendOpen, ClassGatewayOpen, ClassInconsistent, ClassAmbiguous, ClassIndeterminatePolicy, ClassBackendOnly, ClassGatewayOnly,
		ClassBackendEnforced, ClassGatewayEnforced, ClassLayered, ClassUntestable, ClassUnobserved, ClassNotApplicable,
	}
}

// Modifier is an independent flag of a cell's class.
type Modifier string

// The modifiers that this version can give.
const (
	// ModLowN says that too few trials were counted for the claim of the class.
	ModLowN Modifier = "LOW_N"
	// ModSoft says that the backend refuses only inside success answers.
	ModSoft Modifier = "SOFT"
	// ModMasked says that the backend's refusals all look like "not found" or empty
	// lists. Where that makes the backend AMB, it is not proven that anything was
	// there.
	ModMasked Modifier = "MASKED"
	// ModErrorMasked says that all leaks ended in a server error: a crash is not a control.
	ModErrorMasked         Modifier = "ERROR_MASKED"
	ModInconsistentBackend Modifier = "INCONSISTENT_BACKEND"
	ModAmbiguousBackend    Modifier = "AMBIGUOUS_BACKEND"
	ModInconsistentGateway Modifier = "INCONSISTENT_GATEWAY"
	// ModBypassable says that requests of the operation arrived without the proof of
	// the gateway: what the gateway enforces, they walk around.
	ModBypassable Modifier = "BYPASSABLE"
	// ModDepthUnknown says that nothing is known of the backend behind the gateway.
	ModDepthUnknown Modifier = "DEPTH_UNKNOWN"
	// ModByInstance, ModByReason and ModBySubject say what decides whether a
	// violation gets through at the backend: which instance answers, what the
	// violation is, or whose it is. Of a limit BY_INSTANCE says that each instance
	// counts by itself.
	ModByInstance Modifier = "BY_INSTANCE"
	ModByReason   Modifier = "BY_REASON"
	ModBySubject  Modifier = "BY_SUBJECT"
	// ModIntermittent says that none of them does.
	ModIntermittent Modifier = "INTERMITTENT"
	// ModByOperation says that the backend enforces the control for another
	// operation of the same resource and not for this one, or the other way round.
	ModByOperation Modifier = "BY_OPERATION"
)

// Modifiers returns every modifier, in the order in which a cell lists them.
func Modifiers() []Modifier {
	return []Modifier{
		ModBypassable, ModInconsistentGateway, ModInconsistentBackend, ModAmbiguousBackend, ModDepthUnknown,
		ModByInstance, ModByReason, ModBySubject, ModIntermittent, ModByOperation,
		ModSoft, ModMasked, ModErrorMasked, ModLowN,
	}
}

// ClassOf returns the class of a cell by the states of its two positions, and
// the modifiers that the table itself gives. It is total: OPEN reads like NOT
// at either position, and a state that does not exist reads like UNK.
func ClassOf(gateway, backend State) (Class, []Modifier) {
	switch gateway {
	case StateENF:
		return behindEnforcing(backend)
	case StateNOT, StateOPEN:
		return behindOpen(backend)
	case StatePART:
		return behindPartial(backend)
	case StateAMB:
		return behindUnclear(backend, ClassAmbiguous, ClassAmbiguous, ClassBackendOpen), nil
	case StateNA:
		return behindUnclear(backend, ClassUnobserved, ClassNotApplicable, ClassNone), nil
	case StateUNK:
	}
	return behindUnclear(backend, ClassUnobserved, ClassUnobserved, ClassBackendOpen), nil
}

func behindEnforcing(backend State) (Class, []Modifier) {
	switch backend {
	case StateENF:
		return ClassLayered, nil
	case StateNOT, StateOPEN:
		return ClassGatewayOnly, nil
	case StatePART:
		return ClassGatewayOnly, []Modifier{ModInconsistentBackend}
	case StateAMB:
		return ClassGatewayOnly, []Modifier{ModAmbiguousBackend}
	case StateNA:
		return ClassGatewayEnforced, nil
	case StateUNK:
	}
	return ClassGatewayEnforced, []Modifier{ModDepthUnknown}
}

func behindOpen(backend State) (Class, []Modifier) {
	switch backend {
	case StateENF:
		return ClassBackendOnly, nil
	case StateNOT, StateOPEN, StateNA:
		return ClassNone, nil
	case StatePART:
		return ClassInconsistent, nil
	case StateAMB:
		return ClassAmbiguous, nil
	case StateUNK:
	}
	return ClassGatewayOpen, []Modifier{ModDepthUnknown}
}

func behindPartial(backend State) (Class, []Modifier) {
	switch backend {
	case StateENF:
		return ClassBackendOnly, []Modifier{ModInconsistentGateway}
	case StateNOT, StateOPEN, StatePART, StateAMB, StateNA:
		return ClassInconsistent, nil
	case StateUNK:
	}
	return ClassInconsistent, []Modifier{ModDepthUnknown}
}

// behindUnclear serves the rows of the table in which the gateway itself decides
// nothing; they differ in what an unknown, an absent and an open backend mean.
func behindUnclear(backend State, unknown, absent, open Class) Class {
	switch backend {
	case StateENF:
		return ClassBackendEnforced
	case StateNOT, StateOPEN:
		return open
	case StatePART:
		return ClassInconsistent
	case StateAMB:
		return ClassAmbiguous
	case StateNA:
		return absent
	case StateUNK:
	}
	return unknown
}
