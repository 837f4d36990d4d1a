package token

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"github.com/sidewarden/sidewarden/policy"
)

// GatewayOptions say how a request shows that it came through the gateway. Header
// with Secrets, Peers, Certificates, Signature, or several are given; all that are must
// hold.
type GatewayOptions struct {
	// Header is the request header that carries the shared secret.
	Header string
	// Secrets are the accepted values of Header: several while they are rotated.
	Secrets []string
	// Peers are the networks that the gateway connects from.
	Peers []netip.Prefix
	// Certificates are those that the gateway connects with; one of them is enough.
	Certificates []CertificateName
	// Signature says how the gateway signs requests; nil if it does not.
	Signature *SignatureOptions
}

// Gateway is the check of path.gateway.
//
// Rule: the connected peer is in one of the gateway's networks, where any are
// given; its client certificate is one of the gateway's, where any are; the header with
// the shared secret occurs once and is one of the secrets, compared in constant time,
// where there is one; and the request has the gateway's signature, where it signs. The
// first of these that does not hold gives the reason.
type Gateway struct {
	header       string
	secrets      [][sha256.Size]byte // digests, so that nothing can print a secret
	peers        []netip.Prefix
	certificates *gatewayCertificates // nil where none are given
	signature    *gatewaySignature    // nil where there is none
}

var _ policy.Check = (*Gateway)(nil)

// NewGateway returns the check. The error names what is missing and no secret.
func NewGateway(o GatewayOptions) (*Gateway, error) {
	switch {
	case o.Header == "" && len(o.Secrets) == 0 && len(o.Peers) == 0 && len(o.Certificates) == 0 && o.Signature == nil:
		return nil, errors.New("token: nothing proves the gateway: give a header with secrets, peers, certificates or a signature")
	case (o.Header == "") != (len(o.Secrets) == 0):
		return nil, errors.New("token: the proof of the gateway has a header or secrets and not both: give both or none")
	case slices.Contains(o.Secrets, ""):
		return nil, errors.New("token: a secret of the gateway is empty, and an empty header would prove it: give each a value")
	}
	g := &Gateway{peers: slices.Clone(o.Peers)}
	for _, p := range g.peers {
		if !p.IsValid() || p.Addr().Is4In6() {
			return nil, fmt.Errorf("token: %s is not a network of the gateway: give it as 10.0.0.0/8 or fd00::/8", p)
		}
	}
	if o.Header != "" {
		g.header = http.CanonicalHeaderKey(o.Header)
	}
	for _, s := range o.Secrets {
		g.secrets = append(g.secrets, sha256.Sum256([]byte(s)))
	}
	var err error
	if len(o.Certificates) > 0 {
		if g.certificates, err = newGatewayCertificates(o.Certificates); err != nil {
			return nil, err
		}
	}
	if o.Signature != nil {
		if g.signature, err = newGatewaySignature(*o.Signature); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// Check judges path.gateway.
func (g *Gateway) Check(_ context.Context, r *policy.Request) policy.Verdict {
	peer := r.Peer.Addr.Unmap().WithZone("")
	if len(g.peers) > 0 && !slices.ContainsFunc(g.peers, func(p netip.Prefix) bool { return p.Contains(peer) }) {
		return policy.Denied(policy.GatewayPeer, "")
	}
	for _, judge := range []func(*policy.Request) policy.Verdict{g.certified, g.knowsSecret, g.signed} {
		if v := judge(r); v.Effect != policy.Permit {
			return v
		}
	}
	return policy.Permitted()
}

func (g *Gateway) certified(r *policy.Request) policy.Verdict {
	if g.certificates == nil {
		return policy.Permitted()
	}
	return g.certificates.check(r)
}

func (g *Gateway) signed(r *policy.Request) policy.Verdict {
	if g.signature == nil {
		return policy.Permitted()
	}
	return g.signature.check(r)
}

func (g *Gateway) knowsSecret(r *policy.Request) policy.Verdict {
	if g.header == "" {
		return policy.Permitted()
	}
	values := r.Header[g.header]
	switch len(values) {
	case 0:
		return policy.Denied(policy.GatewayProofMissing, "")
	case 1:
	default:
		// The gateway sets one; the other is somebody's who hopes to be read first.
		return policy.Denied(policy.GatewayProofDuplicate, "")
	}
	if !g.accepts(values[0]) {
		return policy.Denied(policy.GatewayProofMismatch, "")
	}
	return policy.Permitted()
}

// accepts compares digests, which have one length, and all of them: the time tells
// neither how much of a guess was right nor which secret it was.
func (g *Gateway) accepts(value string) bool {
	sum := sha256.Sum256([]byte(value))
	found := 0
	for i := range g.secrets {
		found |= subtle.ConstantTimeCompare(sum[:], g.secrets[i][:])
	}
	return found == 1
}
