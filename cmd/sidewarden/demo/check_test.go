package demo_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/cmd/sidewarden/demo"
	"github.com/sidewarden/sidewarden/policy"
)

// perfect is what a sidecar that is right about everything says.
func perfect() []evidence.Cell {
	var cells []evidence.Cell
	unknown := func(operation string, control policy.Control) evidence.Cell {
		return evidence.Cell{
			Operation: operation, Control: control, Class: evidence.ClassUnobserved,
			Gateway: evidence.Counts{State: evidence.StateUNK}, Backend: evidence.Counts{State: evidence.StateUNK},
		}
	}
	for _, a := range demo.Key() {
		if a.Control == "" {
			cells = append(cells, unknown(a.Operation, policy.TokSig), unknown(a.Operation, policy.AzScope))
			continue
		}
		cells = append(cells, evidence.Cell{
			Operation: a.Operation, Control: a.Control, Class: a.Class, Modifiers: append(slices.Clone(a.Modifiers), evidence.ModLowN),
			Gateway: evidence.Counts{State: a.Gateway, K: 9}, Backend: evidence.Counts{State: a.Backend, N: 9},
		})
	}
	return append(cells, unknown("listPorts", policy.TokAud), unknown("listSites", policy.InRoute))
}

func at(t *testing.T, cells []evidence.Cell, operation string, control policy.Control) *evidence.Cell {
	t.Helper()
	i := slices.IndexFunc(cells, func(c evidence.Cell) bool { return c.Operation == operation && c.Control == control })
	require.GreaterOrEqual(t, i, 0)
	return &cells[i]
}

func TestCellsThatEqualTheKeyScoreInFull(t *testing.T) {
	s := demo.Compare(perfect())
	assert.True(t, s.OK())
	assert.Empty(t, s.Mismatches)
	assert.Equal(t, len(demo.Key()), s.Total)
	assert.Equal(t, s.Total, s.Right)
}

func TestEveryDifferenceFromTheKeyFails(t *testing.T) {
	all := len(demo.Key())
	tests := []struct {
		name   string
		change func(t *testing.T, cells []evidence.Cell) []evidence.Cell
		right  int // of all answers
		says   string
	}{
		{"a false gap", func(t *testing.T, c []evidence.Cell) []evidence.Cell {
			at(t, c, "listPorts", policy.TokAud).Class = evidence.ClassNone
			return c
		}, all, "listPorts tok.aud is NONE"},
		{"a false enforced", func(t *testing.T, c []evidence.Cell) []evidence.Cell {
			at(t, c, "listSites", policy.InRoute).Class = evidence.ClassBackendEnforced
			return c
		}, all, "listSites in.route is BACKEND_ENFORCED"},
		{"a cell that is only ambiguous", func(t *testing.T, c []evidence.Cell) []evidence.Cell {
			at(t, c, "listPorts", policy.TokAud).Class = evidence.ClassAmbiguous
			return c
		}, all, "listPorts tok.aud is AMBIGUOUS"},
		{"a gap that was called enforced", func(t *testing.T, c []evidence.Cell) []evidence.Cell {
			at(t, c, "setBandwidth", policy.AzAccount).Class = evidence.ClassBackendOnly
			return c
		}, all - 1, "row 6: setBandwidth az.account is BACKEND_ONLY"},
		{"a cell that is missing", func(_ *testing.T, c []evidence.Cell) []evidence.Cell {
			return slices.DeleteFunc(c, func(c evidence.Cell) bool { return c.Control == policy.InCtype })
		}, all - 1, "row 15: createBgpPolicy in.ctype is no such cell"},
		{"a row that was not decided", func(t *testing.T, c []evidence.Cell) []evidence.Cell {
			at(t, c, "getReport", policy.TokTime).Class = evidence.ClassUnobserved
			return c
		}, all - 1, "row 3: getReport tok.time is UNOBSERVED"},
		{"a modifier that is missing", func(t *testing.T, c []evidence.Cell) []evidence.Cell {
			at(t, c, "listOrders", policy.AzAccount).Modifiers = nil
			return c
		}, all - 1, "row 19: listOrders az.account is BACKEND_ONLY (gateway OPEN, backend ENF), the key says BACKEND_ONLY SOFT"},
		{"a modifier too many", func(t *testing.T, c []evidence.Cell) []evidence.Cell {
			at(t, c, "listPorts", policy.TokTime).Modifiers = []evidence.Modifier{evidence.ModErrorMasked}
			return c
		}, all - 1, "row 4: listPorts tok.time is NONE ERROR_MASKED"},
		{"one operation of a row that has two", func(t *testing.T, c []evidence.Cell) []evidence.Cell {
			at(t, c, "createOrder", policy.AzDelegate).Class = evidence.ClassBackendOnly
			return c
		}, all - 1, "row 10: createOrder az.delegate is BACKEND_ONLY BY_OPERATION"},
		{"another state behind the same class", func(t *testing.T, c []evidence.Cell) []evidence.Cell {
			at(t, c, "unmatched", policy.InRoute).Gateway.State = evidence.StateNOT
			return c
		}, all - 1, "row 21: unmatched in.route is NONE (gateway NOT"},
		{"one control of the operation that nobody calls", func(t *testing.T, c []evidence.Cell) []evidence.Cell {
			at(t, c, "suspendAccount", policy.AzScope).Class = evidence.ClassNotApplicable
			return c
		}, all - 1, "row 25: suspendAccount (all) is az.scope NOT_APPLICABLE"},
		{"no cell at all", func(*testing.T, []evidence.Cell) []evidence.Cell { return nil }, 0, "no such cell"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := demo.Compare(tt.change(t, perfect()))
			assert.False(t, s.OK())
			assert.Equal(t, tt.right, s.Right)
			assert.Contains(t, strings.Join(s.Mismatches, "\n"), tt.says)
		})
	}
}

func TestTheScoreIsPrintedWithEveryRowAndMismatch(t *testing.T) {
	cells := perfect()
	at(t, cells, "setBandwidth", policy.AzAccount).Class = evidence.ClassBackendOnly
	var b strings.Builder
	require.NoError(t, demo.Compare(cells).Write(&b))
	assert.Contains(t, b.String(), "WRONG\n")
	assert.Contains(t, b.String(), "mismatch: row 6")
	all := len(demo.Key())
	assert.Contains(t, b.String(), fmt.Sprintf("score: %d of %d rows right, 1 mismatches\n", all-1, all))
	assert.Equal(t, 1+all+1+1, strings.Count(b.String(), "\n"))
}

func TestProtectionIsOwedForEveryViolationAndNoCleanRequest(t *testing.T) {
	all := func() demo.Stats {
		s := demo.Stats{Clean: 90, Served: 90, Violations: map[demo.Place]int{}, Protected: map[demo.Place]int{}}
		for _, p := range violated() {
			s.Violations[p], s.Protected[p] = 4, 4
		}
		return s
	}
	silent := []evidence.Cell{{Operation: "listPorts", Control: policy.TokTime}}
	assert.True(t, demo.Protected(all(), silent).OK())

	passed := all()
	passed.Protected[demo.Place{Row: 6, Operation: "setBandwidth"}] = 3
	assert.Contains(t, demo.Protected(passed, silent).Mismatches[0], "row 6: setBandwidth az.account is 3 of 4 refused, the key says all refused with 403")

	unseen := all()
	order := demo.Place{Row: 10, Operation: "createOrder"}
	delete(unseen.Violations, order)
	delete(unseen.Protected, order)
	assert.Equal(t, []string{"row 10: createOrder az.delegate is 0 of 0 refused, the key says all refused with 403"},
		demo.Protected(unseen, silent).Mismatches, "a violation that was never sent proves nothing, nor does that of another operation")

	broken := all()
	broken.Served = 89
	assert.Equal(t, []string{"89 of 90 clean requests were served"}, demo.Protected(broken, silent).Mismatches)

	surprised := all()
	surprised.Surprises = []string{"listPorts: 502"}
	assert.False(t, demo.Protected(surprised, silent).OK())

	leaked := []evidence.Cell{{Operation: "createOrder", Control: policy.InWellformed, Backend: evidence.Counts{N: 2, K: 2}}}
	assert.False(t, demo.Protected(all(), leaked).OK())
}

// stripped is what a sidecar that is right says behind a gateway that strips tokens.
func stripped() []evidence.Cell {
	cells := append(perfect(), evidence.Cell{
		Operation: "suspendAccount", Control: policy.PathGateway, Class: evidence.ClassUnobserved,
		Gateway: evidence.Counts{State: evidence.StateNA}, Backend: evidence.Counts{State: evidence.StateUNK},
	})
	for i := range cells {
		if c := &cells[i]; strings.HasPrefix(string(c.Control), "tok.") {
			c.Class, c.Modifiers = evidence.ClassUntestable, nil
			c.Gateway, c.Backend = evidence.Counts{State: evidence.StateUNK}, evidence.Counts{State: evidence.StateUNK}
		}
	}
	return cells
}

func TestBehindAGatewayThatStripsTokensNothingIsSaidOfThem(t *testing.T) {
	s := demo.CompareBehind(demo.StripsToken, stripped())
	assert.True(t, s.OK(), s.Mismatches)
	assert.Equal(t, len(demo.Key()), s.Total, "the other rows are decided as ever")

	for _, tt := range []struct {
		name   string
		change func(t *testing.T, cells []evidence.Cell)
		says   string
	}{
		{"a token's cell in no row reads NONE", func(t *testing.T, c []evidence.Cell) { at(t, c, "listPorts", policy.TokAud).Class = evidence.ClassNone }, "listPorts tok.aud is NONE"},
		{"it reads OPEN", func(t *testing.T, c []evidence.Cell) {
			at(t, c, "listPorts", policy.TokAud).Gateway.State = evidence.StateOPEN
		}, "listPorts tok.aud is UNTESTABLE (gateway OPEN"},
		{"it was not observed, which is another thing", func(t *testing.T, c []evidence.Cell) {
			at(t, c, "listPorts", policy.TokAud).Class = evidence.ClassUnobserved
		}, "listPorts tok.aud is UNOBSERVED"},
		{"a token's cell of a row", func(t *testing.T, c []evidence.Cell) {
			at(t, c, "listPorts", policy.TokTime).Class = evidence.ClassNone
		}, "row 4: listPorts tok.time is NONE"},
		{"one of the operation that nobody calls", func(t *testing.T, c []evidence.Cell) {
			at(t, c, "suspendAccount", policy.TokSig).Class = evidence.ClassBackendOpen
		}, "suspendAccount tok.sig is BACKEND_OPEN"},
		{"an arrival that is unproven", func(t *testing.T, c []evidence.Cell) {
			at(t, c, "setBandwidth", policy.AzAccount).Gateway.Unproven = true
		}, "setBandwidth az.account is NONE"},
		{"who came around the gateway", func(t *testing.T, c []evidence.Cell) {
			at(t, c, "suspendAccount", policy.PathGateway).Class = evidence.ClassNone
		}, "suspendAccount path.gateway is NONE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cells := stripped()
			tt.change(t, cells)
			s := demo.CompareBehind(demo.StripsToken, cells)
			assert.False(t, s.OK())
			assert.Contains(t, strings.Join(s.Mismatches, "\n"), tt.says)
		})
	}
	assert.False(t, demo.Compare(stripped()).OK(), "where tokens arrive they can be tested")
}
