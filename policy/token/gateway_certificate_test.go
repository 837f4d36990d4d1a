package token_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/policytest"
	"github.com/sidewarden/sidewarden/policy/token"
)

// gatewayCert is the certificate of the gateway with a change, as the handshake tells it.
// An authority signed it, and it is valid for an hour before and after epoch.
func gatewayCert(change func(c *policy.Certificate)) *policy.TLS {
	c := &policy.Certificate{
		Thumbprint: strings.Repeat("ab", 32), Subject: `CN=gateway,O=Example\, Inc.`, Names: []string{"dns:gateway.example.net"},
		Trust: policy.TrustVerified, ForClients: true, From: epoch.Add(-time.Hour), Until: epoch.Add(time.Hour),
	}
	if change != nil {
		change(c)
	}
	return &policy.TLS{Version: "TLS 1.3", Certificate: c}
}

func TestGatewayCertificate(t *testing.T) {
	t.Parallel()
	named := func(name string) func(c *policy.Certificate) {
		return func(c *policy.Certificate) { c.Names = []string{"dns:o.example", name} }
	}
	untrusted := func(c *policy.Certificate) { c.Trust = policy.TrustNone }
	unknown := func(c *policy.Certificate) { c.Trust = policy.TrustUnknown }
	thumbprint := strings.Repeat("ab", 32)
	printed := strings.Repeat("AB:", 31) + "AB" // as openssl does
	dns := token.CertificateName{SAN: "dns:GATEWAY.example.net"}
	for _, c := range []struct {
		rule   string
		known  token.CertificateName
		change func(c *policy.Certificate)
		at     time.Duration
		want   policy.Reason // "" permits
	}{
		{"the name of a verified one", dns, nil, 0, ""},
		{"the name of one that nobody verified", dns, unknown, 0, policy.GatewayCertificateUnverified},
		{"the name of a stranger", dns, untrusted, 0, policy.GatewayCertificateUnverified},
		{"another name", dns, named("dns:other.example.net"), 0, policy.GatewayCertificateMismatch},
		{"a longer name", dns, named("dns:gateway.example.net.evil.example"), 0, policy.GatewayCertificateMismatch},
		{"a pattern that has the name", dns, named("dns:*.example.net"), 0, policy.GatewayCertificateMismatch},
		{"the name under another type", dns, named("uri:gateway.example.net"), 0, policy.GatewayCertificateMismatch},
		{"an URI", token.CertificateName{SAN: "uri:spiffe://example.net/gateway"}, named("uri:spiffe://example.net/gateway"), 0, ""},
		{"an URI in short", token.CertificateName{SAN: "spiffe://example.net/gateway"}, named("uri:spiffe://example.net/gateway"), 0, ""},
		{"another URI", token.CertificateName{SAN: "uri:spiffe://example.net/gateway"}, named("uri:spiffe://example.net/gateway#"), 0, policy.GatewayCertificateMismatch},
		{"an address", token.CertificateName{SAN: "ip:::ffff:192.0.2.1"}, named("ip:192.0.2.1"), 0, ""},
		{"another address", token.CertificateName{SAN: "ip:192.0.2.1"}, named("ip:192.0.2.2"), 0, policy.GatewayCertificateMismatch},
		{"an address of mail", token.CertificateName{SAN: "email:ops@example.net"}, named("email:ops@example.net"), 0, ""},
		{"the subject", token.CertificateName{Subject: `CN=gateway,O=Example\, Inc.`}, nil, 0, ""},
		{"the subject of one that nobody verified", token.CertificateName{Subject: `CN=gateway,O=Example\, Inc.`}, unknown, 0, policy.GatewayCertificateUnverified},
		{"a part of the subject", token.CertificateName{Subject: "CN=gateway"}, nil, 0, policy.GatewayCertificateMismatch},
		{"the thumbprint", token.CertificateName{Thumbprint: thumbprint}, untrusted, 0, ""},
		{"the thumbprint as it is printed", token.CertificateName{Thumbprint: printed}, unknown, 0, ""},
		{"another certificate of the same name", token.CertificateName{Thumbprint: strings.Repeat("cd", 32)}, nil, 0, policy.GatewayCertificateMismatch},
		{"two that fit", token.CertificateName{SAN: dns.SAN, Thumbprint: printed}, untrusted, 0, ""},
		{"one of two that fits", token.CertificateName{SAN: "dns:other.example.net", Thumbprint: printed}, nil, 0, policy.GatewayCertificateMismatch},
		{"the last moment", dns, nil, time.Hour, ""},
		{"over", dns, nil, time.Hour + time.Second, policy.GatewayCertificateExpired},
		{"over, by thumbprint", token.CertificateName{Thumbprint: thumbprint}, unknown, 2 * time.Hour, policy.GatewayCertificateExpired},
		{"not yet", dns, nil, -2 * time.Hour, policy.GatewayCertificateExpired},
		{"of a server", dns, func(c *policy.Certificate) { c.ForClients = false }, 0, policy.GatewayCertificatePurpose},
	} {
		check := newGateway(t, token.GatewayOptions{Certificates: []token.CertificateName{{Subject: "CN=nobody"}, c.known}})
		r := order()
		r.Peer.TLS, r.Time = gatewayCert(c.change), epoch.Add(c.at)
		want := policy.Permitted()
		if c.want != "" {
			want = policy.Denied(c.want, "")
		}
		assert.Equal(t, want, check.Check(t.Context(), r), c.rule)
		policytest.Run(t, check, r)

		// Written into the list of clients, the same line means the same certificate.
		clients, err := token.NewMTLS([]token.ClientCertificate{{CertificateName: token.CertificateName{Subject: "CN=nobody"}}, {CertificateName: c.known}})
		require.NoError(t, err, c.rule)
		assert.Equal(t, want.Effect, clients.Check(t.Context(), r).Effect, c.rule)
	}
}

func TestAGatewayWithoutACertificate(t *testing.T) {
	t.Parallel()
	check := newGateway(t, token.GatewayOptions{Certificates: []token.CertificateName{{SAN: "dns:gateway.example.net"}}})
	for _, connection := range []*policy.TLS{nil, {Version: "TLS 1.3"}} {
		r := order()
		r.Peer.TLS = connection
		assert.Equal(t, policy.Denied(policy.GatewayCertificateMissing, ""), check.Check(t.Context(), r))
	}
}

// Every proof that is configured has to hold, whichever of the others do.
func TestThreatAGatewayWithoutOneOfItsProofs(t *testing.T) {
	t.Parallel()
	o := signatureOptions()
	check := newGateway(t, token.GatewayOptions{
		Header: proofHeader, Secrets: []string{proofSecret}, Peers: networks("10.0.0.0/8"),
		Certificates: []token.CertificateName{{SAN: "dns:gateway.example.net"}}, Signature: &o,
	})
	whole := func() *policy.Request {
		r := signedBy(order(), ofOrder())
		r.Peer = policy.Peer{Addr: from("10.1.2.3").Peer.Addr, TLS: gatewayCert(nil)}
		r.Header.Set(proofHeader, proofSecret)
		return r
	}
	assert.Equal(t, policy.Permitted(), check.Check(t.Context(), whole()))
	for want, without := range map[policy.Reason]func(r *policy.Request){
		policy.GatewayPeer:               func(r *policy.Request) { r.Peer.Addr = from("192.0.2.1").Peer.Addr },
		policy.GatewayCertificateMissing: func(r *policy.Request) { r.Peer.TLS = nil },
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
		c    token.CertificateName
		want string
	}{
		{"nothing", token.CertificateName{}, "no criterion"},
		{"no type", token.CertificateName{SAN: "gateway.example.net"}, "no type in front"},
		{"a type that is not known", token.CertificateName{SAN: "rid:1.2.3"}, "no type in front"},
		{"no name", token.CertificateName{SAN: "dns:"}, "is empty"},
		{"a pattern", token.CertificateName{SAN: "dns:*.example.net"}, "is a pattern"},
		{"an address with a zone", token.CertificateName{SAN: "ip:fe80::1%eth0"}, "no IP address"},
		{"half a digest", token.CertificateName{Thumbprint: "abcd"}, "no SHA-256 digest"},
		{"colons in other places", token.CertificateName{Thumbprint: ":" + strings.Repeat("ab", 32)}, "no SHA-256 digest"},
	} {
		_, err := token.NewGateway(token.GatewayOptions{Certificates: []token.CertificateName{c.c}})
		require.ErrorContains(t, err, c.want, c.rule)
	}
}
