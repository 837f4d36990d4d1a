package config

import (
	"cmp"
	"strings"
)

// Config is the whole configuration of one sidecar process: one API product in
// front of one backend. It is inert data; package compile gives it meaning.
type Config struct {
	Version          int                  `yaml:"version" required:"true" doc:"Version of this file format. Always 1."`
	Product          string               `yaml:"product" required:"true" doc:"Names the API in metrics, records and reports: lower-case letters, digits and dashes, at most 63. One product per process."`
	Environment      string               `yaml:"environment" doc:"Free name of the environment, for example prod. Copied to records."`
	Listen           Listen               `yaml:"listen" required:"true" doc:"Where the gateway or the client connects."`
	Admin            Admin                `yaml:"admin" doc:"The administrative listener: health, readiness, metrics and the JSON sources."`
	Backend          Backend              `yaml:"backend" required:"true" doc:"What stands behind the sidecar."`
	Gateway          Gateway              `yaml:"gateway" doc:"What stands in front of the sidecar."`
	Headers          Headers              `yaml:"headers" doc:"Header fields of requests that clients may not send, and those that they may."`
	Credential       Credential           `yaml:"credential" doc:"Where the credential of the caller arrives."`
	Health           []string             `yaml:"health" doc:"Health checks of the backend, as METHOD /path. A request of exactly this method and path, without query, body, upgrade and headers that name another path or method, is forwarded and not judged. It has a record as operation health-check and is kept out of the cells."`
	Mode             Mode                 `yaml:"mode" default:"shadow" doc:"Mode of every control that is not named under controls. Shadow judges and forwards, enforce judges and blocks, off does not judge."`
	Specs            []Spec               `yaml:"specs,single=spec" doc:"The OpenAPI contracts, for example of v1 and of v2. Each path and method may be in one of them only. A single one may be written as spec instead."`
	Schema           SchemaRules          `yaml:"schema" doc:"How bodies are compared with the contract."`
	Token            Token                `yaml:"token" doc:"Who may issue tokens, and what a token must look like."`
	Account          Account              `yaml:"account" doc:"The account boundary: whose data a request is about."`
	Payload          Payload              `yaml:"payload" doc:"Bounds of bodies."`
	Message          Message              `yaml:"message" doc:"What the head of a request may be."`
	Limits           []Limit              `yaml:"limits" doc:"Rate limits. All limits of a request are taken together or not at all."`
	Controls         map[string]Mode      `yaml:"controls" keys:"@families" doc:"Mode by control, for example az.account, or by family, for example tok. A control wins over its family, a family wins over mode."`
	Operations       map[string]Operation `yaml:"operations" doc:"Settings of single operations, by operationId, with the name of its contract and a colon before it if that has one, or by METHOD /path."`
	Exceptions       []Exception          `yaml:"exceptions" doc:"Callers that may violate a control for a while."`
	InsecureFailOpen []string             `yaml:"insecure_fail_open" enum:"@families" doc:"Controls, or families, that let a request pass when they could not decide. Insecure: whoever can break the check gets around it."`
	DecisionTimeout  Duration             `yaml:"decision_timeout" default:"50ms" positive:"true" doc:"Time for the stages of a decision that ask somebody else over the network. When it is over, what was not decided counts as undecided: an issuer that is asked about a token (token.issuers[].introspection) has this long for the request that asks."`
	Trace            Trace                `yaml:"trace" doc:"Trace context."`
	Audit            Audit                `yaml:"audit" doc:"The audit log: one record per request."`
	Evidence         Evidence             `yaml:"evidence" doc:"Where measured evidence is kept."`

	// What Effective and Warnings know of the file; not configuration.
	origin
	refs     map[string]string
	warnings Problems
}

// Listen is the listener that takes requests.
type Listen struct {
	Address      string     `yaml:"address" required:"true" doc:"Address as host:port. An empty host means every interface."`
	Hosts        []string   `yaml:"hosts" doc:"Names of the hosts that requests may be for, without a port, which does not count: DNS names, addresses, or *.example.net for any one label before a name. Control in.path denies requests for another host, and those without a host. Default: every host."`
	TLS          *ListenTLS `yaml:"tls" doc:"Serve TLS instead of plain HTTP."`
	HTTP2        bool       `yaml:"http2" default:"true" doc:"Offer HTTP/2 to clients that connect with TLS. A plain listener does not speak it without h2c."`
	H2C          bool       `yaml:"h2c" default:"false" doc:"Speak HTTP/2 without TLS to clients that begin with it (RFC 9113 section 3.3), on a plain listener, for example for gRPC from a gateway on the same host."`
	MaxHeadBytes Size       `yaml:"max_head_bytes" default:"256KiB" positive:"true" doc:"Largest request line and headers. A transport bound: it holds in every mode."`
	HeadTimeout  Duration   `yaml:"head_timeout" default:"60s" positive:"true" doc:"Time to receive the request line and headers. A transport bound: it holds in every mode."`
	BodyTimeout  Duration   `yaml:"body_timeout" default:"30s" positive:"true" doc:"How long the body of a request may come more slowly than min_body_rate, before it is answered 408: one that is held, or that goes to an operation of which a control enforces. Bytes that come earn the time back. In shadow a body takes as long as it takes, and only its inspection is given up."`
	MinBodyRate  ByteRate   `yaml:"min_body_rate" default:"1KiB/s" positive:"true" doc:"Slowest rate at which the body of a request may come for longer than body_timeout."`
	TakeTimeout  Duration   `yaml:"take_timeout" default:"5m" positive:"true" doc:"Time in which a client must take what is written to it, some 32 KiB at a time; a client that does not is cut off. A transport bound: it holds in every mode. An answer of which nothing is there to write, such as an event stream, may rest as long as it likes."`
	IdleTimeout  Duration   `yaml:"idle_timeout" default:"5m" positive:"true" doc:"Time after which an unused connection is closed. It must outlive the connection pool of the gateway, else reused connections break."`
}

// Admin is the administrative listener.
type Admin struct {
	Address               string `yaml:"address" default:"127.0.0.1:9901" doc:"Address as host:port. It must be a loopback address unless insecure_expose_metrics is set."`
	InsecureExposeMetrics bool   `yaml:"insecure_expose_metrics" default:"false" doc:"Allow an address that is not loopback. Then only health, readiness and metrics are served there, and the JSON sources are not served at all. Metrics tell strangers which controls are not enforced."`
}

// Backend is everything behind the sidecar.
type Backend struct {
	URL                string      `yaml:"url" required:"true" doc:"Base URL, http or https, without path, query and user."`
	PathPrefix         string      `yaml:"path_prefix" doc:"Put before the path of every forwarded request, byte for byte, for example /legacy. What a request asks for is judged and recorded without it. Targets that are no path, such as that of OPTIONS *, are forwarded as they are; addresses in answers are not changed."`
	InstanceHeader     string      `yaml:"instance_header" doc:"Response header that names the instance that answered. Gaps are then told per instance."`
	TLS                *BackendTLS `yaml:"tls" doc:"TLS towards an https backend. Without it the authorities of the system are trusted."`
	Timeouts           Timeouts    `yaml:"timeouts" doc:"Time bounds towards the backend."`
	HTTP               string      `yaml:"http" default:"auto" enum:"auto|h1|h2c" doc:"Version of HTTP towards the backend. Auto: HTTP/2 where an https backend offers it, else HTTP/1.1. H1: HTTP/1.1 alone. H2c: HTTP/2 without TLS, for an http backend that speaks it, as gRPC servers do; then no connection can become a WebSocket."`
	MaxIdleConnections int         `yaml:"max_idle_connections" default:"512" min:"1" doc:"Most unused connections kept open to the backend."`
	SoftDeny           []SoftDeny  `yaml:"soft_deny" doc:"How this backend refuses with a status of success. Without it such an answer is taken as a success."`
	LoginPaths         []string    `yaml:"login_paths" doc:"Paths of login pages. A redirect there is a refusal by authentication, not a success."`

	Identity *BackendIdentity `yaml:"identity" doc:"Tell the backend in request headers who the caller is, by a credential that proved itself and to which no tok.* control objects. Every tok.* control that judges, what proves the credential, and in.hdr must enforce. What a client sends under these names, in any spelling, never reaches the backend. Default: nothing is added to a request."`
}

// Encrypted reports whether the backend is reached over TLS.
func (b Backend) Encrypted() bool { return strings.HasPrefix(b.URL, "https:") }

// BackendIdentity names the request headers in which the backend is told who the caller
// is. One that is empty is not sent.
type BackendIdentity struct {
	Issuer    string `yaml:"issuer" doc:"Header with the issuer of the credential. A client is known by the pair of issuer and client."`
	Client    string `yaml:"client" doc:"Header with the client, for example X-Verified-Client."`
	Principal string `yaml:"principal" doc:"Header with the principal. It is absent from a request of a client for itself."`
	Accounts  string `yaml:"accounts" doc:"Header with the accounts of the caller, with commas between them. As in the others, every byte but letters, digits and -._~:/@=| is percent-encoded."`
	Scopes    string `yaml:"scopes" doc:"Header with the scopes of the caller, with spaces between them."`
}

// Timeouts are the time bounds towards the backend.
type Timeouts struct {
	Connect  Duration `yaml:"connect" default:"5s" positive:"true" doc:"Time to connect, TLS included."`
	Response Duration `yaml:"response" default:"5m" positive:"true" doc:"Time from the end of the request to the headers of the response, and once more to the end of a response that is held for an enforcing control. A transport bound: it holds in every mode."`
	Idle     Duration `yaml:"idle" default:"500ms" positive:"true" doc:"Time after which an unused connection is closed. It stays below the keep-alive time of every common server, so that a reused connection is never one that the backend is closing."`
}

// SoftDeny describes one envelope in which the backend refuses with a 2xx.
type SoftDeny struct {
	Pointer  string            `yaml:"pointer" required:"true" doc:"JSON pointer to the member that tells success, for example /success."`
	Equals   Literal           `yaml:"equals" required:"true" doc:"Value at the pointer that means refused: any JSON scalar, for example false."`
	Code     string            `yaml:"code" doc:"JSON pointer to the error code, for example /ErrorCode."`
	Families map[string]string `yaml:"families" enum:"authn|authz-op|authz-obj|authz-field|input|rate|waf|path" doc:"Family of controls by error code. An unknown code makes the answer ambiguous."`
}

// Gateway is what stands in front of the sidecar.
type Gateway struct {
	Present          bool         `yaml:"present" default:"false" doc:"Whether requests come through a gateway. Without one nothing is said about gaps at the gateway."`
	Proof            GatewayProof `yaml:"proof" doc:"How a request shows that it came through the gateway. Control path.gateway judges it. Of header with secrets, peers, certificates and signature, all that are given must hold."`
	ClientCertHeader string       `yaml:"client_cert_header" doc:"Request header in which the gateway passes on the certificate of its client, in the form of RFC 9440, for example Client-Cert. It counts on requests with the proof of the gateway alone, and there in place of the certificate of the TLS connection, which is the gateway's own. The gateway must remove what its clients send under this name."`
	RequestIDHeader  string       `yaml:"request_id_header" doc:"Request header in which the gateway puts its identifier of the request, in place of any that the client sent. Copied to records. With gateway.proof it makes retries of the gateway known to tok.replay."`

	Forwarded *GatewayForwarded `yaml:"forwarded" doc:"How proxies in front of the sidecar tell from whom they took a request. Limits by peer, replay by sender and records then know the client behind them; gateway.proof.peers is about the connected address all the same."`
}

// GatewayForwarded is how proxies in front of the sidecar tell from whom they took a
// request.
type GatewayForwarded struct {
	Peers  []string `yaml:"peers" required:"true" doc:"Networks of the proxies whose word counts, for example 10.0.0.0/8: each has to add the address that it took the request from at the end of the header. The client is the address nearest to the sidecar that is in none of them. A network of clients must not be in it, or they choose their address."`
	Header string   `yaml:"header" default:"X-Forwarded-For" enum:"X-Forwarded-For|Forwarded" doc:"Request header in which they tell it: X-Forwarded-For, or Forwarded (RFC 7239). The other one is not read."`
}

// GatewayProof is how a request shows that it came through the gateway.
type GatewayProof struct {
	Header  string   `yaml:"header" doc:"Request header that carries a secret which only gateway and sidecar know. It is forwarded like any other."`
	Secrets []Secret `yaml:"secrets,single=secret" doc:"Accepted values of the header, at least 16 characters each: several while they are rotated. A single one may be written as secret instead."`
	Peers   []string `yaml:"peers" doc:"Networks that the gateway connects from, for example 10.0.0.0/8."`

	Certificates []Certificate     `yaml:"certificates" doc:"Client certificates that the gateway connects with; one of them is enough. Listen.tls has to ask for client certificates."`
	Signature    *GatewaySignature `yaml:"signature" doc:"How the gateway signs requests: HTTP Message Signatures, RFC 9421. The fields are forwarded like any other."`
}

// GatewaySignature is how the gateway signs requests.
type GatewaySignature struct {
	Label      string   `yaml:"label" default:"gateway" doc:"Key of the signature in the fields Signature-Input and Signature. Signatures under other keys are not looked at."`
	Keys       []Secret `yaml:"keys,single=key" doc:"Keys of hmac-sha256, at least 32 characters each, of which every byte is a byte of the key: several while they are rotated. A single one may be written as key instead."`
	PublicKeys []string `yaml:"public_keys" file:"true" doc:"PEM files with public keys of Ed25519."`
	Components []string `yaml:"components" doc:"What a signature has to cover, in any order: @method, @authority, @path, @query, and what else it should, such as x-request-id. Default: these four."`
	MaxAge     Duration `yaml:"max_age" default:"30s" positive:"true" doc:"How long a signature counts after it was created. So long whoever sees a request can send it again."`
}

// Covered returns what a signature has to cover.
func (s *GatewaySignature) Covered() []string {
	if len(s.Components) == 0 {
		return signedAlways()
	}
	return s.Components
}

// Configured reports whether anything proves the gateway.
func (p GatewayProof) Configured() bool {
	return len(p.Secrets) > 0 || len(p.Peers) > 0 || len(p.Certificates) > 0 || p.Signature != nil
}

// Credential tells where the credential of the caller arrives.
type Credential struct {
	Kind    string            `yaml:"kind" default:"client_token" enum:"client_token|gateway_token|identity_headers|api_key|none" doc:"What arrives: the client's own token, a token that the gateway issued, headers in which the gateway asserts the caller, the client's own API key, or nothing: then tok.* and az.* judge nothing."`
	Header  string            `yaml:"header" default:"Authorization" doc:"Header that carries the token."`
	Scheme  string            `yaml:"scheme" default:"Bearer" doc:"Authentication scheme before the token, which a 401 asks for. Empty: the header holds the token alone, and a 401 asks for Bearer."`
	Headers CredentialHeaders `yaml:"headers" doc:"Headers of kind identity_headers."`
	APIKey  *CredentialAPIKey `yaml:"api_key" doc:"Keys of kind api_key."`
}

// CredentialAPIKey tells which API keys count.
type CredentialAPIKey struct {
	Header string `yaml:"header" default:"X-API-Key" doc:"Header that carries the key. It is never read from the query."`
	File   string `yaml:"file" required:"true" file:"true" doc:"JSON file with a salted hash of each key, whose it is and what it stands for, as sidewarden api-key writes it. It is read again when it changes."`
	Issuer string `yaml:"issuer" default:"api-keys" doc:"Fixed name of who gave the keys out, which is the issuer of these callers."`
}

// CredentialHeaders are the headers in which a gateway asserts the caller.
type CredentialHeaders struct {
	Client    string `yaml:"client" doc:"Header with the client. Kind identity_headers needs it."`
	Principal string `yaml:"principal" doc:"Header with the principal."`
	Accounts  string `yaml:"accounts" doc:"Header with the accounts of the caller, with commas between them."`
	Scopes    string `yaml:"scopes" doc:"Header with the scopes of the caller, with commas or spaces between them."`
	Issuer    string `yaml:"issuer" doc:"Not a header: the fixed name of who asserts, which is the issuer of these callers. Default: gateway."`
}

// Asserter returns the issuer of callers that the gateway asserts.
func (h CredentialHeaders) Asserter() string { return cmp.Or(h.Issuer, "gateway") }

// Spec is one OpenAPI contract.
type Spec struct {
	File     string `yaml:"file" required:"true" file:"true" doc:"OpenAPI 3 document, YAML or JSON."`
	Root     string `yaml:"root" file:"true" doc:"Folder that external references must stay in. Default: the folder of the document."`
	BasePath string `yaml:"base_path" doc:"Path before the paths of the contract, for example /v1; / means none. Empty: the paths of the contract's servers, with every value of their variables."`
	Name     string `yaml:"name" doc:"Put before the operationIds of the contract, with a colon, wherever an operation is named: v2:getOrder. Needed where two contracts share an operationId: lower-case letters, digits and dashes, at most 63."`
	Head     string `yaml:"head" default:"declared" enum:"declared|get" doc:"What a HEAD request is where the contract declares GET and no HEAD: with declared a method that the path does not have, with get it is judged as the GET operation."`
}

// SchemaRules tell how requests are compared with the contract.
type SchemaRules struct {
	UndeclaredProperties string `yaml:"undeclared_properties" default:"contract" enum:"contract|deny" doc:"What a property that the contract does not declare means: what the contract says, or always a violation. A free-form object, of which no schema lists properties, or that has additionalProperties, is open all the same."`
	UnsupportedPatterns  string `yaml:"unsupported_patterns" default:"refuse" enum:"refuse|omit" doc:"What happens to a pattern of the contract that cannot be compiled, such as one with a back reference: the start is refused, or the one keyword is not judged, with a standing warning."`
	UndeclaredParameters string `yaml:"undeclared_parameters" default:"deny" enum:"deny|report" doc:"What a query parameter that the contract does not declare, a member of an object in a parameter that it does not declare, or an escape in the query that cannot be decoded, means: a violation that blocks where in.schema enforces, or one that is recorded and never blocks."`
	MaxQueryParameters   int    `yaml:"max_query_parameters" default:"1000" min:"1" doc:"Most parameters of a query. Backends that stop at a number of parameters should not stop earlier."`
}

// Trace is trace context.
type Trace struct {
	Inject bool `yaml:"inject" default:"false" doc:"Create a traceparent header when a request has none. Otherwise trace context is only passed on."`
}

// Audit is the audit log.
type Audit struct {
	File         AuditFile `yaml:"file" doc:"Write records to a file."`
	PseudonymKey Secret    `yaml:"pseudonym_key" doc:"Key of the pseudonyms of clients, accounts and principals, at least 16 bytes. Default: a random key per process, with which pseudonyms do not join across restarts or instances."`
}

// AuditFile is the file that records are appended to.
type AuditFile struct {
	Path string `yaml:"path" file:"true" doc:"JSON lines file. Default: standard output."`
}

// Evidence is where measured evidence is kept.
type Evidence struct {
	Dir string `yaml:"dir" file:"true" doc:"Folder for evidence. Default: memory only."`
}
