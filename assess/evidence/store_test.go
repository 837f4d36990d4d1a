package evidence_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

func TestEveryControlOfAPlanHasACellFromTheStart(t *testing.T) {
	s := evidence.New(options())
	cells := s.Cells()
	require.Len(t, cells, 2*len(plan())+2)
	for _, c := range cells {
		assert.Equal(t, "UNOBSERVED", brief(c), "%s %s", c.Operation, c.Control)
		assert.Equal(t, "UNK 0/0/0/0", numbers(c.Gateway))
		assert.Equal(t, "UNK 0/0/0/0", numbers(c.Backend))
	}
	assert.Equal(t, policy.UnmatchedID, cells[len(cells)-1].Operation, "unmatched requests come last")
	assert.Equal(t, "createOrder", cells[0].Operation)
	assert.Equal(t, policy.TokPresent, cells[0].Control, "in order of evaluation")
}

func TestOperationsOf(t *testing.T) {
	rules := []*policy.Rule{
		{Control: policy.AzAccount, Phase: policy.HeadPhase},
		{Control: policy.AzAccount, Phase: policy.BodyPhase},
		{Control: policy.InSize, Phase: policy.BodyPhase},
	}
	p := &policy.Policy{
		Operations: []*policy.Operation{{ID: "a", Rules: rules}},
		Unmatched:  &policy.Operation{ID: policy.UnmatchedID, Rules: rules[2:]},
	}
	assert.Equal(t, []evidence.Operation{
		{ID: "a", Controls: of(policy.AzAccount, policy.InSize)},
		{ID: policy.UnmatchedID, Controls: of(policy.InSize)},
	}, evidence.OperationsOf(p))
	assert.Empty(t, evidence.OperationsOf(&policy.Policy{}))
}

func TestCellJSON(t *testing.T) {
	o := options()
	o.Operations = []evidence.Operation{{ID: "createOrder", Controls: of(policy.AzAccount)}}
	s := evidence.New(o)
	foreign := visit{denied: of(policy.AzAccount), reason: policy.AccountNotInToken, instance: "ports-2"}
	send(s, 14, foreign, "script")
	b, err := json.MarshalIndent(s.Document(), "", "  ")
	require.NoError(t, err)
	golden(t, "cell.golden.json", string(b)+"\n")
}

func TestIsolation(t *testing.T) {
	s := evidence.New(options())
	serveClean(s, visit{})
	before := s.Cells()
	for _, class := range policy.Classes() {
		v := visit{denied: of(policy.AzAccount, policy.InSchema), reason: policy.SchemaMismatch, class: class}
		send(s, 3, v, "cust-a", "cust-b")
	}
	for i, c := range s.Cells() {
		assert.Equal(t, before[i].Backend, c.Backend, "%s %s", c.Operation, c.Control)
		assert.Equal(t, before[i].Gateway, c.Gateway, "%s %s", c.Operation, c.Control)
		assert.Equal(t, before[i].Class, c.Class)
	}
	want := uint64(3 * len(policy.Classes()))
	assert.Equal(t, want, cellOf(t, s, "createOrder", policy.AzAccount).Confounded)
	assert.Equal(t, want, cellOf(t, s, "createOrder", policy.InSchema).Confounded)
	assert.Zero(t, cellOf(t, s, "createOrder", policy.AzScope).Confounded)
}

func TestWhatIsNoCleanRequest(t *testing.T) {
	for _, c := range []struct {
		rule   string
		change func(rec *audit.Record)
		clean  bool
	}{
		{"a record as it comes is clean", func(*audit.Record) {}, true},
		{"a control that has nothing to say does not matter", func(rec *audit.Record) { rec.Permits, rec.NotApplicable = nil, rec.Permits }, true},
		{"a long list of accounts was cut, which is no objection", func(rec *audit.Record) { rec.Truncated, rec.Disposition = true, "allowed" }, true},
		{"a cut record of a request that would have been blocked", func(rec *audit.Record) { rec.Truncated, rec.Disposition = true, "would-block" }, false},
		{"a record that was reduced may have, too", func(rec *audit.Record) { rec.Redaction.Errors = []string{"record"} }, false},
		{"a request that nobody judged", func(rec *audit.Record) { rec.Permits = nil }, false},
		{"a request that was not forwarded", func(rec *audit.Record) { rec.Be.Class = policy.ClassNone }, false},
		{"a request without an outcome", func(rec *audit.Record) { rec.Be.Class = "" }, false},
		{"an undecided finding", func(rec *audit.Record) {
			rec.Findings = []audit.Finding{{Control: policy.InSchema, Effect: "indeterminate"}}
		}, false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s := evidence.New(options())
			for i := range 40 {
				rec := visit{client: fmt.Sprintf("cust-%d", i%2)}.record()
				c.change(rec)
				s.Consume(rec)
			}
			send(s, 1, visit{denied: of(policy.AzAccount), reason: policy.AccountNotInToken, class: policy.Class403}, "script")
			got := cellOf(t, s, "createOrder", policy.AzAccount).Backend.State
			assert.Equal(t, c.clean, got == evidence.StateENF, "%s", got)
		})
	}
}

func TestInstancesAreBounded(t *testing.T) {
	s := evidence.New(options())
	refused := visit{denied: of(policy.AzAccount), reason: policy.AccountNotInToken, class: policy.Class403}
	for i := range 40 {
		v := refused
		v.instance = fmt.Sprintf("ports-%02d", i)
		serveClean(s, v)
		send(s, 2, v, "script")
	}
	for _, name := range []string{"other", "bad\x1b[31mname", string(make([]byte, 200))} {
		v := refused
		v.instance = name
		serveClean(s, v)
		send(s, 1, v, "script")
	}
	cell := cellOf(t, s, "createOrder", policy.AzAccount)
	require.Len(t, cell.Strata, 33)
	assert.Equal(t, "other", cell.Strata[0].Instance, "sorted by name")
	assert.Equal(t, "AMB 0/0/19/0", numbers(cell.Strata[0].Backend), "instances that share a name have no baseline")
	assert.Equal(t, "ENF 64/0/19/0", numbers(cell.Backend))
	assert.EqualValues(t, 8*26+3*25, s.Stats().InstanceOverflow)

	leak := refused
	leak.class, leak.instance = policy.ClassOK, "ports-99"
	send(s, 1, leak, "script")
	assert.Equal(t, "PART 65/1/19/0", numbers(cellOf(t, s, "createOrder", policy.AzAccount).Backend), "a leak counts everywhere")
}

func TestStrataAreBounded(t *testing.T) {
	o := options()
	o.MaxStrata = 3
	s := evidence.New(o)
	serveClean(s, visit{})
	for i := range 10 {
		v := visit{denied: of(policy.AzAccount), reason: policy.Reason(fmt.Sprintf("reason-%d", i)), class: policy.Class403}
		send(s, 1, v, "script")
		v.class = policy.ClassOK
		send(s, 1, v, "script")
	}
	cell := cellOf(t, s, "createOrder", policy.AzAccount)
	require.Len(t, cell.Strata, 3)
	assert.Equal(t, policy.Reason("other"), cell.Strata[2].Reason)
	assert.Equal(t, "NOT 8/8/8/0", numbers(cell.Strata[2].Backend), "beyond the bound leaks count and refusals do not")
	assert.Equal(t, "OPEN 0/20/0/0", numbers(cell.Gateway))
	assert.Equal(t, 3, s.Stats().Strata)
	assert.EqualValues(t, 8*2*2, s.Stats().StrataOverflow)
}

func TestPrincipalsAreBounded(t *testing.T) {
	s := evidence.New(options())
	v := visit{denied: of(policy.AzAccount), reason: policy.AccountNotInToken}
	for i := range 40 {
		send(s, 1, v, fmt.Sprintf("client-%d", i))
	}
	cell := cellOf(t, s, "createOrder", policy.AzAccount)
	assert.Equal(t, "NOT 40/40/0/0", numbers(cell.Backend))
	assert.Equal(t, 16, cell.Backend.Principals)
	assert.EqualValues(t, 2*24, s.Stats().PrincipalOverflow)
}

func TestWindowsAreBounded(t *testing.T) {
	s := evidence.New(options())
	flood := func(at time.Duration) {
		for i := range 1000 {
			s.Consume(visit{denied: of(policy.RateApp), reason: policy.RateExceeded, client: fmt.Sprintf("client-%d", i), at: at}.record())
		}
	}
	flood(0)
	assert.Equal(t, "AMB 0/0/32/0", numbers(cellOf(t, s, "createOrder", policy.RateApp).Backend), "at two positions each")
	assert.EqualValues(t, 2*(256-32)+1000-256, s.Stats().RunOverflow)
	flood(0)
	assert.Equal(t, "AMB 0/0/32/0", numbers(cellOf(t, s, "createOrder", policy.RateApp).Backend), "no window counts twice")
	flood(time.Minute)
	assert.Equal(t, "AMB 0/0/64/0", numbers(cellOf(t, s, "createOrder", policy.RateApp).Backend), "who ended makes room")
}

// A policy that differs in its modes alone goes on with the epoch.
func TestAcceptedPoliciesCountIntoTheEpoch(t *testing.T) {
	o := options()
	o.Policy = "sha256:shadow"
	s := evidence.New(o)
	s.Accept("sha256:enforce")
	rec := visit{denied: of(policy.AzAccount), reason: policy.AccountNotInToken, client: "a"}.record()
	for _, digest := range []string{"sha256:shadow", "sha256:enforce", "sha256:foreign"} {
		rec.Policy.Digest = digest
		s.Consume(rec)
	}
	assert.EqualValues(t, 1, s.Stats().Stale)
	assert.EqualValues(t, 2, cellOf(t, s, "createOrder", policy.AzAccount).Requests)
	for i := range 20 {
		s.Accept(fmt.Sprint("sha256:", i))
	}
	rec.Policy.Digest = "sha256:shadow"
	s.Consume(rec)
	assert.EqualValues(t, 2, s.Stats().Stale, "old policies are forgotten")
}

func TestRecordsOfOtherEpochsAreNotCounted(t *testing.T) {
	o := options()
	o.Policy = "sha256:new"
	s := evidence.New(o)
	leak := visit{denied: of(policy.AzAccount), reason: policy.AccountNotInToken, client: "a"}
	rec := leak.record()
	rec.Policy.Digest = "sha256:old"
	s.Consume(rec)
	assert.Equal(t, evidence.ClassUnobserved, cellOf(t, s, "createOrder", policy.AzAccount).Class)
	assert.EqualValues(t, 1, s.Stats().Stale)
	rec.Policy.Digest = "sha256:new"
	s.Consume(rec)
	assert.Equal(t, evidence.ClassNone, cellOf(t, s, "createOrder", policy.AzAccount).Class)

	o.Since = t0.Add(time.Hour)
	s.Restart(o)
	assert.Equal(t, evidence.ClassUnobserved, cellOf(t, s, "createOrder", policy.AzAccount).Class)
	assert.Equal(t, o.Since, s.Document().Since)
	assert.Zero(t, s.Stats().Strata)
	assert.EqualValues(t, 1, s.Stats().Stale, "stats go on")
}

func TestRecordsOfUnknownOperationsAndControls(t *testing.T) {
	s := evidence.New(options())
	before := s.Cells()
	send(s, 3, visit{op: "health"}, "a")
	rec := visit{client: "a"}.record()
	rec.Findings = []audit.Finding{{Control: "az.unheard", Effect: "deny"}}
	rec.Permits = nil
	rec.Observations = []audit.Observation{{Control: "az.unheard", Position: policy.AtGateway, Signal: policy.Leaked, Isolated: true}}
	s.Consume(rec)
	assert.Equal(t, before, s.Cells())
	assert.EqualValues(t, 4, s.Stats().Unknown)
}

func TestHealthChecksAreInNoCell(t *testing.T) {
	s := evidence.New(options())
	before := s.Cells()
	send(s, 3, visit{op: policy.HealthID}, "a")
	assert.Equal(t, before, s.Cells())
	assert.Zero(t, s.Stats().Unknown, "they are known, and nobody judged them")
}

func TestResponseViolationsNeedNoArrival(t *testing.T) {
	o := options()
	o.Operations = []evidence.Operation{{ID: "createOrder", Controls: of("out.schema")}}
	s := evidence.New(o)
	rec := visit{client: "a"}.record()
	rec.Observations = []audit.Observation{{Control: "out.schema", Position: policy.AtBackend, Signal: policy.Leaked, Isolated: true}}
	rec.Findings = []audit.Finding{{Control: "out.schema", Effect: "deny"}}
	s.Consume(rec)
	cell := cellOf(t, s, "createOrder", "out.schema")
	assert.Equal(t, "BACKEND_OPEN LOW_N", brief(cell))
	assert.Nil(t, cell.Strata[0].Gateway)
}

// What is wrong with an answer says nothing of the request that it answers: that is
// as clean as before, and backs the refusals of others.
func TestAnswersDoNotMakeRequestsUnclean(t *testing.T) {
	o := options()
	o.Operations[0].Controls = append(o.Operations[0].Controls, "out.schema")
	s := evidence.New(o)
	for i := range 20 {
		rec := visit{client: []string{"a", "b"}[i%2]}.record()
		rec.Findings = []audit.Finding{{Control: "out.schema", Effect: "deny", Reason: policy.SchemaMismatch}}
		rec.Observations = []audit.Observation{{Control: "out.schema", Position: policy.AtBackend, Signal: policy.Leaked, Reason: policy.SchemaMismatch, Isolated: true}}
		s.Consume(rec)
	}
	s.Consume(visit{client: "c", denied: of(policy.AzAccount), reason: policy.AccountNotInToken, class: policy.Class403}.record())
	assert.Equal(t, "ENF 1/0/0/0", numbers(cellOf(t, s, "createOrder", policy.AzAccount).Backend))
	assert.Equal(t, "NOT 20/20/0/0", numbers(cellOf(t, s, "createOrder", "out.schema").Backend))
}

func TestConcurrentUse(t *testing.T) {
	s := evidence.New(options())
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			client := fmt.Sprintf("client-%d", g%3)
			instance := fmt.Sprintf("ports-%d", g%2)
			for i := range 200 {
				at := time.Duration(i) * time.Second
				s.Consume(visit{client: client, instance: instance, at: at}.record())
				s.Consume(visit{client: client, instance: instance, at: at, denied: of(policy.AzAccount), reason: policy.AccountNotInToken}.record())
				if i%50 == 0 {
					_, _ = s.Document(), s.Stats()
				}
			}
		})
	}
	all.Wait()
	cell := cellOf(t, s, "createOrder", policy.AzAccount)
	assert.Equal(t, "NOT 1600/1600/0/0", numbers(cell.Backend))
	assert.EqualValues(t, 3200, cell.Requests)
	assert.Equal(t, 3, cell.Backend.Principals)
}

func TestACleanRequestCostsNoAllocation(t *testing.T) {
	s := evidence.New(options())
	rec := visit{client: "cust-a", path: "/accounts/a1/ports/p1", requested: []string{"a1"}, carrier: "path.accountId"}.record()
	s.Consume(rec)
	assert.Zero(t, testing.AllocsPerRun(100, func() { s.Consume(rec) }))
}

func BenchmarkConsumeClean(b *testing.B) {
	s := evidence.New(options())
	rec := visit{client: "cust-a", path: "/v1/accounts/p1_abcdefghijklmnopqrstuvwxyz/ports/p1_abcdefghijklmnopqrstuvwxyz"}.record()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s.Consume(rec)
		}
	})
}

func BenchmarkConsumeViolation(b *testing.B) {
	s := evidence.New(options())
	serveClean(s, visit{})
	rec := visit{client: "script", denied: of(policy.AzAccount), reason: policy.AccountNotInToken, class: policy.Class403}.record()
	b.ReportAllocs()
	for b.Loop() {
		s.Consume(rec)
	}
}
