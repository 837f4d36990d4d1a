package token

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// Values of Introspection.Auth (RFC 6749 section 2.3.1).
const (
	ClientSecretBasic = "client_secret_basic"
	ClientSecretPost  = "client_secret_post"
)

// Defaults of Introspection and Options.
const (
	DefaultIntrospectionTTL     = 30 * time.Second
	DefaultIntrospectionTimeout = 2 * time.Second
	DefaultDecisionTimeout      = 50 * time.Millisecond
)

const (
	// maxOpaque bounds an opaque token in bytes.
	maxOpaque = 4096
	// maxFlights bounds the questions to one issuer at one time in one lane.
	maxFlights = 64
	// inactiveTTL is how long it is remembered that a token is not active, or that the
	// answer about it could not be used.
	inactiveTTL = 5 * time.Second
	// probeInterval is the shortest time between two questions to an endpoint that
	// failed.
	probeInterval = time.Second
	// answerBytes and refusalBytes bound what is remembered of one issuer's answers:
	// of tokens that proved themselves, and of all others, which anybody can make.
	answerBytes  = 8 << 20
	refusalBytes = 1 << 20
)

// Introspection says how the issuer of tokens is asked about them (RFC 7662), and
// about which.
type Introspection struct {
	// URL is the https address of the endpoint, without user and fragment; http is
	// allowed for loopback hosts.
	URL string
	// Auth is how the sidecar authenticates there: ClientSecretBasic or
	// ClientSecretPost. Empty means ClientSecretBasic.
	Auth string
	// ClientID and ClientSecret are the credentials. The secret goes to URL and nowhere
	// else.
	ClientID, ClientSecret string
	// Opaque asks about tokens that are no JWT, which prove themselves by the answer.
	Opaque bool
	// Prefix is what the opaque tokens of this issuer begin with. Of several issuers
	// with opaque tokens one may have none: what begins with no other prefix is its.
	Prefix string
	// Types are the values of token_type (RFC 6749 section 7.1) that opaque tokens may
	// have, without regard to letter case; none stands for an answer that does not
	// tell.
	Types []string
	// JWTs asks whether a JWT that proved itself by its signature is still active.
	JWTs bool
	// TTL is how long an answer that a token is active is used, never beyond the token's
	// expiry. Zero means DefaultIntrospectionTTL.
	TTL time.Duration
	// Timeout bounds one question from dial to the last byte. Zero means
	// DefaultIntrospectionTimeout.
	Timeout time.Duration
	// Client asks the endpoint; its redirect policy and cookie jar are replaced. Nil
	// makes one that verifies certificates with RootCAs and goes through Proxy.
	Client *http.Client
	// RootCAs are the authorities for URL; nil means those of the system.
	RootCAs *x509.CertPool
	// Proxy is the HTTP proxy on the way to URL; nil means none. The environment is not
	// asked.
	Proxy *url.URL
}

// endpoint asks one issuer about its tokens, and remembers what it said. Everything
// in it belongs to that issuer, so that the same token value of two issuers is two
// tokens.
type endpoint struct {
	// Set by newEndpoint, never changed.
	issuer       string
	options      Introspection
	claims       mapping
	client       *http.Client
	wait         time.Duration // of a request for an answer
	skew         time.Duration
	offline      bool
	questions    *Questions
	known, noted *answers // of tokens that proved themselves, and of all others
	counts       *introspections

	// Guarded by mu.
	mu                sync.Mutex
	flights           map[string]*flight // by token
	proven, strangers lane
}

func newEndpoint(i Issuer, claims mapping, o Options) (*endpoint, error) {
	e := &endpoint{
		issuer: i.Issuer, options: *i.Introspection, claims: claims, wait: o.DecisionTimeout, skew: i.Skew, offline: o.Offline,
		questions: o.Questions, counts: newIntrospections(), flights: make(map[string]*flight),
	}
	if err := e.complete(i.Keys != nil); err != nil {
		return nil, fmt.Errorf("introspection: %w", err)
	}
	e.client = boundedClient(e.options.Client, e.options.RootCAs, e.options.Proxy, 2*maxFlights)
	var err error
	if e.known, err = newAnswers(answerBytes); err == nil {
		e.noted, err = newAnswers(refusalBytes)
	}
	return e, err
}

// complete fills in the defaults and judges the options.
func (e *endpoint) complete(keys bool) error {
	o := &e.options
	if o.Auth == "" {
		o.Auth = ClientSecretBasic
	}
	if o.TTL == 0 {
		o.TTL = DefaultIntrospectionTTL
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultIntrospectionTimeout
	}
	if e.wait == 0 {
		e.wait = DefaultDecisionTimeout
	}
	switch {
	case !o.Opaque && !o.JWTs:
		return errors.New("no token is asked about: opaque ones, or JWTs")
	case o.JWTs && !keys:
		return errors.New("a JWT proves itself by its signature before anybody is asked: give a key set")
	case o.Auth != ClientSecretBasic && o.Auth != ClientSecretPost:
		return fmt.Errorf("authentication %q is not one of %s %s", o.Auth, ClientSecretBasic, ClientSecretPost)
	case o.ClientID == "" || o.ClientSecret == "":
		return errors.New("the client or its secret is missing")
	case o.TTL < 0 || o.Timeout < 0 || e.wait < 0:
		return errors.New("a time is below zero")
	case o.Prefix != "" && (!o.Opaque || !isBearerToken(o.Prefix)):
		return errors.New("the prefix is none of an opaque token")
	}
	return checkURL(o.URL)
}

// outcome is what came of a question about a token. The zero value is that the
// issuer did not tell.
type outcome uint8

const (
	untold   outcome = iota
	active           // the issuer says so
	revoked          // it says no, of a token that proved itself here
	inactive         // it says no
	foreign          // it speaks of a token of another issuer
)

// answer is what is known of one token. It is no verdict: expiry, audience and scopes
// are judged on every use.
type answer struct {
	outcome outcome
	// token has the facts of a token that is active, or revoked.
	token *policy.Token
	// active is what is to be said of a proven token by this answer; nil of one that is
	// revoked.
	active *policy.Verdict
	// until is when the issuer has to be asked again.
	until time.Time
	// bytes is about what the answer takes.
	bytes int
}

// unanswered is the answer of an issuer that did not tell. The detail is one of a
// closed set.
func unanswered(reason policy.Reason, detail string, err error) answer {
	return answer{active: &policy.Verdict{Reason: reason, Detail: detail, Err: err}}
}
