package compile

import "github.com/sidewarden/sidewarden/policy/token"

// certificates returns what reads the certificates that the gateway passes on, and an
// id of everything that it is made from, secrets included; nil and "" where none
// does. A secret that is rotated makes another one, and another authenticator.
func (c *compiler) certificates() (*token.Certificates, string) {
	cfg := c.cfg.Gateway
	if cfg.ClientCertHeader == "" {
		return nil, ""
	}
	certificates, err := token.NewCertificates(token.CertificateOptions{Gateway: c.gateway, Header: cfg.ClientCertHeader})
	if err != nil {
		c.problem("gateway.client_cert_header", err.Error(), "correct gateway.client_cert_header and gateway.proof")
		return nil, ""
	}
	return certificates, stableID(cfg.ClientCertHeader, c.proofOfGatewayID())
}
