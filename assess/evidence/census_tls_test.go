package evidence_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

// hopped is a record of a request that was served, with both hops.
func hopped(at time.Duration, listen, backend *audit.TLS) *audit.Record {
	return sent{at: at, change: func(rec *audit.Record) {
		rec.HTTP.Version, rec.Be.Status = "HTTP/1.1", 200
		rec.Client.TLS, rec.Be.TLS = listen, backend
	}}.record()
}

func TestCensusOfBothHops(t *testing.T) {
	t.Parallel()
	c := evidence.NewCensus(censusOptions())
	first, later := t0.Add(time.Hour), t0.Add(2*time.Hour)
	client := func(name, state string, until time.Time) *audit.TLS {
		return &audit.TLS{Version: "TLS 1.3", Cipher: "TLS_AES_128_GCM_SHA256", Certificate: name, State: state, Expires: until}
	}
	backend := func(state string, until time.Time) *audit.TLS {
		return &audit.TLS{Version: "TLS 1.2", Cipher: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", State: state, Expires: until}
	}
	for _, rec := range []*audit.Record{
		hopped(0, nil, nil),
		hopped(time.Second, &audit.TLS{Version: "TLS 1.2", Cipher: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}, backend("verified", first)),
		hopped(2*time.Second, client("p1_b", "verified", later), backend("verified", later)),
		hopped(3*time.Second, client("p1_a", "verified", first), backend("verified", later)),
		hopped(4*time.Second, client("p1_a", "expired", first), &audit.TLS{State: "untrusted"}),
		hopped(5*time.Second, client("p1_stranger", "untrusted", later), nil),
		hopped(6*time.Second, client("p1_pinned", "unverified", later), nil),
	} {
		if rec.Be.TLS != nil && rec.Be.TLS.Version == "" {
			rec.Be.Status = 0
		}
		c.Consume(rec)
	}
	refused := hopped(7*time.Second, nil, nil) // before a request was read
	refused.HTTP.Version, refused.Be.Status = "", 0
	c.Consume(refused)
	c.Consume(&audit.Record{Op: audit.Op{ID: policy.HealthID}, HTTP: audit.HTTP{Version: "HTTP/1.1"}})

	at := func(s int) time.Time { return t0.Add(time.Duration(s) * time.Second) }
	assert.Equal(t, evidence.CensusTLS{
		Listen: evidence.CensusHop{
			Requests: 7, Plain: 1,
			Versions: map[string]uint64{"TLS 1.2": 1, "TLS 1.3": 5},
			Ciphers:  map[string]uint64{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": 1, "TLS_AES_128_GCM_SHA256": 5},
			States:   map[string]uint64{"absent": 1, "verified": 2, "expired": 1, "untrusted": 1, "unverified": 1},
			Certificates: []evidence.CensusCertificate{
				{Certificate: "p1_a", Expires: first, State: "expired", FirstSeen: at(3), LastSeen: at(4), Requests: 2},
				{Certificate: "p1_b", Expires: later, State: "verified", FirstSeen: at(2), LastSeen: at(2), Requests: 1},
			},
		},
		Backend: evidence.CensusHop{
			Requests: 7, Plain: 3,
			Versions: map[string]uint64{"TLS 1.2": 3},
			Ciphers:  map[string]uint64{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": 3},
			States:   map[string]uint64{"verified": 3, "untrusted": 1},
			Certificates: []evidence.CensusCertificate{
				{Expires: first, State: "verified", FirstSeen: at(1), LastSeen: at(1), Requests: 1},
				{Expires: later, State: "verified", FirstSeen: at(2), LastSeen: at(3), Requests: 2},
			},
		},
	}, c.Document().TLS)
	assert.Zero(t, c.Stats().Certificates)
}

func TestCensusOfCertificatesIsBounded(t *testing.T) {
	c := evidence.NewCensus(censusOptions())
	for i := range 300 {
		c.Consume(hopped(0, &audit.TLS{Version: "TLS 1.3", Cipher: "x", Certificate: fmt.Sprint("p1_", i), State: "verified", Expires: t0}, nil))
	}
	doc := c.Document()
	assert.Len(t, doc.TLS.Listen.Certificates, 256)
	assert.Equal(t, uint64(44), doc.Overflow.Certificates)
	assert.Equal(t, uint64(300), doc.TLS.Listen.States["verified"], "all are counted")
	rec := hopped(0, &audit.TLS{Version: "TLS 1.3", Cipher: "x", Certificate: "p1_7", State: "verified", Expires: t0}, nil)
	assert.Zero(t, testing.AllocsPerRun(100, func() { c.Consume(rec) }), "what was seen costs nothing")
}
