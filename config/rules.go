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
	// KeyPeer counts a limit per connected address.
	KeyPeer = "peer"
	// KeyOperation counts a limit per operation.
	KeyOperation = "operation"
)

// Token tells who may issue tokens, and what a token must look like.
type Token struct {
	ClockSkew   Duration `yaml:"clock_skew" default:"30s" doc:"Tolerated difference between the clocks of issuer and sidecar."`
	MaxLifetime Duration `yaml:"max_lifetime" default:"1h" positive:"true" doc:"Longest time between issue and expiry of a token."`
	Replay      Replay   `yaml:"replay" doc:"Whether a token may be used again."`
	DPoP        *DPoP    `yaml:"dpop" doc:"Take tokens with the scheme DPoP, beside credential.scheme, and judge the proof of possession that comes along (RFC 9449). Control tok.bind judges it. Without it no proof is looked at."`
	Issuers     []Issuer `yaml:"issuers" doc:"The trusted issuers. A token of any other issuer is denied."`
}

// Replay tells whether a token may be used again.
type Replay struct {
	Mode string `yaml:"mode" default:"off" enum:"off|single_use|same_sender" doc:"Off: any number of times, which is normal for a bearer token, and nothing is judged. Single use: once, apart from retries of the gateway, which gateway.proof and gateway.request_id_header make known. Same sender: any number of times by its first sender only, who is known by client certificate, else DPoP key, else network. Not the mode of control tok.replay, but what it judges."`
}

// Issuer is one trusted token issuer.
type Issuer struct {
	Issuer           string         `yaml:"issuer" required:"true" doc:"Exact value of claim iss."`
	JWKSURL          string         `yaml:"jwks_url" doc:"URL of the key set. It must be https unless the host is loopback. At most one of jwks_url and jwks_file; without them the issuer, which is then an https URL, is asked for its metadata (RFC 8414, then OpenID Connect Discovery)."`
	JWKSFile         string         `yaml:"jwks_file" file:"true" doc:"File with the key set. At most one of jwks_url and jwks_file."`
	DiscoveryHosts   []string       `yaml:"discovery_hosts" doc:"Hosts, with a port unless it is 443, besides that of the issuer, on which the key set that its metadata names may be. No other is asked."`
	CAFile           string         `yaml:"ca_file" file:"true" doc:"PEM file with the authorities that sign the certificates of jwks_url, of the issuer's metadata, of introspection.url and of an https proxy. Default: those of the system."`
	ProxyURL         string         `yaml:"proxy_url" doc:"HTTP proxy on the way to jwks_url, to the issuer's metadata and to introspection.url, which must be https then: http or https and a host, without user. The environment is not asked."`
	Audiences        []string       `yaml:"audiences" required:"true" doc:"Values of claim aud that name this API."`
	AudienceMatch    string         `yaml:"audience_match" default:"any" enum:"any|all" doc:"Whether a token must have one of the audiences, or all."`
	Algorithms       []string       `yaml:"algorithms" default:"[RS256, ES256]" enum:"RS256|RS384|RS512|PS256|PS384|PS512|ES256|ES384|ES512|EdDSA" refused:"HS256|HS384|HS512|none: whoever can verify such a token can also make one" doc:"Accepted signature algorithms. Only public-key ones exist."`
	Profile          string         `yaml:"profile" default:"rfc9068" enum:"rfc9068|jwt" doc:"What tok.typ asks of a token. rfc9068: the type and all claims that RFC 9068 requires. jwt: for other issuers: typ may be missing, no claim is asked for, and a token that a claim marks as an ID token, a logout token or a DPoP proof is denied."`
	Types            []string       `yaml:"types" doc:"Accepted values of header typ, compared without regard to case and to a leading application/. Default: [at+jwt] of profile rfc9068, [at+jwt, JWT] of profile jwt."`
	ClockSkew        *Duration      `yaml:"clock_skew" doc:"Overrides token.clock_skew."`
	MaxLifetime      *Duration      `yaml:"max_lifetime" positive:"true" doc:"Overrides token.max_lifetime."`
	AccountNamespace []string       `yaml:"account_namespace" doc:"Beginnings of the accounts that the issuer may assert, for example [acct-eu-]. An account that begins with none of them does not count, and tok.iss denies its token. Default: every account."`
	Claims           Claims         `yaml:"claims" doc:"Where the identity stands in the claims."`
	Refresh          Duration       `yaml:"refresh" default:"5m" positive:"true" doc:"Time between two reads of the key set."`
	MaxStale         Duration       `yaml:"max_stale" default:"24h" positive:"true" doc:"Longest use of a key set that can not be read again."`
	Tokens           string         `yaml:"tokens" default:"jwt" enum:"jwt|opaque|both" doc:"Form of the tokens. JWT: they prove themselves by a signature. Opaque: the issuer is asked about each, and needs no key set. Both: either."`
	Introspection    *Introspection `yaml:"introspection" doc:"Where the issuer is asked about tokens (RFC 7662). Tokens that are opaque need it."`
	SenderConstraint string         `yaml:"sender_constraint" default:"optional" enum:"optional|required|dpop|mtls" doc:"What every token must be bound to: nothing, a key or a certificate, a key (dpop), or a certificate (mtls). A token that is bound is held to it anyway. Control tok.bind judges it."`
}

// Introspection is where an issuer is asked about its tokens.
type Introspection struct {
	URL          string   `yaml:"url" required:"true" doc:"URL of the introspection endpoint. It must be https unless the host is loopback."`
	Auth         string   `yaml:"auth" default:"client_secret_basic" enum:"client_secret_basic|client_secret_post" doc:"How the sidecar authenticates there: with the secret in header Authorization, or in the form."`
	ClientID     string   `yaml:"client_id" required:"true" doc:"Client that the sidecar is there."`
	ClientSecret Secret   `yaml:"client_secret" required:"true" doc:"Secret of that client."`
	JWTs         bool     `yaml:"jwts" default:"false" doc:"Ask also whether a JWT that proved itself is still active. Control tok.revoked judges the answer."`
	Prefix       string   `yaml:"prefix" doc:"What opaque tokens of this issuer begin with. Of several issuers with opaque tokens one may have no prefix: it gets those that begin with none of the others."`
	TTL          Duration `yaml:"ttl" default:"30s" positive:"true" doc:"Longest use of an answer that a token is active, so the longest time for which a revoked one is accepted."`
	Timeout      Duration `yaml:"timeout" default:"2s" positive:"true" doc:"Longest time for an answer. A request waits for decision_timeout at most; the next one finds what came later."`
	Types        []string `yaml:"types" default:"[Bearer, DPoP]" doc:"Accepted values of member token_type of an answer about an opaque token, compared without regard to case; none stands for an answer without it."`
}

// The profiles of tokens.
const (
	// ProfileRFC9068 asks for what RFC 9068 requires.
	ProfileRFC9068 = "rfc9068"
	// ProfileJWT is for issuers that do not follow it.
	ProfileJWT = "jwt"
)

// AcceptedTypes returns the accepted values of header typ.
func (i Issuer) AcceptedTypes() []string {
	switch {
	case len(i.Types) > 0:
		return i.Types
	case i.Profile == ProfileJWT:
		return []string{"at+jwt", "JWT"}
	}
	return []string{"at+jwt"}
}

// Skew returns the tolerated difference between the clocks of an issuer and the
// sidecar.
func (t Token) Skew(i Issuer) Duration {
	if i.ClockSkew != nil {
		return *i.ClockSkew
	}
	return t.ClockSkew
}

// Lifetime returns the longest lifetime of an issuer's tokens.
func (t Token) Lifetime(i Issuer) Duration {
	if i.MaxLifetime != nil {
		return *i.MaxLifetime
	}
	return t.MaxLifetime
}

// Claims are JSON pointers (RFC 6901) into the claims of a token.
type Claims struct {
	Client        string `yaml:"client" default:"/client_id" doc:"JSON pointer to the client."`
	Principal     string `yaml:"principal" default:"/sub" doc:"JSON pointer to the principal."`
	Actor         string `yaml:"actor" default:"/act/sub" doc:"JSON pointer to who acts for the principal (RFC 8693)."`
	Accounts      string `yaml:"accounts" default:"/account_id" doc:"JSON pointer to the account, or to the list of accounts: strings, numbers or, with account_member, objects."`
	AccountMember string `yaml:"account_member" doc:"Where accounts are objects: JSON pointer within each of them to what names the account, for example /id."`
	Scopes        string `yaml:"scopes" default:"/scope" doc:"JSON pointer to the scopes: a list, or one string with spaces between them."`
}

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
	MaxRequestBytes  Size `yaml:"max_request_bytes" default:"1MiB" positive:"true" doc:"Largest request body. Control in.size judges it; an operation may say otherwise."`
	MaxResponseBytes Size `yaml:"max_response_bytes" default:"8MiB" positive:"true" doc:"Largest response body. Control out.size judges it; a larger one is not inspected."`
	MaxJSONDepth     int  `yaml:"max_json_depth" default:"64" min:"1" doc:"Deepest nesting of JSON."`
	MaxHeldBytes     Size `yaml:"max_held_bytes" default:"128MiB" positive:"true" doc:"Most bytes of bodies that the process holds at one time. Beyond it an enforcing control can not decide, and shadow forwards without inspection."`
}

// Limit is one rate limit.
type Limit struct {
	Name       string   `yaml:"name" required:"true" doc:"Name in metrics and records: lower-case letters, digits and dashes, at most 63."`
	Key        []string `yaml:"key" required:"true" enum:"client|account|peer|operation" doc:"What is counted apart. Several members count their combinations. A limit whose key has account is one of control rate.customer, any other one of rate.app."`
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
