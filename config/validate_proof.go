package config

import (
	"encoding/hex"
	"fmt"
	"net/netip"
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
func (v *validator) proofCertificates(all []GatewayCertificate) {
	const at = "gateway.proof.certificates"
	if v.given(at) && len(all) == 0 {
		v.add(at, "is empty", "name a certificate, or remove it")
	}
	t := v.c.Listen.TLS
	if len(all) > 0 && (t == nil || t.ClientAuth == ClientAuthNone) {
		v.add(at, "no certificate arrives: listen.tls asks for none", "add to listen.tls: {client_auth: "+ClientAuthRequire+"}, or "+ClientAuthRequest)
	}
	for i, c := range all {
		path := fmt.Sprintf("%s[%d]", at, i)
		given := 0
		for name, text := range map[string]string{".san": c.SAN, ".subject": c.Subject, ".thumbprint": c.Thumbprint} {
			if text != "" {
				given++
			} else if v.given(path + name) {
				v.add(path+name, "is empty", "give it a value or remove the line")
			}
		}
		if given != 1 {
			v.add(path, "is told by none, or by more than one, of san, subject and thumbprint", "write one of the three")
			continue
		}
		if c.Thumbprint == "" && (t == nil || t.ClientCAFile == "") {
			v.add(path, "anybody can make a certificate with this name: no authority is named", "add listen.tls.client_ca_file, or give the thumbprint")
		}
		if c.SAN != "" {
			v.san(path+".san", c.SAN)
		}
		if c.Thumbprint != "" && !isThumbprint(c.Thumbprint) {
			v.add(path+".thumbprint", v.named(path+".thumbprint", c.Thumbprint)+" is not a SHA-256 digest in hexadecimal", "write what openssl x509 -fingerprint -sha256 prints behind the equals sign")
		}
	}
}

// san checks one subject alternative name.
func (v *validator) san(path, text string) {
	kind, name, _ := strings.Cut(text, ":")
	_, errIP := netip.ParseAddr(name)
	switch {
	case !slices.Contains([]string{"dns", "uri", "email", "ip"}, kind):
		v.add(path, v.named(path, text)+" has no type in front", "write dns:, uri:, email: or ip: before the name")
	case name == "" || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' }):
		v.add(path, v.named(path, text)+" is not a name", "write for example dns:gateway.example.net")
	case kind == "dns" && strings.Contains(name, "*"):
		v.add(path, v.named(path, text)+" is a pattern: whatever has such a name would be the gateway", "write the name of the gateway")
	case kind == "ip" && (errIP != nil || strings.Contains(name, "%")):
		v.add(path, v.named(path, text)+" is not an IP address", "write for example ip:192.0.2.1")
	}
}

// isThumbprint reports whether text is 32 bytes in hexadecimal, with colons between all
// of them or without any.
func isThumbprint(text string) bool {
	const size = 32
	compact := strings.ReplaceAll(text, ":", "")
	b, err := hex.DecodeString(compact)
	colons := len(text) - len(compact)
	return err == nil && len(b) == size && (colons == 0 || colons == size-1)
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
