package token

import (
	"crypto/sha256"
	hexadecimal "encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// CertificateName tells one client certificate from others, for every check that asks
// whose it is. At least one field is given, and all that are given must fit.
type CertificateName struct {
	// SAN is a subject alternative name as [ParseSAN] reads it.
	SAN string
	// Subject is the distinguished name in the form of RFC 2253, compared byte for byte.
	Subject string
	// Thumbprint is SHA-256 of the DER form as [ParseThumbprint] reads it. It needs no
	// authority: nobody else has a certificate with it.
	Thumbprint string
}

// SANTypes are the types of names in front of the colon.
func SANTypes() []string { return []string{"dns", "uri", "email", "ip"} }

// ParseSAN returns a subject alternative name in the form of policy.Certificate.Names,
// with its type: dns:gateway.example.net, uri:spiffe://example.net/gateway,
// email:ops@example.net or ip:192.0.2.1. A text that begins with spiffe:// is an uri.
// Names of dns lose their letter case, addresses have one form, and all others stay byte
// for byte. The error says what is wrong with it.
func ParseSAN(text string) (string, error) {
	if strings.HasPrefix(text, "spiffe://") {
		text = "uri:" + text
	}
	kind, name, ok := strings.Cut(text, ":")
	switch {
	case !ok || !slices.Contains(SANTypes(), kind):
		return "", fmt.Errorf("it has no type in front: %s", strings.Join(SANTypes(), ":, ")+":")
	case name == "" || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' }):
		return "", errors.New("the name is empty, or has characters that no name has")
	case kind == "dns" && strings.Contains(name, "*"):
		return "", errors.New("the name is a pattern, and names are compared as a whole")
	case kind == "dns":
		return kind + ":" + strings.ToLower(name), nil
	case kind == "ip":
		addr, err := netip.ParseAddr(name)
		if err != nil || addr.Zone() != "" {
			return "", errors.New("the name is no IP address")
		}
		return kind + ":" + addr.Unmap().String(), nil
	}
	return kind + ":" + name, nil
}

// ParseThumbprint returns the digest that text is in hexadecimal, in lower case, with or
// without colons between the bytes, as openssl x509 -fingerprint -sha256 prints it.
func ParseThumbprint(text string) (string, error) {
	compact := text
	if strings.Contains(text, ":") {
		pairs := strings.Split(text, ":")
		if compact = strings.Join(pairs, ""); slices.ContainsFunc(pairs, func(pair string) bool { return len(pair) != 2 }) {
			compact = ""
		}
	}
	b, err := hexadecimal.DecodeString(compact)
	if err != nil || len(b) != sha256.Size {
		return "", errors.New("it is no SHA-256 digest in hexadecimal")
	}
	return strings.ToLower(compact), nil
}

// parse returns the name as certificates are compared with it.
func (n CertificateName) parse() (CertificateName, error) {
	if n == (CertificateName{}) {
		return n, errors.New("it has no criterion: it would be everybody's")
	}
	var err error
	if n.SAN != "" {
		if n.SAN, err = ParseSAN(n.SAN); err != nil {
			return n, fmt.Errorf("its subject alternative name: %w", err)
		}
	}
	if n.Thumbprint != "" {
		if n.Thumbprint, err = ParseThumbprint(n.Thumbprint); err != nil {
			return n, fmt.Errorf("its thumbprint: %w", err)
		}
	}
	return n, nil
}

// names reports whether a certificate has all that is given. That its owner wrote it
// there himself is not ruled out by that.
func (n *CertificateName) names(c *policy.Certificate) bool {
	return (n.Thumbprint == "" || n.Thumbprint == c.Thumbprint) &&
		(n.Subject == "" || n.Subject == c.Subject) &&
		(n.SAN == "" || slices.Contains(c.Names, n.SAN))
}

// fits reports whether a certificate is the one. What a certificate that nobody signed
// says of itself names nobody; its thumbprint does.
func (n *CertificateName) fits(c *policy.Certificate) bool {
	return n.names(c) && (n.Thumbprint != "" || c.Trust == policy.TrustVerified)
}
