package policy

// Reason is the stable code of a denial or of an undecided verdict: kebab-case,
// documented on the page of its control, used unchanged in records, answers and
// metrics. The set is closed.
type Reason string

// Reasons that any control may give.
const (
	// PrerequisiteFailed: a control that this one needs did not permit; Cause names it.
	PrerequisiteFailed Reason = "prerequisite-failed"
	// InternalError: a stage or check panicked.
	InternalError Reason = "internal-error"
	// NotInspected: the body was not read whole, so nothing can be said of it.
	NotInspected Reason = "not-inspected"
)

// Reasons of path.gateway.
const (
	GatewayPeer           Reason = "gateway-peer"
	GatewayProofMissing   Reason = "gateway-proof-missing"
	GatewayProofDuplicate Reason = "gateway-proof-duplicate"
	GatewayProofMismatch  Reason = "gateway-proof-mismatch"
)

// Reasons of tok.present.
const (
	CredentialMissing   Reason = "credential-missing"
	CredentialScheme    Reason = "credential-scheme"
	CredentialDuplicate Reason = "credential-duplicate"
	CredentialMalformed Reason = "credential-malformed"
)

// Reasons of tok.sig.
const (
	TokenMalformed       Reason = "token-malformed"
	TokenOversize        Reason = "token-oversize"
	TokenHeader          Reason = "token-header"
	TokenHeaderCrit      Reason = "token-header-crit"
	TokenHeaderUnencoded Reason = "token-header-unencoded"
	TokenHeaderKey       Reason = "token-header-key"
	TokenHeaderJWE       Reason = "token-header-jwe"
	TokenHeaderNested    Reason = "token-header-nested"
	TokenAlg             Reason = "token-alg"
	TokenSignature       Reason = "token-signature"
	KeyUnknown           Reason = "key-unknown"
	KeyRetired           Reason = "key-retired"
	KeySetUnavailable    Reason = "key-set-unavailable"
)

// Reasons of key.valid.
const (
	APIKeyUnknown  Reason = "api-key-unknown"
	APIKeyExpired  Reason = "api-key-expired"
	APIKeyDisabled Reason = "api-key-disabled"
)

// Reasons of tok.iss, tok.aud, tok.time, tok.typ and tok.ttl.
const (
	IssuerMissing         Reason = "issuer-missing"
	IssuerUnknown         Reason = "issuer-unknown"
	AccountNamespace      Reason = "account-namespace"
	AudienceMissing       Reason = "audience-missing"
	TokenAudience         Reason = "token-audience"
	ExpiryMissing         Reason = "expiry-missing"
	TokenExpired          Reason = "token-expired"
	TokenNotYetValid      Reason = "token-not-yet-valid"
	TokenIssuedInFuture   Reason = "token-issued-in-future"
	TokenType             Reason = "token-type"
	TokenPurpose          Reason = "token-purpose"
	TokenClaimMissing     Reason = "token-claim-missing"
	TokenLifetime         Reason = "token-lifetime"
	TokenIssuedAtMissing  Reason = "token-issued-at-missing"
	TokenLifetimeNegative Reason = "token-lifetime-negative"
)

// Reasons of tok.replay.
const (
	TokenIDMissing Reason = "token-id-missing"
	TokenReplayed  Reason = "token-replayed"
	// TokenOtherSender: the token was sent by somebody else before.
	TokenOtherSender Reason = "token-other-sender"
	ReplayStoreFull  Reason = "replay-store-full"
	// ReplayStoreUnavailable: the store of used tokens gave no answer in time, or
	// another one than it can give.
	ReplayStoreUnavailable Reason = "replay-store-unavailable"
)

// Reasons of tok.bind.
const (
	TokenUnbound            Reason = "token-unbound"
	ConfirmationUnsupported Reason = "confirmation-unsupported"
	CertificateMissing      Reason = "certificate-missing"
	CertificateMismatch     Reason = "certificate-mismatch"
	DPoPScheme              Reason = "dpop-scheme"
	DPoPUnconfigured        Reason = "dpop-unconfigured"
	DPoPMissing             Reason = "dpop-missing"
	DPoPDuplicate           Reason = "dpop-duplicate"
	DPoPOversize            Reason = "dpop-oversize"
	DPoPMalformed           Reason = "dpop-malformed"
	DPoPHeader              Reason = "dpop-header"
	DPoPType                Reason = "dpop-type"
	DPoPAlg                 Reason = "dpop-alg"
	DPoPKey                 Reason = "dpop-key"
	DPoPMismatch            Reason = "dpop-mismatch"
	DPoPSignature           Reason = "dpop-signature"
	DPoPMethod              Reason = "dpop-method"
	DPoPURL                 Reason = "dpop-url"
	DPoPTime                Reason = "dpop-time"
	DPoPToken               Reason = "dpop-token"
	DPoPNonce               Reason = "dpop-nonce"
	DPoPReplayed            Reason = "dpop-replayed"
	DPoPStoreFull           Reason = "dpop-store-full"
	// DPoPStoreUnavailable: the store of used proofs gave no answer in time, or none
	// that can be used.
	DPoPStoreUnavailable Reason = "dpop-store-unavailable"
)

// Reasons of tok.revoked, and of tok.sig for a token whose issuer is asked about it.
const (
	TokenRevoked             Reason = "token-revoked"
	TokenInactive            Reason = "token-inactive"
	IntrospectionIssuer      Reason = "introspection-issuer"
	IntrospectionUnavailable Reason = "introspection-unavailable"
	IntrospectionBusy        Reason = "introspection-busy"
)

// Reasons of in.route, in.method, in.ctype, in.size, in.wellformed and in.schema.
const (
	RouteUnknown          Reason = "route-unknown"
	MethodNotAllowed      Reason = "method-not-allowed"
	ContentTypeMissing    Reason = "content-type-missing"
	ContentTypeDuplicate  Reason = "content-type-duplicate"
	ContentTypeMalformed  Reason = "content-type-malformed"
	ContentTypeUndeclared Reason = "content-type-undeclared"
	ContentTypeCharset    Reason = "content-type-charset"
	ContentCoding         Reason = "content-coding"
	BodyUndeclared        Reason = "body-undeclared"
	BodyTooLarge          Reason = "body-too-large"
	InflatedTooLarge      Reason = "inflated-too-large"
	HeaderTooLarge        Reason = "header-too-large"
	HeaderTooManyFields   Reason = "header-too-many-fields"
	CodingMalformed       Reason = "coding-malformed"
	JSONSyntax            Reason = "json-syntax"
	JSONEncoding          Reason = "json-encoding"
	JSONDuplicateMember   Reason = "json-duplicate-member"
	JSONTooDeep           Reason = "json-too-deep"
	JSONTooManyMembers    Reason = "json-too-many-members"
	JSONNumber            Reason = "json-number"
	JSONTrailingData      Reason = "json-trailing-data"
	XMLSyntax             Reason = "xml-syntax"
	XMLDoctype            Reason = "xml-doctype"
	XMLTooDeep            Reason = "xml-too-deep"
	FormSeparator         Reason = "form-separator"
	FormEscape            Reason = "form-escape"
	FormEncoding          Reason = "form-encoding"
	FormField             Reason = "form-field"
	FormTooManyFields     Reason = "form-too-many-fields"
	MultipartBoundary     Reason = "multipart-boundary"
	MultipartOutside      Reason = "multipart-outside"
	MultipartTruncated    Reason = "multipart-truncated"
	MultipartHeaders      Reason = "multipart-headers"
	MultipartEncoding     Reason = "multipart-encoding"
	MultipartNested       Reason = "multipart-nested"
	MultipartTooManyParts Reason = "multipart-too-many-parts"
	MultipartPartTooLarge Reason = "multipart-part-too-large"
	BodyRequired          Reason = "body-required"
	SchemaMismatch        Reason = "schema-mismatch"
	UndeclaredProperty    Reason = "undeclared-property"
	ParameterMissing      Reason = "parameter-missing"
	ParameterInvalid      Reason = "parameter-invalid"
	ParameterUndeclared   Reason = "parameter-undeclared"
	ParameterEscape       Reason = "parameter-escape"
	ParameterTooMany      Reason = "parameter-too-many"
	SchemaUnsupported     Reason = "schema-unsupported"
)

// Reasons of every control that judges what a request asks for.
const (
	// ActionInBody: the body says which of many actions is asked for, so that the
	// control, which passed, has judged the operation as a whole only.
	ActionInBody Reason = "action-in-body"
)

// Reasons of out.size and out.schema beside those that they share with in.*.
const (
	// StatusUndeclared: the contract declares neither the status of the answer nor a
	// range or a default that covers it.
	StatusUndeclared Reason = "status-undeclared"
	// ContentPartial: the answer is a part of what the contract describes (206).
	ContentPartial Reason = "content-partial"
	// StreamUnbounded: the answer is an event stream or an upgrade, which has no size
	// before its end.
	StreamUnbounded Reason = "stream-unbounded"
)

// Reasons of az.scope, az.account, rate.app, rate.customer and rate.quota.
const (
	ScopeMissing      Reason = "scope-missing"
	AccountMissing    Reason = "account-missing"
	AccountNotInToken Reason = "account-not-in-token"
	AccountUnbound    Reason = "account-unbound"
	RateExceeded      Reason = "rate-exceeded"
	QuotaExceeded     Reason = "quota-exceeded"
	AccountsTooMany   Reason = "accounts-too-many"
)

// Reasons of az.default and az.delegate, which gives account-missing and
// account-unbound too.
const (
	AuthorizationRuleMissing Reason = "authorization-rule-missing"
	AccountNotDelegated      Reason = "account-not-delegated"
	OperationNotDelegated    Reason = "operation-not-delegated"
	DelegationExpired        Reason = "delegation-expired"
)
