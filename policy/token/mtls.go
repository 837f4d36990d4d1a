package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// ClientCertificate says by which certificate a client connects. All criteria that are
// given must fit, and at least one is given. They are compared as exact strings.
type ClientCertificate struct {
	// SAN is a subject alternative name behind its kind, such as "uri:spiffe://a/b".
	SAN string
	// Subject is a distinguished name in the form of RFC 2253.
	Subject string
	// Thumbprint is SHA-256 of the DER form in lower-case hexadecimal. It needs no
	// authority: nobody else has a certificate with it.
	Thumbprint string
	// Client and Issuer are whose it is: a credential that proved itself must be that of
	// the client, of the issuer unless that is empty. Without Client it may be anybody's.
	Client, Issuer string
}

// fits reports whether a certificate is the client's. What a certificate that nobody
// signed says of itself names nobody; its thumbprint does.
func (m *ClientCertificate) fits(c *policy.Certificate) bool {
	return (m.Thumbprint == c.Thumbprint || m.Thumbprint == "" && c.Trust == policy.TrustVerified) &&
		(m.Subject == "" || m.Subject == c.Subject) &&
		(m.SAN == "" || slices.Contains(c.Names, m.SAN))
}

// owns reports whether a proven identity may be that of the certificate's client.
func (m *ClientCertificate) owns(id *policy.Identity) bool {
	return m.Client == "" || m.Client == id.Client && (m.Issuer == "" || m.Issuer == id.Issuer)
}

// MTLS is the check of mtls.client.
//
// Rule: whoever connects has shown a certificate in the TLS handshake
// (client-certificate-missing). One of the authorities signed it, or a configured
// thumbprint names it (client-certificate-untrusted); it and all up to the authority are
// valid now, also when they were valid at the beginning of a long connection
// (client-certificate-expired), and are for TLS clients (client-certificate-purpose).
// Where clients are configured it is one of theirs (client-certificate-unmapped), and a
// credential that proved itself is that client's too (client-certificate-mismatch).
//
// What a gateway says in a header of its own client's certificate is not judged here,
// because nothing but a handshake proves that somebody has the key; tok.bind compares it
// with what a token is bound to.
type MTLS struct {
	clients []ClientCertificate
}

var _ policy.Check = (*MTLS)(nil)

// NewMTLS returns the check; without clients, any certificate that is trusted will do.
// The error names a client without a criterion.
func NewMTLS(clients []ClientCertificate) (*MTLS, error) {
	m := &MTLS{}
	for i, c := range clients {
		switch {
		case c.SAN == "" && c.Subject == "" && c.Thumbprint == "":
			return nil, fmt.Errorf("token: client certificate %d has no criterion: it would be everybody's", i)
		case c.SAN != "" && !strings.Contains(c.SAN, ":"):
			return nil, fmt.Errorf("token: client certificate %d has a name without its kind", i)
		case c.Issuer != "" && c.Client == "":
			return nil, errors.New("token: a client certificate has an issuer and no client")
		}
		m.clients = append(m.clients, c)
	}
	return m, nil
}

// Check judges mtls.client.
func (m *MTLS) Check(_ context.Context, r *policy.Request) policy.Verdict {
	if r.Peer.TLS == nil || r.Peer.TLS.Certificate == nil {
		return policy.Denied(policy.ClientCertificateMissing, "")
	}
	c := r.Peer.TLS.Certificate
	fitting := m.fitting(c)
	switch {
	case c.Trust != policy.TrustVerified && len(fitting) == 0:
		return policy.Denied(policy.ClientCertificateUntrusted, "")
	case r.Time.Before(c.From):
		return policy.Denied(policy.ClientCertificateExpired, "not yet valid")
	case r.Time.After(c.Until):
		return policy.Denied(policy.ClientCertificateExpired, "")
	case !c.ForClients:
		return policy.Denied(policy.ClientCertificatePurpose, "")
	case len(m.clients) == 0:
		return policy.Permitted()
	case len(fitting) == 0:
		return policy.Denied(policy.ClientCertificateUnmapped, "")
	}
	id := r.Auth.Identity
	if id == nil {
		return policy.Permitted() // tok.* says whether there has to be one
	}
	if !slices.ContainsFunc(fitting, func(client *ClientCertificate) bool { return client.owns(id) }) {
		return policy.Denied(policy.ClientCertificateMismatch, "")
	}
	return policy.Permitted()
}

// fitting returns the configured clients that a certificate may be of.
func (m *MTLS) fitting(c *policy.Certificate) []*ClientCertificate {
	var all []*ClientCertificate
	for i := range m.clients {
		if m.clients[i].fits(c) {
			all = append(all, &m.clients[i])
		}
	}
	return all
}
