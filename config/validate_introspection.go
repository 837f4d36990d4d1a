package config

import (
	"fmt"
	"strings"
)

// opaque reports whether the issuer has tokens that only it can read.
func (is Issuer) opaque() bool { return is.Tokens == TokensOpaque || is.Tokens == TokensBoth }

// introspection checks that an issuer is asked about the tokens that need it, and
// that nothing is configured that nobody looks at.
func (v *validator) introspection(path string, is Issuer) {
	if is.Tokens == TokensOpaque {
		for _, key := range []string{"jwks_url", "jwks_file", "discovery_hosts", "algorithms", "profile", "types", "refresh", "max_stale"} {
			if v.given(path + "." + key) {
				v.add(path+"."+key, "has no effect with tokens: opaque: such a token has no header and no signature", "remove it, or write tokens: both")
			}
		}
	}
	at, in := path+".introspection", is.Introspection
	if in == nil {
		if is.opaque() {
			v.add(path+".tokens", quote(is.Tokens)+" needs introspection: only the issuer can read an opaque token",
				`add introspection: {url: "https://idp.example.net/introspect", client_id: sidewarden, client_secret: "${file:/run/secrets/introspection}"}`)
		}
		return
	}
	switch {
	case !is.opaque() && !in.JWTs:
		v.add(at, "has no effect with tokens: jwt", "write tokens: opaque or both, or add jwts: true to it, which asks whether a JWT is still active")
		return
	case is.Tokens == TokensOpaque && in.JWTs:
		v.add(at+".jwts", "has no effect with tokens: opaque", "remove it, or write tokens: both")
	}
	for _, key := range []string{"prefix", "types"} {
		if !is.opaque() && v.given(at+"."+key) {
			v.add(at+"."+key, "has no effect with tokens: jwt", "remove it, or write tokens: both")
		}
	}
	v.issuerURL(at+".url", in.URL, "https://idp.example.net/introspect", "whoever is on the way can read tokens and the secret, and can answer")
	if len(in.Types) == 0 {
		v.add(at+".types", "is empty", "name at least one, or remove the line for [Bearer, DPoP]")
	}
	if in.Prefix != "" && !isPrefix(in.Prefix) {
		v.add(at+".prefix", v.named(at+".prefix", in.Prefix)+" is nothing that a token begins with", "use at most 64 letters, digits and -._~+/")
	}
}

// isPrefix reports whether a bearer token (RFC 6750 section 2.1) can begin so.
func isPrefix(s string) bool {
	const most = 64
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("-._~+/", r) {
			return false
		}
	}
	return len(s) <= most
}

// prefixes checks that every opaque token has one issuer: it would be sent to a
// stranger.
func (v *validator) prefixes() {
	type use struct{ path, prefix string }
	var uses []use
	for i, is := range v.c.Token.Issuers {
		if !is.opaque() || is.Introspection == nil {
			continue
		}
		u := use{fmt.Sprintf("token.issuers[%d].introspection", i), is.Introspection.Prefix}
		for _, o := range uses {
			switch {
			case u.prefix == "" && o.prefix == "":
				v.add(u.path+".prefix", "is missing here and in "+o.path+": nobody could tell whose an opaque token is", "add a prefix to one of them")
			case u.prefix == "" || o.prefix == "":
			case strings.HasPrefix(u.prefix, o.prefix) || strings.HasPrefix(o.prefix, u.prefix):
				v.add(u.path+".prefix", v.named(u.path+".prefix", u.prefix)+" and that of "+o.path+" begin alike: nobody could tell whose an opaque token is", "give each one that is not the begin of another")
			}
		}
		uses = append(uses, u)
	}
}
