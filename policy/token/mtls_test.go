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

func connected(change func(c *policy.Certificate, r *policy.Request)) *policy.Request {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	c := &policy.Certificate{
		Thumbprint: strings.Repeat("ab", 32), Subject: "CN=partner,O=Example", Names: []string{"dns:partner.example.net", "uri:spiffe://example.net/partner"},
		Trust: policy.TrustVerified, ForClients: true, From: now.Add(-time.Hour), Until: now.Add(time.Hour),
	}
	r := &policy.Request{Time: now, Peer: policy.Peer{TLS: &policy.TLS{Version: "TLS 1.3", Certificate: c}}}
	if change != nil {
		change(c, r)
	}
	return r
}

func identified(issuer, client string) func(*policy.Certificate, *policy.Request) {
	return func(_ *policy.Certificate, r *policy.Request) {
		r.Auth = policy.Authentication{Proof: policy.Permitted(), Identity: &policy.Identity{Issuer: issuer, Client: client}}
	}
}

func TestMTLS(t *testing.T) {
	t.Parallel()
	thumbprint := strings.Repeat("ab", 32)
	untrusted := func(c *policy.Certificate, _ *policy.Request) { c.Trust = policy.TrustNone }
	unknown := func(c *policy.Certificate, _ *policy.Request) { c.Trust = policy.TrustUnknown }
	partner := token.ClientCertificate{CertificateName: token.CertificateName{SAN: "uri:spiffe://example.net/partner"}, Client: "partner-7", Issuer: "https://idp.example.net"}
	for _, c := range []struct {
		name    string
		clients []token.ClientCertificate
		change  func(*policy.Certificate, *policy.Request)
		want    policy.Reason // "" permits
	}{
		{"any that is trusted", nil, nil, ""},
		{"a plain connection", nil, func(_ *policy.Certificate, r *policy.Request) { r.Peer.TLS = nil }, policy.ClientCertificateMissing},
		{"TLS without a certificate", nil, func(_ *policy.Certificate, r *policy.Request) { r.Peer.TLS.Certificate = nil }, policy.ClientCertificateMissing},
		{"one of a stranger", nil, untrusted, policy.ClientCertificateUntrusted},
		{"one that nobody was asked about", nil, unknown, policy.ClientCertificateUntrusted},
		{"over", nil, func(c *policy.Certificate, r *policy.Request) { r.Time = c.Until.Add(time.Second) }, policy.ClientCertificateExpired},
		{"to its last second", nil, func(c *policy.Certificate, r *policy.Request) { r.Time = c.Until }, ""},
		{"from its first second", nil, func(c *policy.Certificate, r *policy.Request) { r.Time = c.From }, ""},
		{"not yet valid", nil, func(c *policy.Certificate, r *policy.Request) { r.Time = c.From.Add(-time.Second) }, policy.ClientCertificateExpired},
		{"of a server", nil, func(c *policy.Certificate, _ *policy.Request) { c.ForClients = false }, policy.ClientCertificatePurpose},
		{"of a stranger, and over", nil, func(c *policy.Certificate, r *policy.Request) { untrusted(c, r); r.Time = c.Until.Add(time.Second) }, policy.ClientCertificateUntrusted},

		{"by its name", []token.ClientCertificate{{CertificateName: token.CertificateName{SAN: "dns:partner.example.net"}}}, nil, ""},
		{"by its subject", []token.ClientCertificate{{CertificateName: token.CertificateName{Subject: "CN=partner,O=Example"}}}, nil, ""},
		{"by its thumbprint", []token.ClientCertificate{{CertificateName: token.CertificateName{Thumbprint: thumbprint}}}, nil, ""},
		{"by all of them", []token.ClientCertificate{{CertificateName: token.CertificateName{SAN: "dns:partner.example.net", Subject: "CN=partner,O=Example", Thumbprint: thumbprint}}}, nil, ""},
		{"one criterion of two fails", []token.ClientCertificate{{CertificateName: token.CertificateName{SAN: "dns:partner.example.net", Subject: "CN=other"}}}, nil, policy.ClientCertificateUnmapped},
		{"a part of a name", []token.ClientCertificate{{CertificateName: token.CertificateName{SAN: "uri:spiffe://example.net/partner-2"}}}, nil, policy.ClientCertificateUnmapped},
		{"a name of another kind", []token.ClientCertificate{{CertificateName: token.CertificateName{SAN: "email:partner.example.net"}}}, nil, policy.ClientCertificateUnmapped},
		{"a thumbprint needs no authority", []token.ClientCertificate{{CertificateName: token.CertificateName{Thumbprint: thumbprint}}}, untrusted, ""},
		{"a thumbprint without authorities", []token.ClientCertificate{{CertificateName: token.CertificateName{Thumbprint: thumbprint}}}, unknown, ""},
		{"another thumbprint needs one", []token.ClientCertificate{{CertificateName: token.CertificateName{Thumbprint: strings.Repeat("cd", 32)}}}, untrusted, policy.ClientCertificateUntrusted},
		{"the name of a stranger is nobody's", []token.ClientCertificate{{CertificateName: token.CertificateName{SAN: "dns:partner.example.net"}}}, untrusted, policy.ClientCertificateUntrusted},
		{"a thumbprint expires", []token.ClientCertificate{{CertificateName: token.CertificateName{Thumbprint: thumbprint}}}, func(c *policy.Certificate, r *policy.Request) { unknown(c, r); r.Time = c.Until.Add(time.Second) }, policy.ClientCertificateExpired},

		{"nobody proved to be another one", []token.ClientCertificate{partner}, nil, ""},
		{"its own client", []token.ClientCertificate{partner}, identified("https://idp.example.net", "partner-7"), ""},
		{"another client", []token.ClientCertificate{partner}, identified("https://idp.example.net", "partner-8"), policy.ClientCertificateMismatch},
		{"the client of another issuer", []token.ClientCertificate{partner}, identified("https://other.example.net", "partner-7"), policy.ClientCertificateMismatch},
		{"a client of any issuer", []token.ClientCertificate{{CertificateName: token.CertificateName{SAN: partner.SAN}, Client: "partner-7"}}, identified("https://other.example.net", "partner-7"), ""},
		{"a gateway's, for everybody", []token.ClientCertificate{{CertificateName: token.CertificateName{SAN: partner.SAN}}}, identified("https://idp.example.net", "partner-8"), ""},
		{"of two clients the second", []token.ClientCertificate{partner, {CertificateName: token.CertificateName{SAN: "dns:partner.example.net"}, Client: "partner-8"}}, identified("https://idp.example.net", "partner-8"), ""},
		{
			"a pinned stranger is not who it says",
			[]token.ClientCertificate{partner, {CertificateName: token.CertificateName{Thumbprint: thumbprint}, Client: "stranger"}},
			func(c *policy.Certificate, r *policy.Request) {
				untrusted(c, r)
				identified("https://idp.example.net", "partner-7")(c, r)
			},
			policy.ClientCertificateMismatch,
		},
	} {
		check, err := token.NewMTLS(c.clients)
		require.NoError(t, err, c.name)
		r := connected(c.change)
		v := check.Check(t.Context(), r)
		if c.want == "" {
			assert.Equal(t, policy.Permitted(), v, c.name)
		} else {
			assert.Equal(t, policy.Deny, v.Effect, c.name)
			assert.Equal(t, c.want, v.Reason, c.name)
		}
		policytest.Run(t, check, r)
	}
}

func TestMTLSRefusesWhatFitsEverybody(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]token.ClientCertificate{
		"no criterion": {Client: "partner-7"}, "no type in front": {CertificateName: token.CertificateName{SAN: "partner"}}, "no client": {CertificateName: token.CertificateName{SAN: "dns:a"}, Issuer: "https://idp.example.net"},
	} {
		_, err := token.NewMTLS([]token.ClientCertificate{c})
		require.ErrorContains(t, err, want)
	}
}
