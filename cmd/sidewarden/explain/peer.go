package explain

import (
	"fmt"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
)

// source tells the address of the client, and whose word that is. An address that is
// told by a peer is the request's; that of the peer is the operator's.
func (v *view) source() string {
	if peer := v.r.Peer.Addr; v.r.Source != peer {
		return fmt.Sprintf("%s, told by peer %s (%s)", v.value(v.r.Source.String()), peer, v.set("gateway.forwarded"))
	}
	said := "nobody else's word counts, by " + v.set("gateway.forwarded")
	if v.cfg.Gateway.Forwarded != nil {
		said = "it told none, or its word does not count: " + v.set("gateway.forwarded")
	}
	return fmt.Sprintf("%s, the peer itself (%s)", v.r.Peer.Addr, said)
}

// connection tells how the request came.
func (v *view) connection() string {
	t := v.r.Peer.TLS
	if t == nil || t.Certificate == nil {
		return "no client certificate: a file has none, and --certificate gives one"
	}
	return "a client certificate: " + t.Certificate.State(v.r.Time)
}

// certificateOfNobody reports that the token is bound to a certificate that only a
// connection could show.
func (v *view) certificateOfNobody() bool {
	t := v.r.Auth.Token
	return t != nil && t.Confirmation.Certificate != "" && v.r.Auth.Sender().Certificate == "" && v.asksForCertificates()
}

// stopsAtHandshake reports that a client with the certificate would have no connection
// to send the request by.
func (v *view) stopsAtHandshake() bool {
	asked, t := v.cfg.Listen.TLS, v.r.Peer.TLS
	if asked == nil || asked.ClientAuth != config.ClientAuthRequire || asked.ClientCAFile == "" || t == nil || t.Certificate == nil {
		return false
	}
	return t.Certificate.State(v.r.Time) != policy.StateVerified
}
