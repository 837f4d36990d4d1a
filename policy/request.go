package policy

import (
	"net/http"
	"net/netip"
	"slices"
	"time"
)

// Request is everything that is known of one request. The proxy alone fills it,
// once, left to right; everybody else reads. Values of the client are marked;
// they are compared, never trusted and never put into a label.
type Request struct {
	// ID is the decision id that we minted, never the client's.
	ID string
	// Time is when the head was read: the only clock of a check.
	Time time.Time
	Peer Peer
	// Source is the address of the client as far as the configured hops in front of the
	// sidecar tell it: that of the peer where none is configured or the peer is none of them.
	// It says whom to count, and proves nothing: that a request came through the gateway is
	// told by the Peer.
	Source netip.Addr

	Method   string      // client's, as sent
	Target   string      // client's, the request-target as it stands in the request line; of HTTP/2, :path
	Path     string      // client's, escaped, exactly as it is forwarded behind the prefix of the backend
	RawQuery string      // client's, exactly as it is forwarded
	Host     string      // client's
	Proto    string      // "HTTP/1.1", "HTTP/2.0"
	Query    []Pair      // RawQuery by ParseQuery
	Header   http.Header // client's; shared with the proxy, so never changed
	Hop      Hop         // client's; what of the head is for the sidecar alone

	Frame    Frame          // by the connection
	Match    Match          // by the Matcher
	Auth     Authentication // by the Authenticator
	Spent    []Verdict      // by the Spender, in the Spender's own order
	Body     Body           // Size from the head, the rest by the Inspector
	Response *Response      // nil until forwarded
}

// HasBody reports whether the request carries a body: a declared length above
// zero, or an undeclared one that was not counted as empty.
func (r *Request) HasBody() bool { return r.Body.Size != 0 }

// Preflight returns the method that a CORS preflight asks for, and whether r is one
// (Fetch Standard, 4.9): a browser sends it without credential and body, before the
// request that it asks about. Nobody is asked who sends it, so nothing that a backend
// may take for another request is one: see [Request.AsksMore].
func (r *Request) Preflight() (method string, is bool) {
	if r.Method != http.MethodOptions {
		return "", false
	}
	asked := r.Header["Access-Control-Request-Method"]
	if len(r.Header["Origin"]) == 0 || len(asked) == 0 || r.HasBody() || r.AsksMore() {
		return "", false
	}
	return asked[0], true
}

// AsksMore reports whether the header asks for something else than the request line
// does: an upgrade to a connection that nobody looks into, or one of the fields by
// which frameworks serve another path or method. What passes an environment by the
// rules of CGI (RFC 3875, section 4.1.18) has them with an underscore, too.
func (r *Request) AsksMore() bool {
	for name := range r.Header {
		if SameVariable(name, "Upgrade") ||
			slices.ContainsFunc(Overriding(), func(asking string) bool { return SameVariable(name, asking) }) {
			return true
		}
	}
	return false
}

// SameVariable reports whether two names of header fields are one variable of CGI
// (RFC 3875, section 4.1.18): they differ at most in letter case and in which of dash
// and underscore they have.
func SameVariable(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if FoldVariable(a[i]) != FoldVariable(b[i]) {
			return false
		}
	}
	return true
}

// FoldVariable returns what SameVariable compares of a byte of a name.
func FoldVariable(c byte) byte {
	switch {
	case c == '_':
		return '-'
	case c >= 'A' && c <= 'Z':
		return c + 'a' - 'A'
	}
	return c
}

// Pair is one name and value of a query or path, percent-decoded.
type Pair struct{ Name, Value string }

// Peer is the connected client address: in front of the sidecar, so usually a
// gateway's.
type Peer struct {
	Addr netip.Addr
	// Certificate is the DER form of the client certificate of a TLS connection that
	// ends here: the peer has its private key. Nil without one.
	Certificate []byte
	// TLS is how the connection is secured; nil of a plain one.
	TLS *TLS
}

// Match is what the Matcher found.
type Match struct {
	// Operation is nil when no operation of the contract has this path and method.
	Operation *Operation
	// Params are the path parameters, percent-decoded, in template order.
	Params []Pair
	// Allow lists the methods that the path has, when only the method is unknown.
	Allow []string
	// Err is set when the Matcher could not decide; nothing is known then.
	Err error
}

// Preflights reports whether r is a preflight without a body for a path and method
// that the contract has, although it does not declare OPTIONS there: then no
// operation is missing, because a browser decides what follows from the answer.
func (m Match) Preflights(r *Request) bool {
	if m.Operation != nil || len(m.Allow) == 0 {
		return false
	}
	method, is := r.Preflight()
	return is && slices.Contains(m.Allow, method)
}

// Missing returns the verdict of a control that needs an operation, and true,
// when the request matched none.
func (m Match) Missing() (Verdict, bool) {
	switch {
	case m.Operation != nil:
		return Verdict{}, false
	case len(m.Allow) > 0:
		return UndecidedBy(InMethod), true
	default:
		return UndecidedBy(InRoute), true
	}
}

// Authentication is what the Authenticator found out about the credential.
type Authentication struct {
	// Proof says whether the credential proved itself: a token by its signature with
	// a configured key, identity headers by the proof that the request came through
	// the gateway, an API key by its hash. Without a credential it is undecided by tok.present with the
	// reason that tok.present gives; for an issuer that is not configured it is
	// undecided by tok.iss, without the proof of the gateway by path.gateway, for an
	// API key that is not configured by key.valid, each with the reason of that control.
	Proof Verdict
	// Token holds the claims as sent, proven or not; nil when none could be read, and
	// of identity headers and API keys, which are no tokens.
	Token *Token
	// Claimed is the identity that headers assert without the proof of the gateway;
	// nil otherwise. That of a token is in Token.
	Claimed *Identity
	// Identity exists exactly when Proof permits.
	Identity *Identity
	// APIKey is what is known of an API key that proved itself; nil of any other
	// credential.
	APIKey *APIKey
	// Challenge is the authentication scheme that a 401 asks for; empty means
	// that of tokens, Policy.Scheme.
	Challenge string
	// SentBy is what the request proves of who sends the credential; nil where nobody
	// asks, as of most bearer tokens. Sender reads it.
	SentBy *Sender
	// Active is what is to be said of the question to the issuer whether the proven
	// token is still active (RFC 7662): it permits when the issuer said so, and is
	// undecided with a reason of tok.revoked when the issuer did not tell. Nil when
	// nobody was asked, and when the issuer said no, which is Token.Revoked.
	Active *Verdict
}

// Sender is what a request proves of who sends its credential, beside the
// credential itself. It is judged by tok.bind, and compared by tok.replay. The zero
// value says that nobody looked.
type Sender struct {
	// DPoP reports that the token came with the scheme DPoP (RFC 9449 section 7.1).
	DPoP bool
	// Proof is what is to be said of the DPoP proof that came along, or did not, with
	// the reasons of tok.bind. It does not apply when the token came with another
	// scheme: then nobody asks for a proof.
	Proof Verdict
	// Key is the thumbprint (RFC 7638, in base64url) of the key that made the DPoP
	// proof; empty unless Proof permits.
	Key string
	// Certificate is the thumbprint x5t#S256 (RFC 8705 section 3.1) of the sender's
	// certificate; empty without one that is proven.
	Certificate string
	// CertificateFault says what is wrong with the certificate that the gateway passed
	// on, which then counts as none: a structural word for a detail.
	CertificateFault string
	// Nonce is what the client has to put into its next DPoP proof; empty unless the
	// proof lacks it.
	Nonce string
}

// Sender returns what the request proves of who sends the credential, the zero value
// where nobody asked.
func (a *Authentication) Sender() Sender {
	if a.SentBy == nil {
		return Sender{}
	}
	return *a.SentBy
}

// Missing returns the verdict of a control that needs an identity, and true,
// when there is none.
func (a Authentication) Missing() (Verdict, bool) {
	if a.Identity != nil {
		return Verdict{}, false
	}
	return a.Proof.Dependent(TokSig), true
}

// Token holds the facts of one access token. Unless Authentication.Proof
// permits, they are only what the client claims.
type Token struct {
	Algorithm, KeyID, Type string
	ID                     string // jti
	Audience               []string
	// Expires, NotBefore and IssuedAt are zero when the token has no such claim.
	Expires, NotBefore, IssuedAt time.Time
	// Claimed is the identity that the token asserts.
	Claimed Identity
	// PriorActors are the actors before the current one, latest first: the nested act
	// members of RFC 8693 section 4.1, which say who acted and entitle nobody.
	PriorActors []string
	// Missing are the claims that the token lacks of those that RFC 9068 section 2.2
	// requires, in the order of that section, and then nbf, which it does not require.
	Missing []string
	// Purpose is the registered claim by which the token was made for something else
	// than access, such as "nonce" for an ID token; empty if none does.
	Purpose string
	// Foreign reports that the token asserts an account outside the namespace of its
	// issuer. Such accounts are not part of Claimed.
	Foreign bool
	// Confirmation is what the claim cnf binds the token to.
	Confirmation Confirmation
	// Introspected reports that the issuer is asked for the facts (RFC 7662), so that
	// there is no header and no signature.
	Introspected bool
	// Handle reports that an introspected token has not the form of a JWT: nothing in it
	// can be written another way, so that its bytes tell it apart. A signature can.
	Handle bool
	// TokenType is how the token is to be used (RFC 6749 section 7.1), such as Bearer, by
	// the issuer's answer; empty when the answer does not tell, and of other tokens.
	TokenType string
	// Revoked reports that the token proved itself and that its issuer says that it is
	// no longer active.
	Revoked bool
	// Fingerprint is a digest of the exact token bytes; it never leaves the
	// process unkeyed.
	Fingerprint [32]byte
}

// APIKey holds the facts of one API key that is configured.
type APIKey struct {
	// Until is the first moment at which it is over; zero means never.
	Until time.Time
	// Disabled reports that it was taken back.
	Disabled bool
}

// Confirmation is what a token is bound to by its claim cnf (RFC 7800): whoever sends
// it has to prove each of these. The zero value is that of a bearer token.
type Confirmation struct {
	// Key is the thumbprint jkt of a key (RFC 9449 section 6.1).
	Key string
	// Certificate is the thumbprint x5t#S256 of a certificate (RFC 8705 section 3.1).
	Certificate string
	// Other reports a method that is not known here.
	Other bool
}

// Bound reports whether the token is bound to anything.
func (c Confirmation) Bound() bool { return c != Confirmation{} }

// Identity is who the caller is by proven claims. A client is always the pair of
// issuer and client.
type Identity struct {
	Issuer, Client, Principal, Actor string
	Accounts, Scopes                 []string
}

// Owns reports whether account is one of the identity's accounts, compared as
// an exact string.
func (i *Identity) Owns(account string) bool {
	return slices.Contains(i.Accounts, account)
}

// Body is what is known of a message body.
type Body struct {
	// Bytes is the inspected copy; nil when nothing was inspected. That of a request
	// is given back once the body phase was judged.
	Bytes []byte
	// Inspected is the number of bytes that were inspected.
	Inspected int64
	// Size is the declared or counted length in bytes, -1 when undeclared and not
	// yet counted.
	Size int64
	// Whole reports that Bytes is the whole body.
	Whole bool
	// Unpacked reports that a content coding was taken off for inspection; Inflated is
	// then the length of the content in bytes, as far as it was unpacked. Bytes and Size
	// are always those of the body as it was sent.
	Unpacked bool
	Inflated int64
	// WellFormed and Schema are facts of the Inspector's one pass; in.wellformed
	// and in.schema judge them.
	WellFormed, Schema Verdict
	// FormToken says of a form whether a field of it is access_token (RFC 6750 section
	// 2.2): it denies when one is, and is undecided when nobody could read the form; tok.present
	// judges it. It does not apply to other bodies.
	FormToken Verdict
	// Selected has the values that each body selector of the account rules found,
	// by selector; a JSON number is its literal text.
	Selected [][]string
}

// Response is the backend's answer. A Status of 0 means that the request was
// forwarded and no answer came.
type Response struct {
	Status int
	Header http.Header // shared with the proxy, so never changed
	Body   Body
	// Aborted reports that the answer ended before it was complete by the
	// backend's doing.
	Aborted bool
	// TLS is how the connection to the backend is secured, or why there is none; nil of a
	// plain one.
	TLS *TLS
}

// Upgraded reports whether the answer turns the connection into another protocol
// (RFC 9110, section 15.2.2). A client can ask for that, and nobody reads what follows.
func (r *Response) Upgraded() bool {
	return r != nil && r.Status == http.StatusSwitchingProtocols
}

// Bodiless reports whether the answer to a request of the method has no body,
// whatever its header says (RFC 9112, section 6.3), or is no answer of the backend
// at all.
func (r *Response) Bodiless(method string) bool {
	switch {
	case r == nil, r.Status < http.StatusOK, method == http.MethodHead:
		return true
	}
	return r.Status == http.StatusNoContent || r.Status == http.StatusResetContent || r.Status == http.StatusNotModified
}
