package evidence_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

var t0 = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// plan has one control of each kind that reads differently.
func plan() []policy.Control {
	return []policy.Control{
		policy.TokPresent, policy.TokSig, policy.TokTime, policy.AzScope, policy.AzAccount, policy.InCtype, policy.RateApp,
		policy.InSize, policy.InWellformed, policy.InSchema,
	}
}

func options() evidence.Options {
	return evidence.Options{
		Operations: []evidence.Operation{
			{ID: "createOrder", Controls: plan()},
			{ID: "getOrder", Controls: plan()},
			{ID: policy.UnmatchedID, Controls: []policy.Control{policy.InRoute, policy.InMethod}},
		},
		Limits:  []evidence.Limit{perApplication()},
		Gateway: evidence.Gateway{Present: true},
		Since:   t0,
	}
}

// perApplication has windows of a minute, in which more than 14 requests are over
// the limit.
func perApplication() evidence.Limit {
	return evidence.Limit{
		Name: "per-application", Control: policy.RateApp, Key: []string{"client", "operation"}, Rate: 0.1, Burst: 6,
	}
}

// visit is one request to a world.
type visit struct {
	op       string // createOrder by default
	client   string
	denied   []policy.Control
	reason   policy.Reason // of each denial
	limit    string        // that a rate denies by; per-application by default
	vague    []policy.Control
	class    policy.ResponseClass // R-OK by default
	soft     policy.Family
	instance string // ports-1 by default
	at       time.Duration

	// What the record says of the message; without a path nothing is named.
	method, path string // GET by default
	query        []string
	requested    []string
	carrier      string
	change       func(rec *audit.Record)
}

// record is what audit would keep of the visit: the observations are those of
// policy.Classify.
func (v visit) record() *audit.Record {
	v.op, v.class = orDefault(v.op, "createOrder"), orDefault(v.class, policy.ClassOK)
	v.instance = orDefault(v.instance, "ports-1")
	rec := &audit.Record{Time: t0.Add(v.at), Op: audit.Op{ID: v.op}, Be: audit.Backend{Class: v.class, Instance: v.instance}}
	rec.HTTP = audit.HTTP{
		Method: orDefault(v.method, "GET"), Path: v.path, QueryKeys: v.query, ReqBytes: new(int64), InspectedBytes: 40,
	}
	rec.Account = audit.Account{Requested: v.requested, Carrier: v.carrier}
	unproven := slices.ContainsFunc(v.denied, func(c policy.Control) bool { return c == policy.TokPresent || c == policy.TokSig })
	if v.client != "" && !unproven {
		rec.ClientID = v.client
	}
	controls := plan()
	if v.op == policy.UnmatchedID {
		controls = []policy.Control{policy.InRoute, policy.InMethod}
	}
	for _, c := range []policy.Control{policy.PathGateway, policy.KeyValid} { // in no plan of their own
		if slices.Contains(v.denied, c) {
			controls = append(of(c), controls...)
		}
	}
	var d policy.Decision
	for _, c := range controls {
		f := policy.Finding{Rule: &policy.Rule{Control: c, Mode: policy.Shadow}, Verdict: v.verdict(c)}
		d.Findings = append(d.Findings, f)
		if f.Verdict.Passes() {
			rec.Permits = append(rec.Permits, c)
			continue
		}
		rec.Findings = append(rec.Findings, audit.Finding{
			Control: c, Effect: f.Verdict.Effect.String(), Reason: f.Verdict.Reason, Mode: "shadow", Cause: f.Verdict.Cause,
			Detail: f.Verdict.Detail,
		})
	}
	for _, o := range policy.Classify(d, policy.Outcome{Class: v.class, SoftFamily: v.soft, Instance: v.instance}) {
		rec.Observations = append(rec.Observations, audit.Observation(o))
	}
	if v.change != nil {
		v.change(rec)
	}
	return rec
}

func (v visit) verdict(c policy.Control) policy.Verdict {
	switch {
	case slices.Contains(v.denied, c) && c == policy.RateApp:
		return policy.Denied(v.reason, orDefault(v.limit, "per-application"))
	case slices.Contains(v.denied, c):
		return policy.Denied(v.reason, "")
	case slices.Contains(v.vague, c):
		return policy.Undecided(policy.NotInspected, nil)
	}
	for _, root := range []policy.Control{policy.TokPresent, policy.TokSig} {
		entry, _ := policy.Lookup(c)
		if slices.Contains(v.denied, root) && slices.Contains(entry.Needs, root) {
			return policy.UndecidedBy(root)
		}
	}
	return policy.Permitted()
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func of(controls ...policy.Control) []policy.Control { return controls }

// send makes n visits, a second apart, by the clients in turn.
func send(s *evidence.Store, n int, v visit, clients ...string) {
	for i := range n {
		next := v
		next.at += time.Duration(i) * time.Second
		if len(clients) > 0 {
			next.client = clients[i%len(clients)]
		}
		s.Consume(next.record())
	}
}

// serveClean gives the operation and instance of v a baseline.
func serveClean(s *evidence.Store, v visit) {
	v.denied, v.class = nil, policy.ClassOK
	send(s, 24, v, "cust-a", "cust-b")
}

func cellOf(tb testing.TB, s *evidence.Store, op string, c policy.Control) evidence.Cell {
	tb.Helper()
	for _, cell := range s.Cells() {
		if cell.Operation == op && cell.Control == c {
			return cell
		}
	}
	require.Failf(tb, "no such cell", "%s %s", op, c)
	return evidence.Cell{}
}

// brief is class and modifiers in one string.
func brief(c evidence.Cell) string {
	words := []string{string(c.Class)}
	for _, m := range c.Modifiers {
		words = append(words, string(m))
	}
	return strings.Join(words, " ")
}

// numbers is "state n/k/ambiguous/unattributable" of one position.
func numbers(c evidence.Counts) string {
	return fmt.Sprintf("%s %d/%d/%d/%d", c.State, c.N, c.K, c.Ambiguous, c.Unattributable)
}
