package bypass_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/assess/bypass"
	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

func newContext(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithCancel(t.Context())
}

var t0 = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// proven is the record of a request with the proof of the gateway.
func proven(op string) *audit.Record {
	return &audit.Record{Time: t0, Op: audit.Op{ID: op}, Client: audit.Client{IP: "10.1.2.0"}, Permits: []policy.Control{policy.PathGateway}, Disposition: "allowed"}
}

// unproven is that of one without, a while later.
func unproven(op, network string, reason policy.Reason, after time.Duration) *audit.Record {
	return &audit.Record{
		Time: t0.Add(after), Op: audit.Op{ID: op}, Client: audit.Client{IP: network}, Disposition: "would-block",
		Findings: []audit.Finding{
			{Control: policy.TokPresent, Effect: "deny", Reason: policy.CredentialMissing},
			{Control: policy.PathGateway, Effect: "deny", Reason: reason},
		},
	}
}

func arrivalsOf(a *bypass.Arrivals) bypass.ArrivalsDocument {
	return bypass.Compose(t0, a, (&machine{}).audit("127.0.0.1")).Arrivals
}

func behindGateway() *bypass.Arrivals {
	return bypass.NewArrivals(bypass.Front{Gateway: true, Proof: true})
}

func TestThreatArrivalsAroundTheGateway(t *testing.T) {
	t.Parallel()
	a := behindGateway()
	a.Consume(proven("getOrder"))
	clean := arrivalsOf(a)
	assert.Equal(t, bypass.Finding{Test: bypass.BY1, State: bypass.NoneFound}, clean.Finding)
	assert.Equal(t, uint64(1), clean.Judged)

	a.Consume(unproven("getOrder", "203.0.113.0", policy.GatewayProofMissing, time.Second))
	a.Consume(unproven("getOrder", "203.0.113.0", policy.GatewaySignatureMismatch, 2*time.Second))
	blocked := unproven("unmatched", "2001:db8::", policy.GatewayProofMissing, 3*time.Second)
	blocked.Disposition = "blocked"
	a.Consume(blocked)
	assert.Equal(t, bypass.ArrivalsDocument{
		Finding: bypass.Finding{Test: bypass.BY1, State: bypass.Found, Count: 3, FirstSeen: t0.Add(time.Second), LastSeen: t0.Add(3 * time.Second)},
		Judged:  4, Forwarded: 2,
		Operations: []bypass.Count{
			{Name: "getOrder", Count: 2, FirstSeen: t0.Add(time.Second), LastSeen: t0.Add(2 * time.Second)},
			{Name: "unmatched", Count: 1, FirstSeen: t0.Add(3 * time.Second), LastSeen: t0.Add(3 * time.Second)},
		},
		Sources: []bypass.Count{
			{Name: "2001:db8::", Count: 1, FirstSeen: t0.Add(3 * time.Second), LastSeen: t0.Add(3 * time.Second)},
			{Name: "203.0.113.0", Count: 2, FirstSeen: t0.Add(time.Second), LastSeen: t0.Add(2 * time.Second)},
		},
		Reasons: []bypass.Count{
			{Name: "gateway-proof-missing", Count: 2, FirstSeen: t0.Add(time.Second), LastSeen: t0.Add(3 * time.Second)},
			{Name: "gateway-signature-mismatch", Count: 1, FirstSeen: t0.Add(2 * time.Second), LastSeen: t0.Add(2 * time.Second)},
		},
	}, arrivalsOf(a))
	assert.Equal(t, bypass.Stats{Detected: 3, Tested: true}, a.Stats())
	assert.Contains(t, bypass.Compose(t0, a, (&machine{}).audit("127.0.0.1")).Claim, "a bypass was found by BY1 since 2026-11-22T12:00:00Z; BY2 unknown")
}

func TestArrivalsThatNobodyJudgedSayNothing(t *testing.T) {
	t.Parallel()
	a := behindGateway()
	for _, rec := range []*audit.Record{
		{Op: audit.Op{ID: policy.HealthID}, Disposition: "allowed"},
		{Disposition: "failed"},
		{Op: audit.Op{ID: "getOrder"}, Findings: []audit.Finding{{Control: policy.PathGateway, Effect: "indeterminate", Reason: policy.InternalError}}},
		{Op: audit.Op{ID: "getOrder"}, Findings: []audit.Finding{{Control: policy.TokPresent, Effect: "deny", Reason: policy.CredentialMissing}}},
	} {
		a.Consume(rec)
	}
	assert.Equal(t, bypass.Finding{Test: bypass.BY1, State: bypass.Unknown, Why: bypass.NoRequest}, arrivalsOf(a).Finding)
	assert.Equal(t, bypass.Stats{}, a.Stats())
}

// What was counted outlives the policy that found it.
func TestArrivalsGoOnOverAReload(t *testing.T) {
	t.Parallel()
	a := bypass.NewArrivals(bypass.Front{})
	assert.Equal(t, bypass.Finding{Test: bypass.BY1, State: bypass.NotApplicable, Why: bypass.NoGateway}, arrivalsOf(a).Finding)
	a.Use(bypass.Front{Gateway: true})
	assert.Equal(t, bypass.Finding{Test: bypass.BY1, State: bypass.Unknown, Why: bypass.NoProof}, arrivalsOf(a).Finding)
	a.Use(bypass.Front{Gateway: true, Proof: true})
	a.Consume(unproven("getOrder", "203.0.113.0", policy.GatewayPeer, 0))
	a.Use(bypass.Front{})
	assert.Equal(t, bypass.Found, arrivalsOf(a).State)
	assert.Equal(t, uint64(1), arrivalsOf(a).Count)
}

func TestArrivalsAreBounded(t *testing.T) {
	t.Parallel()
	a := behindGateway()
	for i := range 3000 {
		a.Consume(unproven(fmt.Sprintf("operation-%d", i), fmt.Sprintf("10.%d.%d.0", i/256, i%256), policy.GatewayPeer, time.Duration(i)*time.Second))
	}
	a.Consume(unproven("getOrder", "", policy.GatewayPeer, 0))
	d := arrivalsOf(a)
	assert.Len(t, d.Sources, bypass.MaxSources+1)
	assert.Len(t, d.Operations, bypass.MaxOperations+1)
	assert.Len(t, d.Reasons, 1)
	for _, list := range [][]bypass.Count{d.Sources, d.Operations, d.Reasons} {
		var sum, rest uint64
		for _, c := range list {
			sum += c.Count
			if c.Name == "other" {
				rest = c.Count
			}
		}
		assert.Equal(t, uint64(3001), sum, "nothing is lost")
		assert.True(t, len(list) == 1 || rest == 3001-uint64(len(list)-1))
	}
}
