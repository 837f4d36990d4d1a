package proxy

import (
	"crypto/rsa"
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

// Bounds of what is taken and kept of a chain that a client sends: strangers make theirs
// themselves, and each stays as long as its connection.
const (
	// maxChainBytes and maxChainLength bound a chain, in bytes of DER and in certificates.
	// With more a handshake ends, in every mode. The ways up a chain multiply with its
	// length, and each is tried.
	maxChainBytes  = 32 << 10
	maxChainLength = 5
	// maxModulusBits and maxExponent bound the RSA keys of a chain that is verified: the
	// time of a signature grows with both, and the keys are made by who sends them.
	maxModulusBits = 4096
	maxExponent    = 1<<16 + 1
	// maxNames and maxNameBytes bound the names of a leaf together. Of more none is known:
	// which ones would be is the choice of who made the certificate.
	maxNames     = 256
	maxNameBytes = 8 << 10
	// maxSubjectBytes bounds the DER form of a subject. A longer one is not known: the time
	// to print it grows with its square.
	maxSubjectBytes = 4 << 10
	// chainTime is how long the facts of a chain are kept, so that an authority whose time
	// begins counts soon.
	chainTime = time.Minute
)

var errChainTooLarge = errors.New("proxy: the certificates of the client are too large or too many")

// boundChain is the VerifyPeerCertificate of a [tls.Config]: crypto/tls takes 256 KiB of
// certificates. It is called before the client proves that it has the key, so that one
// that waits with that has its chain dropped, too. A session that is resumed has a chain
// that went through it.
func boundChain(raw [][]byte, _ [][]*x509.Certificate) error {
	size := 0
	for _, der := range raw {
		size += len(der)
	}
	if size > maxChainBytes || len(raw) > maxChainLength {
		return errChainTooLarge
	}
	return nil
}

// shown is what was found of the chain that the client of one connection has shown. It
// lasts as long as the connection, which may have thousands of requests. It is safe for
// concurrent use.
type shown struct {
	mu          sync.Mutex
	facts       *policy.Certificate // nil until the first request
	authorities *x509.CertPool      // by which they were found
	at          time.Time
}

// of returns what is known of the connection's chain, leaf first, at a time.
func (s *shown) of(chain []*x509.Certificate, authorities *x509.CertPool, at time.Time) *policy.Certificate {
	s.mu.Lock() // also while they are found: streams of one connection wait for each other
	defer s.mu.Unlock()
	if age := at.Sub(s.at); s.facts == nil || s.authorities != authorities || age < 0 || age >= chainTime {
		s.facts, s.authorities, s.at = factsOf(chain, authorities, at), authorities, at
	}
	return s.facts
}

// bounded returns the names of a leaf; nil if they are too many or too long.
func bounded(names []string) []string {
	size := 0
	for _, name := range names {
		size += len(name)
	}
	if len(names) > maxNames || size > maxNameBytes {
		return nil
	}
	return names
}

func factsOf(chain []*x509.Certificate, authorities *x509.CertPool, at time.Time) *policy.Certificate {
	leaf := chain[0]
	sum := sha256.Sum256(leaf.Raw)
	facts := &policy.Certificate{
		Thumbprint: hex.EncodeToString(sum[:]), Subject: subjectOf(leaf), Names: bounded(namesOf(leaf.Extensions)),
		ForClients: forClients(leaf), From: leaf.NotBefore, Until: leaf.NotAfter,
	}
	if authorities == nil {
		return facts
	}
	facts.Trust = policy.TrustNone
	if slices.ContainsFunc(chain, costly) {
		return facts
	}
	options := x509.VerifyOptions{Roots: authorities, Intermediates: x509.NewCertPool(), CurrentTime: at}
	for _, cert := range chain[1:] {
		options.Intermediates.AddCert(cert)
	}
	// The wider question first: a stranger costs one.
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageAny, x509.ExtKeyUsageClientAuth} {
		options.KeyUsages = []x509.ExtKeyUsage{usage}
		chains := verified(leaf, options)
		if len(chains) == 0 {
			break
		}
		facts.Trust, facts.ForClients = policy.TrustVerified, usage == x509.ExtKeyUsageClientAuth
		facts.From, facts.Until = window(chains)
	}
	return facts
}

// costly reports whether a signature by the key of a certificate takes long to verify.
func costly(c *x509.Certificate) bool {
	key, is := c.PublicKey.(*rsa.PublicKey)
	return is && (key.N.BitLen() > maxModulusBits || key.E > maxExponent)
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

// subjectOf returns the whole distinguished name; empty if it can not be read or is too
// long. The name that x509 has parsed keeps only the last of several common names.
func subjectOf(c *x509.Certificate) string {
	if len(c.RawSubject) > maxSubjectBytes {
		return ""
	}
	var name pkix.RDNSequence
	if rest, err := asn1.Unmarshal(c.RawSubject, &name); err != nil || len(rest) > 0 {
		return ""
	}
	return name.String()
}
