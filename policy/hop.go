package policy

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// Hop is what the head of a request says to the next hop alone (RFC 9110 section 7.6.1):
// it is not in [Request.Header], because the backend does not see it. All of it is the
// client's, as it was sent.
type Hop struct {
	// Connection are the lines of the field Connection. What they name was taken out of
	// the header.
	Connection []string
	// Upgrade are the lines of the field Upgrade, whether or not Connection names it.
	Upgrade []string
	// Trailer are the names of fields that are announced to follow the body (RFC 9110
	// section 6.6.2), one or several in an element.
	Trailer []string
}

// Upgrades reports whether the request asks for its connection to become another
// protocol (RFC 9110 section 7.8) in the way that its operation allows: every protocol
// that it names is one of the operation, and it is a GET without a body, as the one such
// protocol asks (RFC 6455 section 4.1). Behind a body nobody could tell what is whose.
func (r *Request) Upgrades() bool {
	op := r.Match.Operation
	if op == nil || len(op.Upgrade) == 0 || r.Method != http.MethodGet || r.HasBody() {
		return false
	}
	asked := false
	for _, line := range r.Hop.Upgrade {
		for protocol := range strings.SplitSeq(line, ",") {
			protocol = textproto.TrimString(protocol)
			if !slices.ContainsFunc(op.Upgrade, func(allowed string) bool { return strings.EqualFold(protocol, allowed) }) {
				return false
			}
			asked = true
		}
	}
	return asked
}

// Switched reports whether the answer turns the connection into a protocol that the
// operation allows: what follows has no size and no schema.
func (r *Request) Switched() bool { return r.Response.Upgraded() && r.Upgrades() }

// Overriding returns the names of header fields by which frameworks serve another path
// or method than that of the request line, in the canonical form of net/http.
func Overriding() []string {
	return []string{"X-Original-Url", "X-Rewrite-Url", "X-Http-Method", "X-Http-Method-Override", "X-Method-Override"}
}
