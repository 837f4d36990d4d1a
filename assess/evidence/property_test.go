package evidence_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

func drawVisit(t *rapid.T) visit {
	return visit{
		op:       rapid.SampledFrom([]string{"createOrder", "getOrder"}).Draw(t, "operation"),
		client:   rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "client"),
		denied:   rapid.SliceOfN(rapid.SampledFrom(plan()), 0, 2).Draw(t, "denied"),
		vague:    rapid.SliceOfN(rapid.SampledFrom(plan()), 0, 1).Draw(t, "undecided"),
		reason:   rapid.SampledFrom([]policy.Reason{policy.AccountNotInToken, policy.TokenExpired}).Draw(t, "reason"),
		class:    rapid.SampledFrom(policy.Classes()).Draw(t, "class"),
		soft:     rapid.SampledFrom([]policy.Family{"", policy.AuthN, policy.AuthZObj}).Draw(t, "soft"),
		instance: rapid.SampledFrom([]string{"ports-1", "ports-2"}).Draw(t, "instance"),
		at:       time.Duration(rapid.IntRange(0, 3600).Draw(t, "second")) * time.Second,
		method:   rapid.SampledFrom([]string{"GET", "GET", "GET", "DELETE"}).Draw(t, "method"),
		path:     rapid.SampledFrom([]string{"", "/accounts/a1", "/accounts/a1/ports/p1"}).Draw(t, "path"),
	}
}

func drawOptions(t *rapid.T) evidence.Options {
	o := options()
	o.Gateway.Present = rapid.Bool().Draw(t, "gateway")
	o.CredentialKind = rapid.SampledFrom([]string{"client_token", "none"}).Draw(t, "credential")
	o.MaxStrata = rapid.SampledFrom([]int{4, 1000}).Draw(t, "strata")
	return o
}

// sound states what must hold of every document.
func sound(tb assert.TestingT, doc evidence.Document) {
	for _, c := range doc.Cells {
		name := c.Operation + " " + string(c.Control)
		assert.Contains(tb, evidence.Classes(), c.Class, name)
		assert.Subset(tb, evidence.Modifiers(), c.Modifiers, name)
		assert.LessOrEqual(tb, c.Backend.K, c.Backend.N, name)
		assert.Zero(tb, c.Gateway.N, name)
		assert.LessOrEqual(tb, c.Undecided, c.Requests, name)
		var n, k, a, x, arrivals uint64
		for _, s := range c.Strata {
			n, k = n+s.Backend.N, k+s.Backend.K
			a, x = a+s.Backend.Ambiguous, x+s.Backend.Unattributable
			if s.Gateway != nil {
				arrivals += s.Gateway.K
			}
		}
		assert.Equal(tb, [5]uint64{n, k, a, x, arrivals}, [5]uint64{
			c.Backend.N, c.Backend.K, c.Backend.Ambiguous, c.Backend.Unattributable, c.Gateway.K,
		}, "%s is the sum of its strata", name)
		assert.NotEmpty(tb, evidence.Sentence(c), name)
		if c.Backend.State == evidence.StateENF {
			assert.True(tb, c.Has(evidence.ModLowN) || len(c.Modifiers) == 0, name)
		}
	}
}

// What is counted depends on what records say, and not on which memory they share.
func TestSharedListsCountLikeOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := drawOptions(t)
		shared, own := evidence.New(o), evidence.New(o)
		lists := [][]policy.Control{plan(), plan()[1:], {}}
		for range rapid.IntRange(0, 60).Draw(t, "visits") {
			rec := drawVisit(t).record()
			if rapid.Bool().Draw(t, "shares") {
				rec.Permits = rapid.SampledFrom(lists).Draw(t, "list")
			}
			shared.Consume(rec)
			fresh := *rec
			fresh.Permits = slices.Clone(rec.Permits)
			own.Consume(&fresh)
			if rapid.IntRange(0, 9).Draw(t, "read") == 0 {
				require.Equal(t, own.Cells(), shared.Cells())
			}
		}
		require.Equal(t, own.Cells(), shared.Cells())
	})
}

func TestCellsAreTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := evidence.New(drawOptions(t))
		for _, v := range rapid.SliceOfN(rapid.Custom(drawVisit), 0, 40).Draw(t, "visits") {
			send(s, 1, v)
		}
		doc := s.Document()
		sound(t, doc)
		b, err := json.Marshal(doc)
		require.NoError(t, err)
		read, err := evidence.ReadDocument(bytes.NewReader(b))
		require.NoError(t, err)
		assert.Equal(t, doc, read)
		var table bytes.Buffer
		require.NoError(t, evidence.WriteMatrix(&table, doc))
		require.NoError(t, evidence.WriteTop(&table, doc, 3))
	})
}

// TestCellsAreMonotonic adds one more trial to a random past: a leak must not
// improve the class, a supported refusal must not worsen it. An override says
// that the policy or the vantage point is the finding, which is no better or
// worse than a class of the table, so only those of the table are compared.
func TestCellsAreMonotonic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := evidence.New(options())
		trial := rapid.SampledFrom(violations()).Draw(t, "violation")
		control := trial.denied[0]
		trial.client, trial.at = "script", time.Hour
		serveClean(s, visit{at: time.Hour})
		for _, v := range rapid.SliceOfN(rapid.Custom(drawVisit), 0, 30).Draw(t, "past") {
			if len(v.denied) > 0 { // clean requests are the baseline's, not trials
				send(s, 1, v)
			}
		}
		find := func() evidence.Cell {
			for _, c := range s.Cells() {
				if c.Operation == "createOrder" && c.Control == control {
					return c
				}
			}
			return evidence.Cell{}
		}
		leak := rapid.Bool().Draw(t, "leak")
		if leak {
			trial.class = policy.ClassOK
		}
		before := find()
		send(s, 61, trial) // a limit needs a window
		after := find()
		if order(before.Class) < 0 || order(after.Class) < 0 {
			return
		}
		if leak {
			assert.GreaterOrEqual(t, order(after.Class), order(before.Class), "%s: %s to %s", control, before.Class, after.Class)
			assert.Positive(t, after.Backend.K)
			return
		}
		// The same request also arrived, which is a leak of the gateway: what the
		// backend's refusal did is seen with the gateway as it is now.
		then, _ := evidence.ClassOf(after.Gateway.State, before.Backend.State)
		assert.LessOrEqual(t, order(after.Class), order(then), "%s: %s to %s", control, then, after.Class)
		assert.Greater(t, after.Backend.N, before.Backend.N)
	})
}

// FuzzCells: whatever the records say, there is one class for each cell, the
// numbers add up, and nothing is called enforced at the backend unless a
// forwarded request was refused there.
func FuzzCells(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x04\x0b\x02\x03\x01\x01\x00"))
	f.Add(bytes.Repeat([]byte("\x00\x04\x09\x00\x01\x01\x00\x05"), 30))
	signals := []policy.Signal{
		policy.Leaked, policy.Weak, policy.Enforced, policy.Masked, policy.Soft, policy.Ambiguous, policy.Unattributable, "nonsense",
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o := options()
		o.MaxStrata, o.MaxInstances = 8, 3
		s := evidence.New(o)
		refused := map[string]bool{}
		for at := t0; len(data) >= 8; data = data[8:] {
			b := data[:8]
			op := o.Operations[int(b[0])%len(o.Operations)].ID
			control := plan()[int(b[1])%len(plan())]
			class := append(policy.Classes(), "", "R-UNHEARD")[int(b[2])%(len(policy.Classes())+2)]
			signal := signals[int(b[3])%len(signals)]
			position := []policy.Position{policy.AtGateway, policy.AtBackend, "elsewhere"}[int(b[4])%3]
			isolated := b[4]&0x80 == 0
			at = at.Add(time.Duration(int8(b[7])) * time.Minute)
			rec := &audit.Record{
				Time: at, Op: audit.Op{ID: op}, Be: audit.Backend{Class: class, Instance: string(b[5:6])},
				ClientID: fmt.Sprint(b[6] % 4), Permits: []policy.Control{control},
				HTTP: audit.HTTP{
					Method: []string{"GET", "HEAD", "DELETE", "GET"}[b[6]>>2%4], Path: []string{"/", "/a/b", "a", "/{b}"}[b[0]>>4%4],
					ReqBytes: new(int64), InspectedBytes: int64(b[2] >> 7),
				},
			}
			if b[4]&0x40 == 0 {
				rec.Observations = []audit.Observation{{
					Control: control, Position: position, Signal: signal, Reason: policy.Reason(b[6:7]), Isolated: isolated,
				}}
				rec.Findings = []audit.Finding{{Control: control, Effect: []string{"deny", "indeterminate", ""}[int(b[6])%3]}}
				forwarded := class != policy.ClassNone && class != ""
				refusal := signal == policy.Enforced || signal == policy.Soft || signal == policy.Masked
				if forwarded && isolated && position == policy.AtBackend && refusal {
					refused[op+string(control)] = true
				}
			}
			s.Consume(rec)
		}
		doc := s.Document()
		sound(t, doc)
		for _, c := range doc.Cells {
			if c.Backend.State == evidence.StateENF || c.Backend.State == evidence.StatePART {
				assert.True(t, refused[c.Operation+string(c.Control)], "%s %s", c.Operation, c.Control)
			}
		}
	})
}
