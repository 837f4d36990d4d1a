package config

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
	DiscoveryHosts   []string       `yaml:"discovery_hosts" doc:"Hosts, with a port unless it is 443, besides that of the issuer, on which the key set that its metadata names may be. Each is named as a whole, and no other is asked."`
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
func (is Issuer) AcceptedTypes() []string {
	switch {
	case len(is.Types) > 0:
		return is.Types
	case is.Profile == ProfileJWT:
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
