package compile

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy/token"
)

// maxPublicKey bounds the file with a public key of the gateway, in bytes.
const maxPublicKey = 64 << 10

// gatewayProof returns the check of path.gateway; nil when nothing is configured
// that could prove the gateway.
func (c *compiler) gatewayProof() *token.Gateway {
	cfg := c.cfg.Gateway.Proof
	if !cfg.Configured() {
		return nil
	}
	before := len(c.problems)
	o := token.GatewayOptions{Header: cfg.Header, Secrets: revealed(cfg.Secrets)}
	for _, text := range cfg.Peers {
		p, err := netip.ParsePrefix(text)
		if err != nil { // config has parsed it before
			c.problem("gateway.proof.peers", "has a network that can not be read", "write for example 10.0.0.0/8")
			continue
		}
		o.Peers = append(o.Peers, p)
	}
	for _, certificate := range cfg.Certificates {
		o.Certificates = append(o.Certificates, token.CertificateName(certificate))
	}
	o.Signature = c.gatewaySignature(cfg.Signature)
	if len(c.problems) > before {
		return nil
	}
	g, err := token.NewGateway(o)
	if err != nil {
		c.problem("gateway.proof", err.Error(), "correct gateway.proof")
		return nil
	}
	return g
}

func revealed(secrets []config.Secret) []string {
	var all []string
	for _, s := range secrets {
		all = append(all, s.Reveal())
	}
	return all
}

// gatewaySignature says how the gateway signs requests; nil if it does not.
func (c *compiler) gatewaySignature(cfg *config.GatewaySignature) *token.SignatureOptions {
	if cfg == nil {
		return nil
	}
	o := &token.SignatureOptions{Label: cfg.Label, Secrets: revealed(cfg.Keys), Components: cfg.Covered(), MaxAge: cfg.MaxAge.Std()}
	c.publicKeys = nil
	for i, file := range cfg.PublicKeys {
		key, err := publicKey(file)
		if err != nil {
			c.problem(fmt.Sprintf("gateway.proof.signature.public_keys[%d]", i), err.Error(), "give a PEM file with one public key, for example of openssl pkey -pubout")
			continue
		}
		o.PublicKeys = append(o.PublicKeys, key)
		c.publicKeys = append(c.publicKeys, key)
	}
	return o
}

// publicKey reads one public key of Ed25519 (RFC 8410).
func publicKey(file string) (ed25519.PublicKey, error) {
	data, err := ReadUpTo(file, maxPublicKey)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(data)
	if block == nil || len(data) > maxPublicKey {
		return nil, errors.New("the file holds no public key")
	}
	if second, _ := pem.Decode(rest); second != nil {
		return nil, errors.New("the file holds more than one key")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the file holds no public key")
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("the key is none of Ed25519")
	}
	return key, nil
}

// proofOfGatewayID names everything that a proof of the gateway is judged by.
func (c *compiler) proofOfGatewayID() string {
	cfg := c.cfg.Gateway.Proof
	keys := ""
	if cfg.Signature != nil {
		keys = secretID(cfg.Signature.Keys...)
	}
	return stableID(cfg, secretID(cfg.Secrets...), keys, c.publicKeys)
}

// withoutKeys returns the proof of the gateway without what a rotation changes.
func withoutKeys(p config.GatewayProof) config.GatewayProof {
	p.Secrets = nil
	if p.Signature != nil {
		signature := *p.Signature
		signature.Keys, signature.PublicKeys = nil, nil
		p.Signature = &signature
	}
	return p
}
