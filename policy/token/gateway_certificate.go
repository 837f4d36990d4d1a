package token

import (
	"fmt"
	"slices"

	"github.com/sidewarden/sidewarden/policy"
)

// gatewayCertificates knows the certificates of the gateway.
//
// Rule: the peer has a certificate that is one of the gateway's by name, a configured
// authority signed it or a thumbprint names it, it and all up to the authority are valid
// now, and are for TLS clients. The handshake has proved that the peer has its key.
type gatewayCertificates struct{ known []CertificateName }

func newGatewayCertificates(all []CertificateName) (*gatewayCertificates, error) {
	g := &gatewayCertificates{}
	for _, name := range all {
		parsed, err := name.parse()
		if err != nil {
			return nil, fmt.Errorf("token: a certificate of the gateway: %w", err)
		}
		g.known = append(g.known, parsed)
	}
	return g, nil
}

func (g *gatewayCertificates) check(r *policy.Request) policy.Verdict {
	if r.Peer.TLS == nil || r.Peer.TLS.Certificate == nil {
		return policy.Denied(policy.GatewayCertificateMissing, "")
	}
	c := r.Peer.TLS.Certificate
	switch {
	case !slices.ContainsFunc(g.known, func(n CertificateName) bool { return n.names(c) }):
		return policy.Denied(policy.GatewayCertificateMismatch, "")
	case !slices.ContainsFunc(g.known, func(n CertificateName) bool { return n.fits(c) }):
		return policy.Denied(policy.GatewayCertificateUnverified, "")
	case !c.At(r.Time):
		// The handshake asked the same, as far as it asked; the connection may be older.
		return policy.Denied(policy.GatewayCertificateExpired, "")
	case !c.ForClients:
		return policy.Denied(policy.GatewayCertificatePurpose, "")
	}
	return policy.Permitted()
}
