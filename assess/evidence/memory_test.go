package evidence_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

// TestMemoryIsBounded fills a store in every respect: 200 operations of all
// controls, and as many strata as fit, each with the most that one can hold. The
// fullest is that of a limit: it follows callers at both positions. Refusals
// without a clean request near them make the fullest baselines. Every cell has as
// many trials as it keeps one by one, every operation as many things and masked
// answers.
func TestMemoryIsBounded(t *testing.T) {
	const documented = 40 << 20
	var controls []policy.Control
	for _, e := range policy.Catalogue() {
		if e.Implemented {
			controls = append(controls, e.ID)
		}
	}
	require.NotEmpty(t, controls)
	o := evidence.Options{Gateway: evidence.Gateway{Present: true}}
	for i := range 200 {
		o.Operations = append(o.Operations, evidence.Operation{ID: fmt.Sprintf("operation-%03d", i), Controls: controls})
	}
	before := heap()
	s := evidence.New(o)
	for i := 0; s.Stats().StrataOverflow == 0; i++ {
		rec := visit{op: fmt.Sprintf("operation-%03d", i%200), denied: of(policy.RateApp), reason: policy.RateExceeded}.record()
		reason := policy.Reason(fmt.Sprintf("reason-%d", i/200))
		for step := range 26 {
			rec.ClientID = fmt.Sprintf("client-%d", step)
			rec.Be.Class = policy.Classes()[1+step%25]
			rec.Time = t0.Add(time.Duration(step) * 50 * time.Second)
			for _, signal := range []policy.Signal{policy.Enforced, policy.Leaked, policy.Ambiguous} {
				rec.Observations = []audit.Observation{
					{Control: policy.RateApp, Position: policy.AtGateway, Signal: policy.Leaked, Reason: reason, Isolated: true},
					{Control: policy.RateApp, Position: policy.AtBackend, Signal: signal, Reason: reason, Isolated: true},
				}
				s.Consume(rec)
				rec.Time = rec.Time.Add(time.Minute)
			}
		}
	}
	strata := s.Stats().Strata
	for _, op := range o.Operations {
		rec := visit{op: op.ID, client: "cust-a"}.record()
		for i := range 600 {
			rec.Time, rec.HTTP.Path = t0.Add(time.Minute), fmt.Sprintf("/accounts/%d", i)
			s.Consume(rec)
		}
		rec = stranger(2 * time.Minute).record()
		rec.Op.ID = op.ID
		for i := range 600 {
			rec.HTTP.Path = fmt.Sprintf("/accounts/%d", i)
			s.Consume(rec)
		}
		for _, control := range controls {
			rec := visit{op: op.ID, denied: of(policy.AzAccount), reason: policy.RateExceeded}.record()
			rec.Observations[1].Control = control
			rec.Observations = rec.Observations[1:]
			for i := range 300 {
				rec.Time = rec.Time.Add(time.Duration(i%2) * time.Minute)
				s.Consume(rec)
			}
		}
	}
	require.Equal(t, strata, s.Stats().Strata)
	used := heap() - before
	t.Logf("%d strata take %.1f MiB", s.Stats().Strata, float64(used)/(1<<20))
	assert.Equal(t, evidence.DefaultMaxStrata, s.Stats().Strata)
	assert.Less(t, used, int64(documented))
	runtime.KeepAlive(s)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
