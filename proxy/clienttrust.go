package proxy

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

const (
	// maxChains bounds the chains of certificates of which facts are remembered. When it
	// is reached, all are forgotten: they cost a verification each.
	maxChains = 4096
	// chainTime is how long they are, so that an authority whose time begins counts soon.
	chainTime = time.Minute
)

// clientTrust finds out what is to be said of the certificates of clients. It is safe
// for concurrent use; a nil one has no authorities and remembers nothing.
type clientTrust struct {
	authorities *x509.CertPool // nil for none

	mu    sync.Mutex
	known map[[sha256.Size]byte]remembered // by the digest of the whole chain
}

// remembered are the facts of one chain, and when they were found.
type remembered struct {
	facts *policy.Certificate
	at    time.Time
}

func newClientTrust(authorities *x509.CertPool) *clientTrust {
	return &clientTrust{authorities: authorities, known: map[[sha256.Size]byte]remembered{}}
}

// facts returns what is known of a chain, leaf first, at a time. The facts of one chain
// are shared: a connection may have thousands of requests.
func (c *clientTrust) facts(chain []*x509.Certificate, at time.Time) *policy.Certificate {
	if c == nil {
		return factsOf(chain, nil, at)
	}
	id := digestOf(chain)
	c.mu.Lock()
	r, known := c.known[id]
	c.mu.Unlock()
	if age := at.Sub(r.at); known && age >= 0 && age < chainTime {
		return r.facts
	}
	facts := factsOf(chain, c.authorities, at)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxChains {
		clear(c.known)
	}
	c.known[id] = remembered{facts, at}
	return facts
}

func digestOf(chain []*x509.Certificate) (id [sha256.Size]byte) {
	h := sha256.New()
	for _, cert := range chain { // DER says where each ends
		_, _ = h.Write(cert.Raw) // a hash takes everything
	}
	h.Sum(id[:0])
	return id
}

func factsOf(chain []*x509.Certificate, authorities *x509.CertPool, at time.Time) *policy.Certificate {
	leaf := chain[0]
	sum := sha256.Sum256(leaf.Raw)
	facts := &policy.Certificate{
		Thumbprint: hex.EncodeToString(sum[:]), Subject: subjectOf(leaf), Names: namesOf(leaf.Extensions),
		ForClients: forClients(leaf), From: leaf.NotBefore, Until: leaf.NotAfter,
	}
	if authorities == nil {
		return facts
	}
	facts.Trust = policy.TrustNone
	options := x509.VerifyOptions{Roots: authorities, Intermediates: x509.NewCertPool(), CurrentTime: at}
	for _, cert := range chain[1:] {
		options.Intermediates.AddCert(cert)
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageAny} {
		options.KeyUsages = []x509.ExtKeyUsage{usage}
		if chains := verified(leaf, options); len(chains) > 0 {
			facts.Trust, facts.ForClients = policy.TrustVerified, usage == x509.ExtKeyUsageClientAuth
			facts.From, facts.Until = window(chains)
			return facts
		}
	}
	return facts
}

// verified returns the chains up to an authority: those that are valid now, else those
// that were or will be at the time of the certificate whose time is not now. The window
// tells the two apart.
func verified(leaf *x509.Certificate, o x509.VerifyOptions) [][]*x509.Certificate {
	now := o.CurrentTime
	chains, err := leaf.Verify(o)
	for range 3 { // the leaf, and one or two above it
		invalid, is := errors.AsType[x509.CertificateInvalidError](err)
		if !is || invalid.Reason != x509.Expired || invalid.Cert == nil {
			break
		}
		if o.CurrentTime = invalid.Cert.NotAfter; now.Before(invalid.Cert.NotBefore) {
			o.CurrentTime = invalid.Cert.NotBefore
		}
		chains, err = leaf.Verify(o)
	}
	return chains
}

// window returns the time in which every certificate of a chain is valid: of the chain
// that is so for longest.
func window(chains [][]*x509.Certificate) (from, until time.Time) {
	for i, chain := range chains {
		begin, end := chain[0].NotBefore, chain[0].NotAfter
		for _, cert := range chain[1:] {
			if cert.NotBefore.After(begin) {
				begin = cert.NotBefore
			}
			if cert.NotAfter.Before(end) {
				end = cert.NotAfter
			}
		}
		if i == 0 || end.After(until) {
			from, until = begin, end
		}
	}
	return from, until
}

// forClients reports whether a certificate by itself may authenticate a client: it
// names no purpose, or this one.
func forClients(c *x509.Certificate) bool {
	return len(c.ExtKeyUsage) == 0 && len(c.UnknownExtKeyUsage) == 0 ||
		slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
}

// subjectOf returns the whole distinguished name; empty if it can not be read. The name
// that x509 has parsed keeps only the last of several common names.
func subjectOf(c *x509.Certificate) string {
	var name pkix.RDNSequence
	if rest, err := asn1.Unmarshal(c.RawSubject, &name); err != nil || len(rest) > 0 {
		return ""
	}
	return name.String()
}
