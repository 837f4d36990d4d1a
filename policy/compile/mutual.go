package compile

import (
	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/token"
)

// mutual reports whether client certificates are asked for, and anything says which of
// them are good. Without the latter they prove who has a key, for tokens that are bound
// to one, and no more.
func (c *compiler) mutual() bool {
	t := c.cfg.Listen.TLS
	return t != nil && t.ClientAuth != config.ClientAuthNone && (t.ClientCAFile != "" || len(t.Clients) > 0)
}

// mtls returns the check of mtls.client; nil where nothing could be judged.
func (c *compiler) mtls() policy.Check {
	if !c.mutual() {
		return nil
	}
	clients := make([]token.ClientCertificate, 0, len(c.cfg.Listen.TLS.Clients))
	for _, client := range c.cfg.Listen.TLS.Clients {
		clients = append(clients, token.ClientCertificate{
			CertificateName: token.CertificateName(client.Certificate), Client: client.Client, Issuer: client.Issuer,
		})
	}
	check, err := token.NewMTLS(clients)
	if err != nil { // config has looked at them before
		c.problem("listen.tls.clients", err.Error(), "correct listen.tls.clients")
		return nil
	}
	return check
}
