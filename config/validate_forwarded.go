package config

import (
	"fmt"
	"slices"
	"strings"
)

// IdentityField is a header in which the backend is told of the caller.
type IdentityField struct {
	// Path is the field of the configuration that names the header.
	Path, Header string
}

// Fields are the headers that are named, in the order of the configuration; none of nil.
func (b *BackendIdentity) Fields() []IdentityField {
	if b == nil {
		return nil
	}
	const at = "backend.identity."
	all := []IdentityField{
		{at + "issuer", b.Issuer},
		{at + "client", b.Client},
		{at + "principal", b.Principal},
		{at + "accounts", b.Accounts},
		{at + "scopes", b.Scopes},
	}
	return slices.DeleteFunc(all, func(f IdentityField) bool { return f.Header == "" })
}

// forwarded checks whose word about the client counts.
func (v *validator) forwarded() {
	const at = "gateway.forwarded"
	f := v.c.Gateway.Forwarded
	if f == nil {
		return
	}
	if !v.c.Gateway.Present {
		v.add("gateway.present", "is false, and gateway.forwarded says whose word about the client counts", "write present: true or remove forwarded")
	}
	for i, text := range f.Peers {
		v.network(fmt.Sprintf("%s.peers[%d]", at, i), text)
	}
}

// identity checks the headers in which the backend is told of the caller. That none of them
// has another meaning here is checked by headersApart.
func (v *validator) identity() {
	const at = "backend.identity"
	i := v.c.Backend.Identity
	if i == nil {
		return
	}
	if len(i.Fields()) == 0 {
		v.add(at, "names no header, so the backend is told nothing", "add for example client: X-Verified-Client, or remove identity")
	}
	if v.c.Credential.Kind == KindNone {
		v.add(at, "with credential.kind "+KindNone+" nobody says who the caller is", "remove it, or say with credential.kind what arrives")
	}
	for _, f := range i.Fields() {
		v.header(f.Path, f.Header)
		if isMeant(f.Header) {
			v.add(f.Path, v.named(f.Path, f.Header)+" means something else to every backend", "use a header of your own, for example X-Verified-Client")
		}
	}
}

// isMeant reports whether a header has a meaning of its own, which the value of an identity
// would take away: fields of requests that HTTP and its frameworks define.
func isMeant(name string) bool {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	for _, family := range []string{"accept", "access-control-", "content-", "if-", "sec-", "sidewarden-", "x-forwarded-"} {
		if strings.HasPrefix(name, family) {
			return true
		}
	}
	return slices.Contains([]string{
		"authorization", "cache-control", "cookie", "date", "dpop", "expect", "forwarded", "from", "http2-settings", "max-forwards", "origin",
		"pragma", "range", "referer", "traceparent", "tracestate", "user-agent", "via",
		"x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url", "x-real-ip",
	}, name)
}

// warnIdentity tells of callers that the backend cannot tell apart.
func (v *validator) warnIdentity(warn func(path, cause, fix string)) {
	if i := v.c.Backend.Identity; i != nil && i.Issuer == "" && len(v.c.Token.Issuers) > 1 {
		warn("backend.identity", "several issuers are trusted, and the backend is not told which one names the caller: a client or principal of one is that of another",
			"add for example issuer: X-Verified-Issuer")
	}
}
