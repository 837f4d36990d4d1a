package bypass

// Test is one way to find a bypass.
type Test string

// The tests.
const (
	// BY1: requests arrive without the proof of the gateway.
	BY1 Test = "BY1"
	// BY2: the backend's port listens beyond loopback.
	BY2 Test = "BY2"
	// BY3: somebody else than the sidecar is connected to the backend's port.
	BY3 Test = "BY3"
)

// Tests returns all tests in order.
func Tests() []Test { return []Test{BY1, BY2, BY3} }

// State is what a test found.
type State string

// The states. The zero value is none of them.
const (
	// Found: there is a way around.
	Found State = "found"
	// NoneFound: the test was made, and found none.
	NoneFound State = "none-found"
	// Unknown: the test could not be made.
	Unknown State = "unknown"
	// NotApplicable: the test asks for something that is not there.
	NotApplicable State = "not-applicable"
)

// Why says why a test is unknown or does not apply.
type Why string

// The reasons.
const (
	// NoGateway: requests do not come through a gateway.
	NoGateway Why = "no-gateway"
	// NoProof: nothing shows whether a request came through the gateway, or path.gateway
	// is off for an operation.
	NoProof Why = "no-proof"
	// NoRequest: no request came.
	NoRequest Why = "no-request"
	// NotLooked: nobody looked yet.
	NotLooked Why = "not-looked"
	// Unreadable: the socket table is not there, or cannot be read: so everywhere but on
	// Linux.
	Unreadable Why = "unreadable"
	// TooLarge: the socket table, or the list of the sidecar's own sockets, has more than
	// is read.
	TooLarge Why = "too-large"
	// BackendByName: the backend is named, and whether the name is this machine's is not
	// looked up.
	BackendByName Why = "backend-by-name"
	// BackendElsewhere: the backend is at an address that this machine does not have.
	BackendElsewhere Why = "backend-elsewhere"
	// NothingListens: nobody listens at the backend's port in this network namespace.
	NothingListens Why = "nothing-listens"
)

// Scope says from where a listener can be reached, as far as its address tells.
type Scope string

// The scopes.
const (
	// ScopeAny: at every address of the machine.
	ScopeAny Scope = "any"
	// ScopeLoopback: from this machine, or this pod, alone.
	ScopeLoopback Scope = "loopback"
	// ScopeInterface: at one address that others may reach.
	ScopeInterface Scope = "interface"
)

// other stands for all that have no name of their own.
const other = "other"
