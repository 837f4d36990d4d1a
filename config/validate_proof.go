package config

import (
	"fmt"
	"slices"
	"strings"
)

// minSignatureKey is the shortest key of hmac-sha256: a key that is shorter than what
// comes out weakens it (RFC 2104 section 3).
const minSignatureKey = 32

// signedAlways are the components that every signature covers: without one of them a
// signature would prove other requests too.
func signedAlways() []string { return []string{"@method", "@authority", "@path", "@query"} }

// proofCertificates checks the certificates of the gateway.
func (v *validator) proofCertificates(all []Certificate) {
	const at = "gateway.proof.certificates"
	if v.given(at) && len(all) == 0 {
		v.add(at, "is empty", "name a certificate, or remove it")
	}
	t := v.c.Listen.TLS
	if len(all) > 0 && (t == nil || t.ClientAuth == ClientAuthNone) {
		v.add(at, "no certificate arrives: listen.tls asks for none", "add to listen.tls: {client_auth: "+ClientAuthRequire+"}, or "+ClientAuthRequest)
	}
	v.certificateNames(at, all)
}

// proofSignature checks how the gateway signs.
func (v *validator) proofSignature(s *GatewaySignature) {
	const at = "gateway.proof.signature"
	if s == nil {
		return
	}
	if len(s.Keys) == 0 && len(s.PublicKeys) == 0 {
		v.add(at, "no key verifies the signature", "add for example key: ${file:/run/secrets/gateway-signature}")
	}
	for i, key := range s.Keys {
		path := fmt.Sprintf("%s.keys[%d]", at, i)
		switch text := key.Reveal(); {
		case len(text) < minSignatureKey:
			v.add(path, fmt.Sprintf("%s has fewer than %d characters", v.named(path, ""), minSignatureKey), "make a random one, for example with openssl rand -hex 32")
		case slices.ContainsFunc(s.Keys[:i], func(o Secret) bool { return o.Reveal() == text }):
			v.add(path, v.named(path, "")+" is given twice", "remove one; a rotation needs two that differ")
		}
	}
	if !isDictionaryKey(s.Label) {
		v.add(at+".label", v.named(at+".label", s.Label)+" is not a key of a structured field", "use lower-case letters, digits, dashes and dots, with a letter first")
	}
	v.proofComponents(at+".components", s.Components)
}

func (v *validator) proofComponents(at string, all []string) {
	if !v.given(at) {
		return
	}
	for i, name := range all {
		path := fmt.Sprintf("%s[%d]", at, i)
		derived := strings.HasPrefix(name, "@")
		switch {
		case derived && !slices.Contains(append(signedAlways(), "@request-target"), name),
			!derived && (!isToken(name) || strings.ToLower(name) != name):
			v.add(path, v.named(path, name)+" is not a component that is read here", "write "+strings.Join(signedAlways(), ", ")+", @request-target, or the name of a header in lower case")
		case !derived && !ReadsHeader(name):
			v.add(path, v.named(path, name)+" belongs to one connection or frames the message: nothing is read from it", "remove it; @authority covers the host")
		case slices.Contains(all[:i], name):
			v.add(path, v.named(path, name)+" is given twice", "remove one")
		}
	}
	missing := slices.DeleteFunc(signedAlways(), func(name string) bool { return slices.Contains(all, name) })
	if len(missing) > 0 {
		v.add(at, strings.Join(missing, ", ")+" missing: a signature would prove other requests too", "add it")
	}
}

// isDictionaryKey reports whether s is a key of a dictionary of structured fields
// (RFC 8941 section 3.2).
func isDictionaryKey(s string) bool {
	for i, c := range s {
		first := c >= 'a' && c <= 'z' || c == '*'
		if !first && (i == 0 || (c < '0' || c > '9') && !strings.ContainsRune("_-.", c)) {
			return false
		}
	}
	return s != ""
}
