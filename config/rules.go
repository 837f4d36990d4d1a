package config

// Values of the closed sets that other packages compare with.
const (
	// KindClientToken is the credential kind in which the client's own token arrives.
	KindClientToken = "client_token"
	// KindGatewayToken is the credential kind in which the gateway issued the token.
	KindGatewayToken = "gateway_token"
	// KindIdentityHeaders is the credential kind in which the gateway asserts the caller in headers.
	KindIdentityHeaders = "identity_headers"
	// KindAPIKey is the credential kind in which the client's API key arrives.
	KindAPIKey = "api_key"
	// KindNone is the credential kind in which nothing arrives.
	KindNone = "none"

	// ActionsOne and ActionsMany tell whether an operation does one thing, or what its
	// body asks for.
	ActionsOne  = "one"
	ActionsMany = "many"

	// ClientAuthNone asks for no client certificate.
	ClientAuthNone = "none"
	// ClientAuthRequest asks for a client certificate and does without.
	ClientAuthRequest = "request"
	// ClientAuthRequire asks for a client certificate.
	ClientAuthRequire = "require"

	// TLS13 is the lowest version of TLS where 1.2 is not taken.
	TLS13 = "1.3"

	// HTTPAuto speaks HTTP/2 with a backend that offers it over TLS.
	HTTPAuto = "auto"
	// HTTPOne speaks HTTP/1.1 alone.
	HTTPOne = "h1"
	// HTTPTwoClear speaks HTTP/2 without TLS.
	HTTPTwoClear = "h2c"

	// ReplayOff accepts a token any number of times.
	ReplayOff = "off"
	// ReplaySingleUse accepts a token once.
	ReplaySingleUse = "single_use"
	// ReplaySameSender accepts a token from its first sender only.
	ReplaySameSender = "same_sender"

	// SenderOptional takes bearer tokens of an issuer.
	SenderOptional = "optional"
	// SenderRequired takes tokens that are bound to a key or to a certificate.
	SenderRequired = "required"
	// SenderDPoP takes tokens that are bound to a key.
	SenderDPoP = "dpop"
	// SenderMTLS takes tokens that are bound to a certificate.
	SenderMTLS = "mtls"

	// AudienceAny accepts a token that has one of the audiences.
	AudienceAny = "any"
	// AudienceAll accepts a token that has all of the audiences.
	AudienceAll = "all"

	// TokensJWT takes tokens of an issuer that are JWTs.
	TokensJWT = "jwt"
	// TokensOpaque takes tokens that only their issuer can read.
	TokensOpaque = "opaque"
	// TokensBoth takes tokens of both forms.
	TokensBoth = "both"

	// UndeclaredContract leaves undeclared properties to the contract.
	UndeclaredContract = "contract"
	// UndeclaredDeny takes every undeclared property as a violation.
	UndeclaredDeny = "deny"
	// PatternsOmit leaves patterns out that cannot be compiled.
	PatternsOmit = "omit"

	// UndeclaredReport records undeclared parameters, and blocks none.
	UndeclaredReport = "report"

	// HeadDeclared takes a HEAD request for what the contract says.
	HeadDeclared = "declared"
	// HeadGet takes it for a GET request where the contract declares no HEAD.
	HeadGet = "get"

	// AccountNone says that no account rule applies to an operation.
	AccountNone = "none"

	// InPath finds an account in a path parameter.
	InPath = "path"
	// InQuery finds an account in a query parameter.
	InQuery = "query"
	// InHeader finds an account in a request header.
	InHeader = "header"
	// InBody finds an account in a JSON body.
	InBody = "body"

	// KeyClient counts a limit per client, which is a pair of issuer and client.
	KeyClient = "client"
	// KeyAccount counts a limit per account.
	KeyAccount = "account"
	// KeyPeer counts a limit per address of the client, the connected one unless a hop tells another.
	KeyPeer = "peer"
	// KeyOperation counts a limit per operation.
	KeyOperation = "operation"
)

// Account is the account boundary.
type Account struct {
	Rules      []AccountRule `yaml:"rules" doc:"Where a request names an account. Every value of every rule must be one of the caller's accounts."`
	Delegation []Delegation  `yaml:"delegation" doc:"Partners that may act for accounts that are not their own."`
}

// AccountRule selects account values of a request.
type AccountRule struct {
	In       string `yaml:"in" required:"true" enum:"path|query|header|body" doc:"Part of the request."`
	Name     string `yaml:"name" doc:"Name of the path parameter, query parameter or header."`
	Pointer  string `yaml:"pointer" doc:"JSON pointer into the body; for in body alone."`
	Required bool   `yaml:"required" default:"false" doc:"Deny a request that has no value here. Otherwise the rule does not apply to it."`
}

// Delegation lets a partner act for accounts.
type Delegation struct {
	Issuer       string   `yaml:"issuer" required:"true" doc:"Issuer of the partner's tokens."`
	Client       string   `yaml:"client" required:"true" doc:"Client of the partner. With a delegation it may act for what is delegated, and for nothing else: what its token says of accounts does not count."`
	Accounts     []string `yaml:"accounts" doc:"Accounts that the partner may act for. Exactly one of accounts and accounts_file."`
	AccountsFile string   `yaml:"accounts_file" file:"true" doc:"File with the accounts, one per line. Exactly one of accounts and accounts_file."`
	Operations   []string `yaml:"operations" doc:"Operations that the delegation is for, by operationId or METHOD /path. Default: all."`
	Expires      Deadline `yaml:"expires" doc:"Last day, as 2027-06-30. It ends in UTC; a time, as 2027-06-30T18:00:00Z, is taken too. Default: never."`
}

// Payload are bounds of bodies.
type Payload struct {
	ContentCodings   []string `yaml:"content_codings" enum:"gzip" refused:"deflate: it is sent with and without its wrapper, which two sides read differently" doc:"Content codings of request bodies that are taken off to inspect the content; what is forwarded stays as it was sent. The size bounds hold for the body and for its content. Default: none, and control in.ctype denies every coding."`
	MaxInflation     int      `yaml:"max_inflation" default:"100" min:"1" doc:"How many times as long as the body its content may be, where a content coding is taken off. Control in.size judges it."`
	MaxRequestBytes  Size     `yaml:"max_request_bytes" default:"1MiB" positive:"true" doc:"Largest request body. Control in.size judges it; an operation may say otherwise."`
	MaxResponseBytes Size     `yaml:"max_response_bytes" default:"8MiB" positive:"true" doc:"Largest response body. Control out.size judges it; a larger one is not inspected."`
	MaxJSONDepth     int      `yaml:"max_json_depth" default:"64" min:"1" doc:"Deepest nesting of JSON."`
	MaxFormFields    int      `yaml:"max_form_fields" default:"1000" min:"1" doc:"Most fields of a form (application/x-www-form-urlencoded). Backends that stop at a number of fields should not stop earlier."`
	MaxParts         int      `yaml:"max_parts" default:"100" min:"1" doc:"Most parts of a multipart body."`
	MaxPartBytes     Size     `yaml:"max_part_bytes" positive:"true" doc:"Largest part of a multipart body. Default: as large as the body may be."`
	MaxHeldBytes     Size     `yaml:"max_held_bytes" default:"128MiB" positive:"true" doc:"Most bytes of bodies that the process holds at one time. Beyond it an enforcing control can not decide, and shadow forwards without inspection."`
}

// Limit is one rate limit.
type Limit struct {
	Name       string   `yaml:"name" required:"true" doc:"Name in metrics and records: lower-case letters, digits and dashes, at most 63."`
	Key        []string `yaml:"key" required:"true" enum:"client|account|peer|operation" doc:"What is counted apart. Several members count their combinations. The peer is the connected address, or the client behind it where gateway.forwarded tells one. A limit whose key has account is one of control rate.customer, any other one of rate.app."`
	Operations []string `yaml:"operations" doc:"Operations that the limit counts, as the keys of operations name them; unmatched stands for requests that match none. Default: all."`
	Rate       Rate     `yaml:"rate" doc:"Sustained rate, for example 100/s, 5/m or 1000/h."`
	Burst      int      `yaml:"burst" min:"1" doc:"Most requests at once, of a limit with a rate. Default: the rate per second, rounded up, at least 1."`
	Quota      Quota    `yaml:"quota" doc:"Total in a calendar period in UTC, for example 1000000/day; also /hour and /month. Control rate.quota judges it. A limit has a rate, a quota or both."`
	MaxKeys    int      `yaml:"max_keys" default:"100000" min:"1" doc:"Most keys that have a bucket of their own. Beyond it new keys share one, so that nobody gets a fresh bucket by flooding; of a quota, until its period ends."`
}

// Operation are the settings of one operation.
type Operation struct {
	Controls        map[string]Mode `yaml:"controls" keys:"@families" doc:"Mode by control or family, for this operation. It wins over the top-level controls."`
	Scopes          [][]string      `yaml:"scopes" doc:"Alternatives of scopes that must all be there, for example [[orders:write], [admin, orders:read]]. An empty list asks for none. Default: what the contract's security says."`
	Account         string          `yaml:"account" enum:"none" doc:"None: no account rule applies to this operation, on purpose."`
	Public          *bool           `yaml:"public" doc:"True: the operation needs no credential, and tok.*, key.valid and az.* do not judge it. False: they judge every request. Default: what the contract's security says; where it makes the credential optional, they judge requests that have one."`
	Replay          string          `yaml:"replay" enum:"off|single_use|same_sender" doc:"Overrides token.replay.mode."`
	MaxRequestBytes Size            `yaml:"max_request_bytes" positive:"true" doc:"Overrides payload.max_request_bytes."`
	Actions         string          `yaml:"actions" enum:"one|many" doc:"Many: the body says which of many actions is asked for, as in SOAP and GraphQL, so that az.scope, az.default and in.schema can deny a request but not permit it. One: they judge the operation as a whole. Default: what the contract looks like."`
	Upgrade         []string        `yaml:"upgrade" enum:"websocket" doc:"Protocols into which a GET request without a body may turn its connection. What passes it then is not inspected. Control in.hdr judges upgrades, and where it enforces, an upgrade to any other protocol is forwarded as an ordinary request."`
}

// Exception lets a caller violate a control for a while.
type Exception struct {
	ID        string   `yaml:"id" required:"true" doc:"Identifier in records and metrics: letters, digits, dots, dashes and underscores, at most 63."`
	Control   string   `yaml:"control" required:"true" enum:"@controls" doc:"The control."`
	Operation string   `yaml:"operation" doc:"The operation, by operationId or METHOD /path; unmatched for requests that match none. Default: all."`
	Issuer    string   `yaml:"issuer" doc:"Issuer of the caller's tokens. Default: every caller, also one without a token."`
	Client    string   `yaml:"client" doc:"Client of the caller, of that issuer. Default: every one of the issuer."`
	Owner     string   `yaml:"owner" required:"true" doc:"Who answers for it."`
	Reason    string   `yaml:"reason" required:"true" doc:"Why it exists."`
	Expires   Deadline `yaml:"expires" required:"true" doc:"Last day, as 2027-01-31. It ends in UTC; a time, as 2027-01-31T18:00:00Z, is taken too. After it a violation is a finding again."`
}
