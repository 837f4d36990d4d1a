package proxy

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// MaxChains is maxChains for tests.
const MaxChains = maxChains

// ClientTrust is clientTrust for tests.
type ClientTrust struct{ trust *clientTrust }

// NewClientTrust is newClientTrust for tests.
func NewClientTrust(pool *x509.CertPool) ClientTrust { return ClientTrust{newClientTrust(pool)} }

// Facts is facts for tests.
func (c ClientTrust) Facts(chain []*x509.Certificate, at time.Time) *policy.Certificate {
	return c.trust.facts(chain, at)
}

// Known returns how many chains are remembered.
func (c ClientTrust) Known() int { return len(c.trust.known) }

// NamesOf is namesOf for tests.
func NamesOf(extensions []pkix.Extension) []string { return namesOf(extensions) }
