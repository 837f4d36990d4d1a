package config

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// certificateNames checks what tells certificates, in a list at a path.
func (v *validator) certificateNames(at string, all []Certificate) {
	for i, c := range all {
		path := fmt.Sprintf("%s[%d]", at, i)
		v.certificateName(path, c)
		same := func(o Certificate) bool { return o.normal() == c.normal() }
		if before := slices.IndexFunc(all[:i], same); before >= 0 && c != (Certificate{}) {
			v.add(path, fmt.Sprintf("is the certificate of %s[%d] too", at, before), "keep one of the two")
		}
	}
}

func (v *validator) certificateName(path string, c Certificate) {
	for name, text := range map[string]string{".san": c.SAN, ".subject": c.Subject, ".thumbprint": c.Thumbprint} {
		if text == "" && v.given(path+name) {
			v.add(path+name, "is empty", "give it a value or remove the line")
		}
	}
	if c == (Certificate{}) {
		v.add(path, "names no certificate", "add san, subject or thumbprint")
		return
	}
	if c.SAN != "" {
		v.san(path+".san", c.SAN)
	}
	if c.Thumbprint != "" && !isThumbprint(c.Thumbprint) {
		v.add(path+".thumbprint", v.named(path+".thumbprint", c.Thumbprint)+" is not a SHA-256 digest in hexadecimal", "write what openssl x509 -noout -fingerprint -sha256 prints behind the equals sign")
	}
	t := v.c.Listen.TLS
	if c.Thumbprint == "" && (t == nil || t.ClientCAFile == "") {
		v.add(path, "anybody can make a certificate with this name: no authority is named", "add listen.tls.client_ca_file, or give the thumbprint")
	}
}

// san checks one subject alternative name.
func (v *validator) san(path, text string) {
	kind, name, _ := strings.Cut(withKind(text), ":")
	address, errIP := netip.ParseAddr(name)
	switch {
	case !slices.Contains([]string{"dns", "uri", "email", "ip"}, kind):
		v.add(path, v.named(path, text)+" has no type in front", "write dns:, uri:, email: or ip: before the name, or spiffe://")
	case name == "" || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' }):
		v.add(path, v.named(path, text)+" is not a name", "write for example dns:partner.example.net")
	case kind == "dns" && strings.Contains(name, "*"):
		v.add(path, v.named(path, text)+" is a pattern, and names are compared as a whole", "write the whole name")
	case kind == "ip" && (errIP != nil || address.Zone() != ""):
		v.add(path, v.named(path, text)+" is not an IP address", "write for example ip:192.0.2.1")
	}
}

// withKind returns a subject alternative name with its kind.
func withKind(san string) string {
	if strings.HasPrefix(san, "spiffe://") {
		return "uri:" + san
	}
	return san
}

// normal returns what two ways to write one certificate have in common.
func (c Certificate) normal() Certificate {
	c.SAN = withKind(c.SAN)
	switch kind, name, _ := strings.Cut(c.SAN, ":"); kind {
	case "dns":
		c.SAN = strings.ToLower(c.SAN)
	case "ip":
		if address, err := netip.ParseAddr(name); err == nil {
			c.SAN = "ip:" + address.Unmap().String()
		}
	}
	c.Thumbprint = strings.ToLower(strings.ReplaceAll(c.Thumbprint, ":", ""))
	return c
}

// isThumbprint reports whether text is 32 bytes in hexadecimal, with colons between all
// of them or without any.
func isThumbprint(text string) bool {
	const size = 32
	if strings.Contains(text, ":") {
		pairs := strings.Split(text, ":")
		if slices.ContainsFunc(pairs, func(pair string) bool { return len(pair) != 2 }) {
			return false
		}
		text = strings.Join(pairs, "")
	}
	b, err := hex.DecodeString(text)
	return err == nil && len(b) == size
}
