package evidence_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/policy"
)

// attempt is one violation of az.account; whether it leaks follows from its number
// and the three things that could explain it.
type attempt struct {
	i                int
	client, instance string
	reason           policy.Reason
}

// mixed sends n violations by three clients, spread over two instances and two
// reasons, with a baseline for each instance.
func mixed(s *evidence.Store, n int, leaks func(a attempt) bool) {
	for _, instance := range []string{"ports-1", "ports-2"} {
		serveClean(s, visit{instance: instance})
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		a := attempt{
			i: i, client: fmt.Sprintf("client-%d", r.IntN(3)), instance: fmt.Sprintf("ports-%d", 1+r.IntN(2)),
			reason: []policy.Reason{policy.AccountNotInToken, policy.AccountMissing}[r.IntN(2)],
		}
		v := visit{client: a.client, instance: a.instance, denied: of(policy.AzAccount), reason: a.reason, class: policy.Class403}
		if v.at = time.Duration(i) * time.Second; leaks(a) {
			v.class = policy.ClassOK
		}
		s.Consume(v.record())
	}
}

func TestInconsistencyIsExplained(t *testing.T) {
	coin := rand.New(rand.NewPCG(3, 4))
	toss := make([]bool, 2000)
	for i := range toss {
		toss[i] = coin.IntN(2) == 0
	}
	for _, c := range []struct {
		rule  string
		n     int
		leaks func(a attempt) bool
		want  string
	}{
		{"one instance leaks", 60, func(a attempt) bool { return a.instance == "ports-1" }, "INCONSISTENT BY_INSTANCE"},
		{"one instance leaks, of far more than are kept", 1500, func(a attempt) bool { return a.instance == "ports-2" }, "INCONSISTENT BY_INSTANCE"},
		{"one instance leaks mostly", 200, func(a attempt) bool { return a.instance == "ports-1" && a.i%7 > 0 }, "INCONSISTENT BY_INSTANCE"},
		{"a reason leaks", 60, func(a attempt) bool { return a.reason == policy.AccountMissing }, "INCONSISTENT BY_REASON"},
		{"one caller leaks", 60, func(a attempt) bool { return a.client == "client-2" }, "INCONSISTENT BY_SUBJECT"},
		{"one caller leaks at one instance: both tell something, the instance of that caller more than any caller", 200, func(a attempt) bool {
			return a.instance == "ports-1" && a.client != "client-2"
		}, "INCONSISTENT BY_INSTANCE"},
		{"chance alone", 200, func(a attempt) bool { return toss[a.i] }, "INCONSISTENT INTERMITTENT"},
		{"chance alone, of far more than are kept", 1900, func(a attempt) bool { return toss[a.i] }, "INCONSISTENT INTERMITTENT"},
		{"one leak among many: too few to say that nothing tells", 60, func(a attempt) bool { return a.i == 30 }, "INCONSISTENT"},
		{"seven leaks are too few, too", 58, func(a attempt) bool { return a.i%8 == 3 }, "INCONSISTENT"},
		{"three trials", 3, func(a attempt) bool { return a.i == 1 }, "INCONSISTENT"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s := evidence.New(options())
			mixed(s, c.n, c.leaks)
			assert.Equal(t, c.want, brief(cellOf(t, s, "createOrder", policy.AzAccount)))
			assert.Equal(t, s.Cells(), s.Cells(), "reading twice says the same")
			again := evidence.New(options())
			mixed(again, c.n, c.leaks)
			assert.Equal(t, s.Cells(), again.Cells(), "and so do the same records")
		})
	}
}

// What cannot be told apart is not named: each caller was always sent to the same
// instance. Nor is it called intermittent.
func TestDimensionsThatCannotBeToldApartNameNone(t *testing.T) {
	s := evidence.New(options())
	mixed(s, 0, nil)
	for i := range 60 {
		v := visit{client: fmt.Sprintf("client-%d", i%2), instance: fmt.Sprintf("ports-%d", 1+i%2), denied: of(policy.AzAccount)}
		if v.reason, v.class = policy.AccountNotInToken, policy.ClassOK; i%2 == 0 {
			v.class = policy.Class403
		}
		s.Consume(v.record())
	}
	assert.Equal(t, "INCONSISTENT", brief(cellOf(t, s, "createOrder", policy.AzAccount)))
}

// Callers who came once explain nothing, and do not keep the instance from it.
func TestCallersOfFewTrialsAreTakenTogether(t *testing.T) {
	s := evidence.New(options())
	mixed(s, 0, nil)
	for i := range 60 {
		v := visit{client: fmt.Sprintf("client-%d", i), instance: fmt.Sprintf("ports-%d", 1+i%2), denied: of(policy.AzAccount)}
		if v.reason, v.class = policy.AccountNotInToken, policy.ClassOK; i%2 == 0 {
			v.class = policy.Class403
		}
		s.Consume(v.record())
	}
	assert.Equal(t, "INCONSISTENT BY_INSTANCE", brief(cellOf(t, s, "createOrder", policy.AzAccount)))
}

// TestExplanationsAreRarelyChance counts false explanations of leaks that nothing
// explains: one in a hundred is what the p-value allows.
func TestExplanationsAreRarelyChance(t *testing.T) {
	const worlds = 200
	r := rand.New(rand.NewPCG(5, 6))
	named := 0
	for range worlds {
		s := evidence.New(options())
		mixed(s, 60, func(attempt) bool { return r.IntN(3) == 0 })
		cell := cellOf(t, s, "createOrder", policy.AzAccount)
		if cell.Has(evidence.ModByInstance) || cell.Has(evidence.ModByReason) || cell.Has(evidence.ModBySubject) {
			named++
		}
	}
	assert.LessOrEqual(t, named, 7, "2 are expected; 8 or more of 200 come once in a thousand times")
}

// Refusals that no baseline supports are no trials, and explain nothing.
func TestUnsupportedRefusalsExplainNothing(t *testing.T) {
	s := evidence.New(options())
	for i := range 60 {
		v := visit{client: fmt.Sprintf("client-%d", i%3), instance: "ports-1", denied: of(policy.AzAccount), reason: policy.AccountNotInToken}
		if v.class = policy.ClassOK; i%2 == 0 {
			v.class, v.instance = policy.Class403, "ports-2"
		}
		s.Consume(v.record())
	}
	require.Equal(t, "NONE", brief(cellOf(t, s, "createOrder", policy.AzAccount)))
	serveClean(s, visit{instance: "ports-2", at: time.Minute})
	assert.Equal(t, "INCONSISTENT BY_INSTANCE", brief(cellOf(t, s, "createOrder", policy.AzAccount)), "also when the baseline comes later")
}

func TestOperationsOfOneResourceAreCompared(t *testing.T) {
	read := "/accounts/{accountId}/ports/{portId}"
	for _, c := range []struct {
		rule, write string
		refusals    int
		want        [2]string
	}{
		{"of one thing", read, 3, [2]string{"NONE BY_OPERATION", "BACKEND_ONLY BY_OPERATION LOW_N"}},
		{"of a part of it", read + "/bandwidth", 3, [2]string{"NONE BY_OPERATION", "BACKEND_ONLY BY_OPERATION LOW_N"}},
		{"of all such things", "/accounts/{accountId}/ports", 3, [2]string{"NONE BY_OPERATION", "BACKEND_ONLY BY_OPERATION LOW_N"}},
		{"of something else of the account", "/accounts/{accountId}/orders", 3, [2]string{"NONE", "BACKEND_ONLY LOW_N"}},
		{"of the account", "/accounts/{accountId}", 3, [2]string{"NONE", "BACKEND_ONLY LOW_N"}},
		{"of what is not known", "", 3, [2]string{"NONE", "BACKEND_ONLY LOW_N"}},
		{"two trials are too few", read, 2, [2]string{"NONE", "BACKEND_ONLY LOW_N"}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			o := options()
			o.AccountParameters = []string{"accountId"}
			o.Operations[0].Template, o.Operations[1].Template = c.write, read
			s := evidence.New(o)
			serveClean(s, visit{op: "getOrder"})
			foreign := visit{denied: of(policy.AzAccount), reason: policy.AccountNotInToken}
			send(s, 4, foreign, "cust-a", "cust-b")
			send(s, c.refusals, with(foreign, func(v *visit) { v.op, v.class = "getOrder", policy.Class403 }), "cust-a", "cust-b")
			got := [2]string{brief(cellOf(t, s, "createOrder", policy.AzAccount)), brief(cellOf(t, s, "getOrder", policy.AzAccount))}
			assert.Equal(t, c.want, got)
			assert.Equal(t, "UNOBSERVED", brief(cellOf(t, s, "getOrder", policy.TokTime)))
		})
	}
}

func TestPlainWordsSayWhatExplains(t *testing.T) {
	for modifier, words := range map[evidence.Modifier]string{
		evidence.ModByInstance:   "; it depends on which instance answers",
		evidence.ModByReason:     "; it depends on what the violation is",
		evidence.ModBySubject:    "; it depends on who asks",
		evidence.ModIntermittent: "; neither instance, violation nor caller tells which",
	} {
		cell := evidence.Cell{Control: policy.AzAccount, Class: evidence.ClassInconsistent, Modifiers: []evidence.Modifier{modifier}}
		assert.Contains(t, evidence.Sentence(cell), words)
	}
}

func BenchmarkReadExplained(b *testing.B) {
	s := evidence.New(options())
	mixed(s, 300, func(a attempt) bool { return a.instance == "ports-1" })
	i := 0
	for b.Loop() {
		// Each reading has other trials to explain.
		send(s, 1, visit{denied: of(policy.AzAccount), reason: policy.AccountNotInToken, at: time.Duration(i) * time.Second}, "client-1")
		s.Cells()
		i++
	}
}
