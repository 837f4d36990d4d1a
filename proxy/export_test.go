package proxy

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// The bounds of certificates for tests.
const (
	MaxChainBytes   = maxChainBytes
	MaxChainLength  = maxChainLength
	MaxNames        = maxNames
	MaxNameBytes    = maxNameBytes
	MaxSubjectBytes = maxSubjectBytes
)

// Shown is shown for tests.
type Shown struct{ shown shown }

// Of is of for tests.
func (s *Shown) Of(chain []*x509.Certificate, pool *x509.CertPool, at time.Time) *policy.Certificate {
	return s.shown.of(chain, pool, at)
}

// NamesOf is namesOf for tests.
func NamesOf(extensions []pkix.Extension) []string { return namesOf(extensions) }
