package token

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	hexadecimal "encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// maxGatewayCertificate bounds the DER form of what may be a certificate of the gateway,
// and maxGatewaySubject that of its subject, in bytes. Strangers are read, too, with every
// request, and the time to print a subject grows with its square.
const (
	maxGatewayCertificate = 16 << 10
	maxGatewaySubject     = 4 << 10
)

// GatewayCertificate is one certificate that the gateway connects with. Exactly one
// field is given.
type GatewayCertificate struct {
	// SAN is one subject alternative name with its type: dns:gateway.example.net,
	// uri:spiffe://example.net/gateway, email:ops@example.net or ip:192.0.2.1. Names of
	// dns are compared without letter case, all others byte for byte. An authority has to
	// have verified the certificate.
	SAN string
	// Subject is the distinguished name in the form of RFC 2253, compared byte for byte;
	// the same goes for the authority.
	Subject string
	// Thumbprint is SHA-256 of the DER form in hexadecimal. The certificate is known
	// then, whoever signed it.
	Thumbprint string
}

// SANTypes are the types of names in front of the colon.
func SANTypes() []string { return []string{"dns", "uri", "email", "ip"} }

// ParseSAN returns a subject alternative name as certificates are compared with it. The
// error says what is wrong with it.
func ParseSAN(text string) (string, error) {
	kind, name, ok := strings.Cut(text, ":")
	switch {
	case !ok || !slices.Contains(SANTypes(), kind):
		return "", fmt.Errorf("it has no type in front: %s", strings.Join(SANTypes(), ":, ")+":")
	case name == "" || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' }):
		return "", errors.New("the name is empty, or has characters that no name has")
	case kind == "dns" && strings.Contains(name, "*"):
		return "", errors.New("the name is a pattern, and a gateway has a name")
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

// ParseThumbprint returns the digest that text is in hexadecimal, with or without colons
// between the bytes, as openssl x509 -fingerprint -sha256 prints it.
func ParseThumbprint(text string) ([sha256.Size]byte, error) {
	compact := text
	if strings.Contains(text, ":") {
		compact = strings.ReplaceAll(text, ":", "")
		if len(text) != len(compact)+sha256.Size-1 {
			compact = ""
		}
	}
	b, err := hexadecimal.DecodeString(compact)
	if err != nil || len(b) != sha256.Size {
		return [sha256.Size]byte{}, errors.New("it is no SHA-256 digest in hexadecimal")
	}
	return [sha256.Size]byte(b), nil
}

// gatewayCertificates knows the certificates of the gateway.
//
// Rule: the peer has a certificate, the time is within its validity, and it is one with
// a given thumbprint, or one with a given name whose chain a configured authority
// verified. The handshake has proved that the peer has its key.
type gatewayCertificates struct {
	sans, subjects []string
	thumbprints    [][sha256.Size]byte
	// last is the certificate that was told from others last: a gateway has one, and many
	// requests. No stranger gets its place.
	last atomic.Pointer[leaf]
}

// leaf is what is compared of a certificate.
type leaf struct {
	der                 []byte
	sum                 [sha256.Size]byte
	sans                []string
	subject             string
	notBefore, notAfter time.Time
}

func newGatewayCertificates(all []GatewayCertificate) (*gatewayCertificates, error) {
	g := &gatewayCertificates{}
	for _, c := range all {
		given := 0
		for _, text := range []string{c.SAN, c.Subject, c.Thumbprint} {
			if text != "" {
				given++
			}
		}
		if given != 1 {
			return nil, errors.New("token: a certificate of the gateway is told by exactly one of san, subject and thumbprint")
		}
		switch {
		case c.SAN != "":
			san, err := ParseSAN(c.SAN)
			if err != nil {
				return nil, fmt.Errorf("token: a name of the gateway's certificate: %w", err)
			}
			g.sans = append(g.sans, san)
		case c.Subject != "":
			g.subjects = append(g.subjects, c.Subject)
		default:
			sum, err := ParseThumbprint(c.Thumbprint)
			if err != nil {
				return nil, fmt.Errorf("token: a thumbprint of the gateway's certificate: %w", err)
			}
			g.thumbprints = append(g.thumbprints, sum)
		}
	}
	return g, nil
}

func (g *gatewayCertificates) check(r *policy.Request) policy.Verdict {
	if len(r.Peer.Certificate) == 0 {
		return policy.Denied(policy.GatewayCertificateMissing, "")
	}
	c := g.leaf(r.Peer.Certificate)
	if c == nil {
		return policy.Denied(policy.GatewayCertificateMismatch, "")
	}
	known := slices.Contains(g.thumbprints, c.sum)
	named := slices.Contains(g.subjects, c.subject) || slices.ContainsFunc(c.sans, func(san string) bool { return slices.Contains(g.sans, san) })
	switch {
	case !known && !named:
		return policy.Denied(policy.GatewayCertificateMismatch, "")
	case !known && !r.Peer.Verified:
		return policy.Denied(policy.GatewayCertificateUnverified, "")
	case r.Time.Before(c.notBefore) || r.Time.After(c.notAfter):
		// The handshake asked the same, as far as it asked; the connection may be older.
		return policy.Denied(policy.GatewayCertificateExpired, "")
	}
	if g.last.Load() != c {
		g.last.Store(c)
	}
	return policy.Permitted()
}

// leaf reads a certificate; nil if it is too large, or cannot be read, which the
// handshake would have told already.
func (g *gatewayCertificates) leaf(der []byte) *leaf {
	if known := g.last.Load(); known != nil && bytes.Equal(known.der, der) {
		return known
	}
	if len(der) > maxGatewayCertificate {
		return nil
	}
	c, err := x509.ParseCertificate(der)
	if err != nil || len(c.RawSubject) > maxGatewaySubject {
		return nil
	}
	var subject pkix.RDNSequence
	rest, err := asn1.Unmarshal(c.RawSubject, &subject)
	if err != nil || len(rest) > 0 {
		return nil
	}
	return &leaf{
		der: bytes.Clone(der), sum: sha256.Sum256(der), sans: sansOf(c), subject: subject.String(), notBefore: c.NotBefore, notAfter: c.NotAfter,
	}
}

// sansOf returns the subject alternative names with their types (RFC 5280 section
// 4.2.1.6). They are taken from the extension itself: an URI that was parsed and printed
// again may be another one.
func sansOf(c *x509.Certificate) []string {
	const email, dns, uri, ip = 1, 2, 6, 7
	var all []string
	for _, extension := range c.Extensions {
		if !extension.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) {
			continue
		}
		var names []asn1.RawValue
		if rest, err := asn1.Unmarshal(extension.Value, &names); err != nil || len(rest) > 0 {
			return nil
		}
		for _, n := range names {
			if n.Class != asn1.ClassContextSpecific {
				continue
			}
			switch n.Tag {
			case email:
				all = append(all, "email:"+string(n.Bytes))
			case dns:
				all = append(all, "dns:"+strings.ToLower(string(n.Bytes)))
			case uri:
				all = append(all, "uri:"+string(n.Bytes))
			case ip:
				if addr, ok := netip.AddrFromSlice(n.Bytes); ok {
					all = append(all, "ip:"+addr.Unmap().String())
				}
			}
		}
	}
	return all
}
