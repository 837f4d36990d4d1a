package config

import (
	"fmt"
	"slices"
	"strings"
)

func (v *validator) token() {
	t := &v.c.Token
	if len(t.Issuers) == 0 && v.tokensArrive() && v.anyMode("tok.", "az.") {
		v.add("token.issuers", "controls tok.* and az.* are on, and no issuer is trusted", "add token.issuers or set controls: {tok: off, az: off}")
	}
	first := map[string]int{}
	for i, is := range t.Issuers {
		path := fmt.Sprintf("token.issuers[%d]", i)
		if before, again := first[is.Issuer]; again {
			v.add(path+".issuer", fmt.Sprintf("%s is given twice, first as token.issuers[%d]", v.named(path+".issuer", is.Issuer), before), "keep one; an issuer has one key set")
		} else if is.Issuer != "" {
			first[is.Issuer] = i
		}
		v.keySet(path, is)
		v.introspection(path, is)
		if len(is.Algorithms) == 0 {
			v.add(path+".algorithms", "is empty", "name at least one, or remove the line for [RS256, ES256]")
		}
		v.types(path+".types", is.Types)
		if i := slices.Index(is.AccountNamespace, ""); i >= 0 || v.given(path+".account_namespace") && len(is.AccountNamespace) == 0 {
			v.add(path+".account_namespace", "has an empty beginning, or none at all", "name the beginnings, or remove the line for every account")
		}
		v.claims(path+".claims", is.Claims)
		if is.MaxStale < is.Refresh && !is.MaxStale.IsZero() {
			v.add(path+".max_stale", fmt.Sprintf("%s is shorter than refresh, which is %s", is.MaxStale, is.Refresh), "make it longer, or refresh shorter")
		}
	}
	v.prefixes()
}

// types checks the accepted values of header typ.
func (v *validator) types(path string, types []string) {
	if v.given(path) && len(types) == 0 {
		v.add(path, "is empty", "name at least one, or remove the line for those of the profile")
	}
	for i, t := range types {
		if strings.EqualFold(t, "none") {
			v.add(fmt.Sprintf("%s[%d]", path, i), "no token has the type none, and here it stands for nothing else", "remove it; profile: jwt takes a token without typ")
		}
	}
}

func (v *validator) claims(path string, c Claims) {
	v.pointer(path+".client", c.Client)
	v.pointer(path+".principal", c.Principal)
	v.pointer(path+".actor", c.Actor)
	v.pointer(path+".accounts", c.Accounts)
	v.pointer(path+".scopes", c.Scopes)
	if v.given(path + ".account_member") {
		v.pointer(path+".account_member", c.AccountMember)
	}
}

// keySet checks where the keys of an issuer come from.
func (v *validator) keySet(path string, is Issuer) {
	byURL, byFile := v.given(path+".jwks_url"), v.given(path+".jwks_file")
	switch {
	case is.Tokens == TokensOpaque: // see introspection
	case byURL && byFile:
		v.add(path+".jwks_file", "jwks_url is given too", "keep one of them")
	case byFile && is.JWKSFile == "":
		v.add(path+".jwks_file", "is empty", "name the file")
	case byFile && is.CAFile != "" && is.Introspection == nil:
		v.add(path+".ca_file", "has no effect with jwks_file", "remove it")
	case byURL:
		v.issuerURL(path+".jwks_url", is.JWKSURL, "https://idp.example.net/jwks", "whoever is on the way can replace the keys")
	case !byFile:
		v.metadataOf(path, is)
	}
	if (byURL || byFile) && v.given(path+".discovery_hosts") {
		v.add(path+".discovery_hosts", "has no effect with jwks_url or jwks_file", "remove it")
	}
	if v.given(path + ".proxy_url") {
		v.proxy(path, is, byFile)
	}
}

// issuerURL checks an address of an issuer. Danger is what http would allow.
func (v *validator) issuerURL(path, s, example, danger string) {
	v.url(path, s, urlRule{what: "an https URL", example: example, danger: danger, query: true})
}

func (v *validator) accounts() {
	for i, r := range v.c.Account.Rules {
		path := fmt.Sprintf("account.rules[%d]", i)
		switch r.In {
		case InBody:
			if v.given(path + ".name") {
				v.add(path+".name", "has no effect with in: body", "remove it; pointer tells the place")
			}
			if !v.given(path + ".pointer") {
				v.add(path+".pointer", "in: body needs a pointer", "add for example pointer: /accountId")
				continue
			}
			v.pointer(path+".pointer", r.Pointer)
		case InPath, InQuery, InHeader:
			if v.given(path + ".pointer") {
				v.add(path+".pointer", "has no effect with in: "+r.In, "remove it; name tells the place")
			}
			if r.Name == "" {
				v.add(path+".name", "in: "+r.In+" needs a name", "add the name of the "+map[string]string{InPath: "path parameter", InQuery: "query parameter", InHeader: "header"}[r.In])
			}
			if r.In == InHeader {
				v.header(path+".name", r.Name)
			}
		}
	}
}

func (v *validator) limits() {
	first := map[string]int{}
	for i, l := range v.c.Limits {
		path := fmt.Sprintf("limits[%d]", i)
		before, again := first[l.Name]
		switch {
		case again:
			v.add(path+".name", fmt.Sprintf("%s is given twice, first as limits[%d]", v.named(path+".name", l.Name), before), "give it another name")
		case !isName(l.Name):
			v.add(path+".name", v.named(path+".name", l.Name)+" is not a limit name", nameFix)
		default:
			first[l.Name] = i
		}
		for j, k := range l.Key {
			if slices.Contains(l.Key[:j], k) {
				v.add(fmt.Sprintf("%s.key[%d]", path, j), quote(k)+" is given twice", "remove one")
			}
		}
		for j, o := range l.Operations {
			if slices.Contains(l.Operations[:j], o) {
				v.add(fmt.Sprintf("%s.operations[%d]", path, j), quote(o)+" is given twice", "remove one")
			}
		}
		if v.given(path+".operations") && len(l.Operations) == 0 {
			v.add(path+".operations", "is empty, so the limit counts nothing", "name an operation, or leave it out to count all")
		}
		if !v.given(path+".rate") && !v.given(path+".quota") {
			v.add(path+".rate", "the limit has neither a rate nor a quota", "add for example rate: 100/s or quota: 1000000/day")
		}
		if v.given(path+".burst") && !v.given(path+".rate") {
			v.add(path+".burst", "has no effect without a rate", "remove it, or add for example rate: 100/s")
		}
	}
}

func (v *validator) operations() {
	for key, o := range v.c.Operations {
		path := pathKey("operations", key)
		if method, target, ok := strings.Cut(key, " "); ok && (!isToken(method) || method != strings.ToUpper(method) || !strings.HasPrefix(target, "/")) {
			v.add(path, quote(key)+" is not an operation", "write an operationId, or a method in capitals and a path, for example GET /orders/{id}")
		}
		for i, alternative := range o.Scopes {
			at := fmt.Sprintf("%s.scopes[%d]", path, i)
			if len(alternative) == 0 {
				v.add(at, "is an empty alternative, which every token meets", "name a scope, or write scopes: [] to ask for none")
			}
			for j, s := range alternative {
				if strings.ContainsAny(s, " \t\r\n") {
					v.add(fmt.Sprintf("%s[%d]", at, j), "has a space in it", "write one scope per element: [a, b] asks for both")
				}
			}
		}
		if o.Public != nil && *o.Public && len(o.Scopes) > 0 {
			v.add(path+".public", "a public operation can not ask for scopes", "remove public or scopes")
		}
	}
}

// anyMode reports whether a control with one of the prefixes is not off, for any
// operation.
func (v *validator) anyMode(prefixes ...string) bool {
	for _, id := range ControlIDs() {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(id, p) }) &&
			(v.modeAnywhere(id, Shadow) || v.modeAnywhere(id, Enforce)) {
			return true
		}
	}
	return false
}

// modeAnywhere reports whether a control has the mode, for any operation.
func (v *validator) modeAnywhere(control string, m Mode) bool {
	for op := range v.c.Operations {
		if v.c.ControlMode(op, control) == m {
			return true
		}
	}
	return v.c.ControlMode("", control) == m
}
