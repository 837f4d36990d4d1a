package evidence

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

// maxCertificates bounds the certificates of one hop that are told apart.
const maxCertificates = 256

// CensusHop is how the requests of one hop came: with which TLS, and with which
// certificate of the other side.
type CensusHop struct {
	// Requests counts those of which it is known: Plain ones, without TLS, and others.
	Requests uint64 `json:"requests"`
	Plain    uint64 `json:"plain"`
	// Versions and Ciphers count by the names of crypto/tls.
	Versions map[string]uint64 `json:"versions"`
	Ciphers  map[string]uint64 `json:"ciphers"`
	// States counts requests over TLS by what was to be said of the certificate of the
	// other side, Absent if it showed none; of the backend also why there was no connection.
	States map[string]uint64 `json:"states"`
	// Certificates are those that the authorities vouched for, sorted by the time at which
	// they are over.
	Certificates []CensusCertificate `json:"certificates"`
}

// CensusCertificate is one certificate of the other side.
type CensusCertificate struct {
	// Certificate is the pseudonym of a client's; empty of the backend.
	Certificate string `json:"certificate,omitempty"`
	// Expires is when it is over, or an authority above it.
	Expires time.Time `json:"expires"`
	// State is what was last said of it.
	State string `json:"state"`
	// FirstSeen and LastSeen are the times of the first and the last of its Requests.
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	Requests  uint64    `json:"requests"`
}

// CensusTLS is how both hops were secured.
type CensusTLS struct {
	// Listen is the hop from the peer to the sidecar, Backend that to the backend.
	Listen  CensusHop `json:"listen"`
	Backend CensusHop `json:"backend"`
}

// hops counts how requests came and went.
type hops struct{ listen, backend hop }

// hop counts one hop. Its zero value has counted nothing.
type hop struct {
	plain atomic.Uint64

	mu                        sync.Mutex // guards all below
	tls                       uint64
	versions, ciphers, states names
	certificates              map[certificateKey]*CensusCertificate
}

// certificateKey tells certificates apart: those of clients by their pseudonym, those of
// the backend by when they are over.
type certificateKey struct {
	name  string
	until time.Time
}

// count counts what a record says of both hops. Of a connection that was refused before
// a request was read nothing is known, and of a request that was not forwarded nothing of
// the backend.
func (h *hops) count(c *Census, rec *audit.Record) {
	if rec.HTTP.Version != "" {
		h.listen.count(c, rec.Client.TLS, rec.Time)
	}
	if rec.Be.TLS != nil || rec.Be.Status != 0 {
		h.backend.count(c, rec.Be.TLS, rec.Time)
	}
}

func (h *hop) count(c *Census, t *audit.TLS, at time.Time) {
	if t == nil {
		h.plain.Add(1)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tls++
	if t.Version != "" {
		c.name(&h.versions, t.Version, 0)
		c.name(&h.ciphers, t.Cipher, 0)
	}
	c.name(&h.states, orAbsent(t.State), 0)
	if !t.Expires.IsZero() {
		h.certificate(c, t, at)
	}
}

// certificate counts a request with a certificate. One gets a place when it is verified:
// anybody can make others. The caller holds h.mu.
func (h *hop) certificate(c *Census, t *audit.TLS, at time.Time) {
	k := certificateKey{name: t.Certificate}
	if k.name == "" {
		k.until = t.Expires
	}
	seen := h.certificates[k]
	switch {
	case seen != nil:
	case t.State != policy.StateVerified:
		return
	case len(h.certificates) >= maxCertificates:
		c.stats.certificates.Add(1)
		return
	default:
		if h.certificates == nil {
			h.certificates = make(map[certificateKey]*CensusCertificate)
		}
		k.name = strings.Clone(k.name)
		seen = &CensusCertificate{Certificate: k.name, FirstSeen: at, LastSeen: at}
		h.certificates[k] = seen
	}
	seen.Requests++
	seen.Expires, seen.State = t.Expires, t.State
	if at.Before(seen.FirstSeen) {
		seen.FirstSeen = at
	}
	if at.After(seen.LastSeen) {
		seen.LastSeen = at
	}
}

func (h *hops) document() CensusTLS {
	return CensusTLS{Listen: h.listen.document(), Backend: h.backend.document()}
}

func (h *hop) document() CensusHop {
	plain := h.plain.Load()
	h.mu.Lock()
	defer h.mu.Unlock()
	doc := CensusHop{
		Requests: plain + h.tls, Plain: plain, Versions: h.versions.byName(), Ciphers: h.ciphers.byName(),
		States: h.states.byName(), Certificates: []CensusCertificate{},
	}
	for seen := range maps.Values(h.certificates) {
		doc.Certificates = append(doc.Certificates, *seen)
	}
	slices.SortFunc(doc.Certificates, func(a, b CensusCertificate) int {
		return cmp.Or(a.Expires.Compare(b.Expires), cmp.Compare(a.Certificate, b.Certificate))
	})
	return doc
}

func (n names) byName() map[string]uint64 {
	all := make(map[string]uint64, len(n))
	for _, one := range n {
		all[one.name] = one.count
	}
	return all
}
