package token

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sidewarden/sidewarden/policy"
)

// ClientCertificate says by which certificate a client connects.
type ClientCertificate struct {
	CertificateName

	// Client and Issuer are whose it is: a credential that proved itself must be that of
	// the client, of the issuer unless that is empty. Without Client it may be anybody's.
	Client, Issuer string
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
// The error names a client of whom no
// certificate can be told.
func NewMTLS(clients []ClientCertificate) (*MTLS, error) {
	m := &MTLS{}
	for i, c := range clients {
		var err error
		if c.CertificateName, err = c.parse(); err != nil {
			return nil, fmt.Errorf("token: client certificate %d: %w", i, err)
		}
		if c.Issuer != "" && c.Client == "" {
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
