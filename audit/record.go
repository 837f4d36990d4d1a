package audit

import (
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// Version is the version of the record format. It changes when a field changes
// its meaning or goes; fields may be added within a version.
const Version = 1

// MaxLine is the longest line of a record in bytes, its line break included.
const MaxLine = 8 << 10

// Record is what is kept of one request. It is immutable once a [Recorder] has
// built it: consumers and the log share one value and nobody changes it, so it
// may be kept. "Pseudonym" means the form that [Pseudonymizer] gives a value.
// Fields marked untrusted hold what a client or the backend said, in a bounded
// form; they are never proof of anything.
type Record struct {
	// V is the version of the format, 1.
	V int `json:"v"`
	// RecordID is a ULID of our own, ordered by the time of the request.
	RecordID string `json:"record_id"`
	// Time is when the head of the request was read, in UTC.
	Time time.Time `json:"time"`
	// DurationMS is the time from the head to the end of the answer, in
	// milliseconds.
	DurationMS float64 `json:"duration_ms"`

	// TraceID is the trace id of the request's traceparent (untrusted). Without a
	// valid one it is minted for this record only, and ParentSpanID is empty.
	TraceID string `json:"trace_id"`
	// ParentSpanID is the parent id of the request's traceparent (untrusted).
	ParentSpanID string `json:"parent_span_id,omitempty"`
	// RequestID is the value of the configured request id header (untrusted), cut
	// and with unusual characters replaced by an underscore.
	RequestID string `json:"request_id,omitempty"`
	// DecisionID is the id that the client got in Sidewarden-Decision-Id.
	DecisionID string `json:"decision_id"`

	// Product, Env, Instance and SidecarVersion say who wrote the record. They are
	// configured.
	Product        string `json:"product"`
	Env            string `json:"env"`
	Instance       string `json:"instance"`
	SidecarVersion string `json:"sidecar_version"`

	// Policy names the policy that decided.
	Policy PolicyRef `json:"policy"`
	// Op is the operation of the contract.
	Op Op `json:"op"`
	// HTTP is the message.
	HTTP HTTP `json:"http"`
	// Client is the connected peer and the answer that it got.
	Client Client `json:"client"`

	// ClientID is the pseudonym of the proven issuer and client; empty without an
	// identity.
	ClientID string `json:"client_id"`
	// PrincipalID is the pseudonym of the proven issuer and principal; empty
	// without an identity or when the token names none.
	PrincipalID string `json:"principal_id"`
	// ActorID is the pseudonym of the proven issuer and actor, who acts for the
	// principal (RFC 8693, section 4.1); absent without one.
	ActorID string `json:"actor_id,omitempty"`
	// Account is whose data the request is about.
	Account Account `json:"account"`
	// Tok has facts of the token; nil when none could be read.
	Tok *Tok `json:"tok,omitempty"`
	// Claimed is what a token, or identity headers, that did not prove themselves
	// say; nil otherwise.
	Claimed *Claimed `json:"claimed,omitempty"`
	// Auth is the outcome of the authentication.
	Auth Auth `json:"auth"`

	// Findings has every verdict that does not pass, in order of evaluation.
	Findings []Finding `json:"findings"`
	// Permits lists the controls that permit, NotApplicable those that had nothing
	// to judge, both in order of evaluation.
	Permits       []policy.Control `json:"permits,omitempty"`
	NotApplicable []policy.Control `json:"not_applicable,omitempty"`
	// Enforced lists the controls that were evaluated in mode enforce, whatever
	// their effect; all others were in shadow.
	Enforced []policy.Control `json:"enforced,omitempty"`
	// Disposition is what the sidecar did: allowed, would-block, blocked, excepted
	// or failed.
	Disposition string `json:"disposition"`

	// Be is the backend's answer.
	Be Backend `json:"be"`
	// Observations is what the answer says about each violated control.
	Observations []Observation `json:"observations"`
	// OverheadUS is the time that the sidecar added before the answer began, in
	// microseconds.
	OverheadUS int64 `json:"overhead_us"`

	// Redaction tells what was done to protect identifiers and secrets.
	Redaction Redaction `json:"redaction"`
	// Truncated reports that lists or strings were cut. The record in memory always
	// has all findings and observations; only a line that would be too long loses
	// some.
	Truncated bool `json:"truncated,omitempty"`
}

// PolicyRef names a policy.
type PolicyRef struct {
	// Digest is "sha256:" and 64 hexadecimal digits; empty when no policy decided.
	Digest string `json:"digest"`
}

// Op is the operation of the contract that a request matched.
type Op struct {
	// ID is the operation's id, or "unmatched".
	ID string `json:"id"`
	// Template is the path template; empty for an unmatched request.
	Template string `json:"template,omitempty"`
}

// HTTP is the message without its contents.
type HTTP struct {
	// Method is a registered method, or OTHER for any other one.
	Method string `json:"method"`
	// Version is HTTP/1.0, HTTP/1.1, HTTP/2.0, HTTP/3.0, other, or empty if no
	// request line was read.
	Version string `json:"version"`
	// Path is the template with a pseudonym for each parameter. Of an unmatched
	// request it is the path with a pseudonym for each segment that is neither a
	// literal segment of the contract nor one of CommonSegments.
	Path string `json:"path"`
	// QueryKeys are the names of query parameters that the contract declares, each
	// once; all others are one "other".
	QueryKeys []string `json:"query_keys,omitempty"`
	// ReqBytes is the declared or counted length of the request body; absent when
	// it is not known.
	ReqBytes *int64 `json:"req_bytes,omitempty"`
	// RespBytes is the number of body bytes that the client got.
	RespBytes int64 `json:"resp_bytes"`
	// Ctype is the media type of the request body when it is a common one or
	// declared by the contract, else "other"; empty without a Content-Type.
	Ctype string `json:"ctype,omitempty"`
	// InspectedBytes counts the body bytes that were inspected, of the request and
	// of the answer.
	InspectedBytes int64 `json:"inspected_bytes"`
	// StrippedFields is how many header fields were taken away before the request was
	// forwarded.
	StrippedFields int `json:"stripped_fields,omitempty"`
	// PartiallyInspected reports that a body was inspected in part, or not at all
	// where a control asked for it.
	PartiallyInspected bool `json:"partially_inspected,omitempty"`
}

// Client is the connected peer, which may be a gateway.
type Client struct {
	// IP is the peer's network address, cut to its /24 (IPv4) or /48 (IPv6); empty
	// when not known.
	IP string `json:"ip"`
	// Source is the network of the client behind the peer, cut in the same way, where the
	// configured hops tell one; empty where the peer is the client.
	Source string `json:"source,omitempty"`
	// Status is the HTTP status that the client got; 0 for no answer.
	Status int `json:"status"`
	// TLS is how the connection of the peer is secured; absent of a plain one.
	TLS *TLS `json:"tls,omitempty"`
}

// Account is whose data a request is about, as pseudonyms.
type Account struct {
	// Token lists the accounts of the proven identity.
	Token []string `json:"token"`
	// Requested lists the accounts that the request names (untrusted), each once.
	Requested []string `json:"requested"`
	// Carrier says where the requested accounts were found, such as
	// "path.accountId"; several are joined by commas.
	Carrier string `json:"carrier"`
}

// Tok has facts of a token. Unless the authentication succeeded they are
// untrusted. The token itself is never kept.
type Tok struct {
	// Iss is the issuer verbatim if it is configured, else a pseudonym.
	Iss string `json:"iss,omitempty"`
	// Alg is a registered JOSE algorithm, or "other".
	Alg string `json:"alg,omitempty"`
	// Kid is the pseudonym of the key id.
	Kid string `json:"kid,omitempty"`
	// Typ is a known token type in lower case, or "other".
	Typ string `json:"typ,omitempty"`
	// AgeS is the time since the token was issued, in seconds.
	AgeS *int64 `json:"age_s,omitempty"`
	// TTLS is the token's whole lifetime from issue to expiry, in seconds.
	TTLS *int64 `json:"ttl_s,omitempty"`
	// ScopesN is the number of scopes.
	ScopesN int `json:"scopes_n"`
	// Scopes are those of them that the contract or the configuration declares, each
	// once, sorted, at most 32. Others are counted in ScopesN alone.
	Scopes []string `json:"scopes,omitempty"`
	// Missing are the claims that the token lacks of iss, exp, aud, sub, client_id, iat,
	// jti and nbf, in this order; none if its claims could not be read.
	Missing []string `json:"missing,omitempty"`
	// Bound is what whoever sends the token has to prove: dpop, mtls, dpop+mtls, or
	// other for what is not known here; empty of a bearer token. Whether it was proven
	// is for tok.bind to say.
	Bound string `json:"bound,omitempty"`
	// FP is the pseudonym of the token's fingerprint.
	FP string `json:"fp"`
}

// Claimed is what a credential says that did not prove itself: untrusted, as
// pseudonyms, and never mixed with proven values.
type Claimed struct {
	// ClientID is the pseudonym of the claimed issuer and client.
	ClientID string `json:"client_id,omitempty"`
	// PrincipalID is the pseudonym of the claimed issuer and principal.
	PrincipalID string `json:"principal_id,omitempty"`
	// ActorID is the pseudonym of the claimed issuer and actor.
	ActorID string `json:"actor_id,omitempty"`
	// Accounts are the claimed accounts.
	Accounts []string `json:"accounts,omitempty"`
	// Iss is the claimed issuer verbatim if it is configured, else a pseudonym.
	Iss string `json:"iss,omitempty"`
}

// Auth is the outcome of the authentication by the credential. What mtls.client says of
// the connection is no part of it.
type Auth struct {
	// Outcome is success (an identity, and no authentication control objects),
	// failure (one objects), none (no credential) or error (could not decide).
	Outcome string `json:"outcome"`
	// Reason is a policy reason, or token-valid, not-required or not-evaluated.
	Reason policy.Reason `json:"reason"`
}

// The outcomes of an authentication.
const (
	AuthSuccess = "success"
	AuthFailure = "failure"
	AuthNone    = "none"
	AuthError   = "error"
)

// Reasons of Auth that are not reasons of a control.
const (
	// TokenValid: the credential proved itself and nothing objects.
	TokenValid policy.Reason = "token-valid"
	// APIKeyValid: the API key proved itself and nothing objects.
	APIKeyValid policy.Reason = "api-key-valid"
	// IdentityAsserted: the gateway proved itself and said who the caller is.
	IdentityAsserted policy.Reason = "identity-asserted"
	// NotRequired: no credential was needed and none gave an identity.
	NotRequired policy.Reason = "not-required"
	// NotEvaluated: the request ended before its credential was looked at.
	NotEvaluated policy.Reason = "not-evaluated"
)

// Finding is one verdict that does not pass.
type Finding struct {
	Control policy.Control `json:"control"`
	// Effect is deny or indeterminate, Mode shadow or enforce.
	Effect string        `json:"effect"`
	Reason policy.Reason `json:"reason"`
	// Detail is structural and holds no submitted value.
	Detail string `json:"detail,omitempty"`
	Mode   string `json:"mode"`
	// Exception is the id of the exception that covers the finding.
	Exception string `json:"exception,omitempty"`
	// Cause is the control whose failure left this one undecided.
	Cause policy.Control `json:"cause,omitempty"`
	// FailedOpen reports an undecided verdict that would have blocked had its
	// control not been listed under insecure_fail_open.
	FailedOpen bool `json:"failed_open,omitempty"`
}

// Backend is the backend's answer.
type Backend struct {
	// Status is the backend's HTTP status; 0 when it gave none or was not asked.
	Status int `json:"status"`
	// Class is the class of the answer, R-NONE when the request was not forwarded.
	Class policy.ResponseClass `json:"class"`
	// Instance names the instance that answered (untrusted: the backend says it).
	Instance string `json:"instance,omitempty"`
	// LatencyMS is the time from forwarding to the head of the answer, in
	// milliseconds.
	LatencyMS float64 `json:"latency_ms"`
	// TLS is how the connection to the backend is secured; absent of a plain one.
	TLS *TLS `json:"tls,omitempty"`
}

// Observation is what the answer says about one control at one position.
type Observation struct {
	Control  policy.Control  `json:"control"`
	Position policy.Position `json:"position"`
	Signal   policy.Signal   `json:"signal"`
	Reason   policy.Reason   `json:"reason"`
	// Isolated reports that the observation is evidence for its control alone.
	Isolated bool `json:"isolated"`
}

// Redaction tells what was done to protect identifiers and secrets.
type Redaction struct {
	// Kid names the key of the pseudonyms; "r" is a random one of this process.
	Kid string `json:"kid"`
	// Applied lists the fields in which the pattern net replaced something.
	Applied []string `json:"applied"`
	// Errors lists the fields that were dropped because they could not be made
	// safe; "record" means that only the facts of the outcome are left.
	Errors []string `json:"errors"`
}
