package config

import (
	"slices"
	"strings"
)

// warnUncovered tells of headers that count on the gateway's signature, and that the
// signature does not cover: until it is over, who sees a request sends it again with
// others. A client certificate of the gateway keeps him from it.
func (v *validator) warnUncovered(warn func(path, cause, fix string)) {
	const at = "gateway.proof.signature"
	s := v.c.Gateway.Proof.Signature
	if s == nil || len(v.c.Gateway.Proof.Certificates) > 0 {
		return
	}
	names := []string{v.c.Gateway.ClientCertHeader}
	if h := v.c.Credential.Headers; v.c.Credential.Kind == KindIdentityHeaders {
		names = append(names, h.Client, h.Principal, h.Accounts, h.Scopes)
	}
	var uncovered []string
	for _, name := range names {
		if name = strings.ToLower(name); name != "" && !slices.Contains(s.Covered(), name) {
			uncovered = append(uncovered, name)
		}
	}
	if len(uncovered) == 0 {
		return
	}
	path := at
	if v.given(at + ".components") {
		path += ".components"
	}
	warn(path, "does not cover what counts on it: for "+s.MaxAge.String()+" whoever sees a request can send it again with another "+strings.Join(uncovered, ", "),
		"add to components: "+strings.Join(append(slices.DeleteFunc(signedAlways(), func(name string) bool { return slices.Contains(s.Components, name) }), uncovered...), ", ")+
			"; the gateway then has to send each, with an empty value where it has nothing to say")
}
