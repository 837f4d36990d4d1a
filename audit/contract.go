package audit

import (
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/sidewarden/sidewarden/policy"
)

// Contract is the vocabulary of a policy: the words that a record may repeat,
// because they are the contract's or the configuration's and not a client's.
type Contract struct {
	// Operations are those of the policy; their templates say which path segments
	// are literal.
	Operations []*policy.Operation
	// Parameters are the names of all query parameters that the contract declares.
	Parameters []string
	// MediaTypes are those that the contract declares for request bodies, without
	// parameters. Common ones need not be listed.
	MediaTypes []string
	// Issuers are the configured issuers of identities.
	Issuers []string
	// Scopes are the names of scopes that the contract's security or the
	// configuration declares.
	Scopes []string
	// Untold names the headers in which the gateway proves itself and names the
	// caller. What stands in one, in any spelling, is not repeated, whether or not it
	// could be read as an identity.
	Untold []string
	// Selectors say where a request names an account, in the order of the account
	// rules; the n-th selector of the body belongs to Body.Selected[n].
	Selectors []Selector
}

// Selector is one place where a request can name an account.
type Selector struct {
	// In is "path", "query", "header" or "body".
	In string
	// Name is the parameter's or header's name, or the JSON pointer into the body.
	Name string
}

// words is a Contract made ready for lookups. It is immutable, and every word in
// it is fit for a record.
type words struct {
	segments, media, issuers map[string]struct{}
	// parameters has each as the list that a record with it alone has.
	parameters map[string][]string
	// scopes has each as the list that a token with it alone has, at its full length:
	// appending to one copies it.
	scopes     map[string][]string
	selectors  []selector
	operations map[operationKey]*operation
	plans      map[*policy.Operation]*operation // the same, of this policy
	callers    *callers
	untold     map[string]struct{}    // by spelling
	digest     atomic.Pointer[string] // of the last request's policy, if it is fit
}

// selector is a Selector with how a record spells it: raw among others, and
// carrier alone.
type selector struct {
	Selector
	raw     string
	carrier word
}

// word is a text that went through the net, and whether the net replaced it.
type word struct {
	text string
	hit  bool
}

func wordOf(text string, limit int) word {
	var s sieve
	safe := s.text("word", text, limit)
	return word{text: safe, hit: len(s.applied) > 0}
}

func (c Contract) words() *words {
	w := &words{
		segments:   fit(CommonSegments()),
		parameters: make(map[string][]string, len(c.Parameters)),
		scopes:     make(map[string][]string, len(c.Scopes)),
		media:      fit(commonMedia()),
		issuers:    fit(c.Issuers),
		operations: make(map[operationKey]*operation, len(c.Operations)),
		plans:      make(map[*policy.Operation]*operation, len(c.Operations)),
		callers:    &callers{},
		untold:     make(map[string]struct{}, len(c.Untold)),
	}
	for _, name := range c.Untold {
		w.untold[spelling(http.CanonicalHeaderKey(name))] = struct{}{}
	}
	for p := range fit(c.Parameters) {
		w.parameters[p] = []string{p}
	}
	for scope := range fit(c.Scopes) {
		if len(scope) <= maxScope {
			w.scopes[scope] = []string{scope}
		}
	}
	for _, s := range c.Selectors {
		if s.In == "header" {
			s.Name = http.CanonicalHeaderKey(s.Name)
		}
		w.selectors = append(w.selectors, selector{Selector: s, raw: s.In + "." + s.Name, carrier: wordOf(s.In+"."+s.Name, maxCarrier)})
	}
	for _, m := range c.MediaTypes {
		if lower := strings.ToLower(m); isFit(lower) {
			w.media[lower] = struct{}{}
		}
	}
	for _, op := range c.Operations {
		ready := w.ready(op)
		w.operations[keyOf(op)], w.plans[op] = ready, ready
		for segment := range strings.SplitSeq(op.Template, "/") {
			if !strings.Contains(segment, "{") && isFit(segment) {
				w.segments[segment] = struct{}{}
			}
		}
	}
	return w
}

// spelling is the canonical name of a header with dashes for underscores, which many
// backends take for the same. The name that a request has is canonical.
func spelling(name string) string {
	if !strings.Contains(name, "_") {
		return name
	}
	return http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
}

func fit(list []string) map[string]struct{} {
	m := make(map[string]struct{}, len(list))
	for _, s := range list {
		if isFit(s) {
			m[s] = struct{}{}
		}
	}
	return m
}

// isFit reports whether a word can stand in a record as it is. One that cannot is
// treated like a word of a client.
func isFit(word string) bool {
	return len(word) <= 2*maxText && printable(word) == word && !secret(word)
}

func commonMedia() []string {
	return []string{
		"application/json", "application/merge-patch+json", "application/json-patch+json", "application/problem+json",
		"application/xml", "text/xml", "text/plain", "text/html", "text/csv", "application/octet-stream",
		"application/x-www-form-urlencoded", "multipart/form-data", "application/graphql", "application/cbor",
	}
}

// method returns a method of RFC 9110, section 9, or RFC 5789, and OTHER for any
// other.
func method(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT":
		return m
	}
	return "OTHER"
}

func version(proto string) string {
	switch proto {
	case "", "HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/3.0":
		return proto
	}
	return other
}

// algorithm returns a registered signature algorithm (IANA JOSE), or other.
func algorithm(alg string) string {
	switch alg {
	case "", "none", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
		"ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed25519", "Ed448":
		return alg
	}
	return other
}

// tokenType returns a known token type without its "application/" (RFC 7515,
// section 4.1.9), or other.
func tokenType(typ string) string {
	const prefix = "application/"
	if len(typ) >= len(prefix) && strings.EqualFold(typ[:len(prefix)], prefix) {
		typ = typ[len(prefix):]
	}
	if typ == "" {
		return ""
	}
	for _, known := range [...]string{"at+jwt", "jwt", "dpop+jwt", "logout+jwt", "secevent+jwt", "token-introspection+jwt"} {
		if strings.EqualFold(typ, known) {
			return known
		}
	}
	return other
}

// other stands for every value outside of a closed set.
const other = "other"
