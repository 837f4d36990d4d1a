package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/policytest"
	"github.com/sidewarden/sidewarden/policy/token"
)

// certSpec is a certificate to be made.
type certSpec struct {
	subject pkix.Name
	dns     string
	// names are more subject alternative names, by tag.
	names map[int]string
}

// gatewayCert returns the DER form of a certificate of the gateway with a change. It is
// valid for an hour before and after epoch.
func gatewayCert(t testing.TB, change func(c *certSpec)) []byte {
	t.Helper()
	c := certSpec{subject: pkix.Name{CommonName: "gateway", Organization: []string{"Example, Inc."}}, dns: "Gateway.example.net", names: map[int]string{}}
	change(&c)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	names := []asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 2, Bytes: []byte(c.dns)}}
	for tag, name := range c.names {
		names = append(names, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: []byte(name)})
	}
	san, err := asn1.Marshal(names)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: c.subject, NotBefore: epoch.Add(-time.Hour), NotAfter: epoch.Add(time.Hour),
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: san}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return der
}

func thumbprintOf(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

func TestGatewayCertificate(t *testing.T) {
	t.Parallel()
	plain := gatewayCert(t, func(*certSpec) {})
	another := gatewayCert(t, func(*certSpec) {})
	named := func(tag int, name string) []byte {
		return gatewayCert(t, func(c *certSpec) { c.names[tag] = name })
	}
	// What openssl prints.
	printed := strings.ToUpper(strings.Join(pairs(thumbprintOf(plain)), ":"))
	dns := token.GatewayCertificate{SAN: "dns:GATEWAY.example.net"}
	for _, c := range []struct {
		rule     string
		known    token.GatewayCertificate
		der      []byte
		verified bool
		at       time.Duration
		want     policy.Reason // "" permits
	}{
		{"the name of a verified one", dns, plain, true, 0, ""},
		{"the name of one that nobody verified", dns, plain, false, 0, policy.GatewayCertificateUnverified},
		{"no certificate", dns, nil, false, 0, policy.GatewayCertificateMissing},
		{"another name", dns, gatewayCert(t, func(c *certSpec) { c.dns = "other.example.net" }), true, 0, policy.GatewayCertificateMismatch},
		{"a longer name", dns, gatewayCert(t, func(c *certSpec) { c.dns = "gateway.example.net.evil.example" }), true, 0, policy.GatewayCertificateMismatch},
		{"a pattern that has the name", dns, gatewayCert(t, func(c *certSpec) { c.dns = "*.example.net" }), true, 0, policy.GatewayCertificateMismatch},
		{"the name as a subject alone", dns, gatewayCert(t, func(c *certSpec) { c.dns, c.subject.CommonName = "o.example", "gateway.example.net" }), true, 0, policy.GatewayCertificateMismatch},
		{"the name under another type", dns, gatewayCert(t, func(c *certSpec) { c.dns, c.names[6] = "o.example", "gateway.example.net" }), true, 0, policy.GatewayCertificateMismatch},
		{"an URI", token.GatewayCertificate{SAN: "uri:spiffe://example.net/gateway"}, named(6, "spiffe://example.net/gateway"), true, 0, ""},
		{"an URI that is printed as another", token.GatewayCertificate{SAN: "uri:spiffe://example.net/gateway"}, named(6, "spiffe://example.net/gateway#"), true, 0, policy.GatewayCertificateMismatch},
		{"an address", token.GatewayCertificate{SAN: "ip:192.0.2.1"}, named(7, string(net.IPv4(192, 0, 2, 1).To4())), true, 0, ""},
		{"another address", token.GatewayCertificate{SAN: "ip:192.0.2.1"}, named(7, string(net.IPv4(192, 0, 2, 2).To4())), true, 0, policy.GatewayCertificateMismatch},
		{"an address of mail", token.GatewayCertificate{SAN: "email:ops@example.net"}, named(1, "ops@example.net"), true, 0, ""},
		{"the subject", token.GatewayCertificate{Subject: `CN=gateway,O=Example\, Inc.`}, plain, true, 0, ""},
		{"the subject of one that nobody verified", token.GatewayCertificate{Subject: `CN=gateway,O=Example\, Inc.`}, plain, false, 0, policy.GatewayCertificateUnverified},
		{"a part of the subject", token.GatewayCertificate{Subject: "CN=gateway"}, plain, true, 0, policy.GatewayCertificateMismatch},
		{"two names that look like one subject", token.GatewayCertificate{Subject: "CN=gateway,O=Example"}, gatewayCert(t, func(c *certSpec) { c.subject = pkix.Name{CommonName: "gateway,O=Example"} }), true, 0, policy.GatewayCertificateMismatch},
		{"the thumbprint", token.GatewayCertificate{Thumbprint: thumbprintOf(plain)}, plain, false, 0, ""},
		{"the thumbprint as it is printed", token.GatewayCertificate{Thumbprint: printed}, plain, false, 0, ""},
		{"another certificate of the same name", token.GatewayCertificate{Thumbprint: thumbprintOf(plain)}, another, true, 0, policy.GatewayCertificateMismatch},
		{"the last moment", dns, plain, true, time.Hour, ""},
		{"over", dns, plain, true, time.Hour + time.Second, policy.GatewayCertificateExpired},
		{"over, by thumbprint", token.GatewayCertificate{Thumbprint: thumbprintOf(plain)}, plain, false, 2 * time.Hour, policy.GatewayCertificateExpired},
		{"not yet", dns, plain, true, -2 * time.Hour, policy.GatewayCertificateExpired},
		{"half a certificate", dns, plain[:len(plain)/2], true, 0, policy.GatewayCertificateMismatch},
	} {
		check := newGateway(t, token.GatewayOptions{Certificates: []token.GatewayCertificate{{Subject: "CN=nobody"}, c.known}})
		r := order()
		r.Peer.Certificate, r.Peer.Verified, r.Time = c.der, c.verified, epoch.Add(c.at)
		want := policy.Permitted()
		if c.want != "" {
			want = policy.Denied(c.want, "")
		}
		assert.Equal(t, want, check.Check(t.Context(), r), c.rule)
		policytest.Run(t, check, r)
	}
}

// pairs splits a text into parts of two characters.
func pairs(text string) []string {
	var all []string
	for ; text != ""; text = text[2:] {
		all = append(all, text[:2])
	}
	return all
}

// What was remembered of one certificate says nothing about the next.
func TestAGatewayReadsEveryCertificate(t *testing.T) {
	t.Parallel()
	good, bad := gatewayCert(t, func(*certSpec) {}), gatewayCert(t, func(c *certSpec) { c.dns = "other.example.net" })
	check := newGateway(t, token.GatewayOptions{Certificates: []token.GatewayCertificate{{SAN: "dns:gateway.example.net"}}})
	for range 3 {
		for _, der := range [][]byte{good, good, bad, bad} {
			r := order()
			r.Peer.Certificate, r.Peer.Verified = der, true
			assert.Equal(t, string(der) == string(good), check.Check(t.Context(), r).Effect == policy.Permit)
		}
	}
}

// Whoever connects chooses how long his certificate and its names are: beyond a bound it
// is that of no gateway, and is not read at all.
func TestALargeCertificateIsNoGateways(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule   string
		change func(*certSpec)
		want   policy.Effect
	}{
		{"a long name", func(c *certSpec) { c.names[6] = "https://example.net/" + strings.Repeat("a", 14<<10) }, policy.Permit},
		{"a longer one", func(c *certSpec) { c.names[6] = "https://example.net/" + strings.Repeat("a", 16<<10) }, policy.Deny},
		{"a long subject", func(c *certSpec) { c.subject.CommonName = strings.Repeat("a", 3<<10) }, policy.Permit},
		{"a longer one", func(c *certSpec) { c.subject.CommonName = strings.Repeat("a", 4<<10) }, policy.Deny},
	} {
		der := gatewayCert(t, c.change)
		for _, known := range []token.GatewayCertificate{{SAN: "dns:gateway.example.net"}, {Thumbprint: thumbprintOf(der)}} {
			r := order()
			r.Peer.Certificate, r.Peer.Verified = der, true
			check := newGateway(t, token.GatewayOptions{Certificates: []token.GatewayCertificate{known}})
			assert.Equal(t, c.want, check.Check(t.Context(), r).Effect, "%s: %+v", c.rule, known)
		}
	}
}

// Every proof that is configured has to hold, whichever of the others do.
func TestThreatAGatewayWithoutOneOfItsProofs(t *testing.T) {
	t.Parallel()
	der := gatewayCert(t, func(*certSpec) {})
	o := signatureOptions()
	check := newGateway(t, token.GatewayOptions{
		Header: proofHeader, Secrets: []string{proofSecret}, Peers: networks("10.0.0.0/8"),
		Certificates: []token.GatewayCertificate{{SAN: "dns:gateway.example.net"}}, Signature: &o,
	})
	whole := func() *policy.Request {
		r := signedBy(order(), ofOrder())
		r.Peer = policy.Peer{Addr: from("10.1.2.3").Peer.Addr, Certificate: der, Verified: true}
		r.Header.Set(proofHeader, proofSecret)
		return r
	}
	assert.Equal(t, policy.Permitted(), check.Check(t.Context(), whole()))
	for want, without := range map[policy.Reason]func(r *policy.Request){
		policy.GatewayPeer:               func(r *policy.Request) { r.Peer.Addr = from("192.0.2.1").Peer.Addr },
		policy.GatewayCertificateMissing: func(r *policy.Request) { r.Peer.Certificate = nil },
		policy.GatewayProofMissing:       func(r *policy.Request) { r.Header.Del(proofHeader) },
		policy.GatewaySignatureMissing:   func(r *policy.Request) { r.Header.Del("Signature") },
	} {
		r := whole()
		without(r)
		assert.Equal(t, policy.Denied(want, ""), check.Check(t.Context(), r))
	}
}

func TestWhatIsNoCertificateOfAGatewayIsNotMade(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule string
		c    token.GatewayCertificate
		want string
	}{
		{"nothing", token.GatewayCertificate{}, "exactly one of"},
		{"two names", token.GatewayCertificate{SAN: "dns:a", Subject: "CN=a"}, "exactly one of"},
		{"no type", token.GatewayCertificate{SAN: "gateway.example.net"}, "no type in front"},
		{"a type that is not known", token.GatewayCertificate{SAN: "rid:1.2.3"}, "no type in front"},
		{"no name", token.GatewayCertificate{SAN: "dns:"}, "is empty"},
		{"a pattern", token.GatewayCertificate{SAN: "dns:*.example.net"}, "is a pattern"},
		{"an address with a zone", token.GatewayCertificate{SAN: "ip:fe80::1%eth0"}, "no IP address"},
		{"half a digest", token.GatewayCertificate{Thumbprint: "abcd"}, "no SHA-256 digest"},
		{"colons in other places", token.GatewayCertificate{Thumbprint: ":" + strings.Repeat("ab", 32)}, "no SHA-256 digest"},
	} {
		_, err := token.NewGateway(token.GatewayOptions{Certificates: []token.GatewayCertificate{c.c}})
		require.ErrorContains(t, err, c.want, c.rule)
	}
}
