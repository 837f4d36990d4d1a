package evidence_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/policy"
)

// shop is a world with one gap of each kind.
func shop() evidence.Document {
	s := evidence.New(options())
	for _, op := range []string{"createOrder", "getOrder"} {
		for _, instance := range []string{"ports-1", "ports-2"} {
			serveClean(s, visit{op: op, instance: instance})
		}
	}
	foreign := visit{denied: of(policy.AzAccount), reason: policy.AccountNotInToken}
	on2 := foreign
	on2.instance = "ports-2"
	send(s, 8, foreign, "script", "partner")
	send(s, 6, on2, "script", "partner")
	send(s, 7, visit{op: "getOrder", denied: of(policy.AzAccount), reason: policy.AccountNotInToken, class: policy.Class404}, "script")
	send(s, 5, visit{denied: of(policy.TokTime), reason: policy.TokenExpired, class: policy.Class401}, "script")
	send(s, 1, visit{op: "getOrder", denied: of(policy.TokTime), reason: policy.TokenNotYetValid}, "script")
	send(s, 3, visit{op: "getOrder", denied: of(policy.TokTime), reason: policy.TokenExpired, class: policy.Class401}, "script")
	send(s, 12, visit{denied: of(policy.InWellformed), reason: policy.JSONSyntax, class: policy.Class500}, "script", "cust-a")
	send(s, 4, visit{denied: of(policy.InCtype), reason: policy.ContentTypeUndeclared}, "script", "cust-a")
	send(s, 5, visit{denied: of(policy.AzScope), reason: policy.ScopeMissing, class: policy.ClassSoftDeny, soft: policy.AuthZOp}, "cust-a")
	send(s, 3, visit{op: "getOrder", denied: of(policy.AzScope), reason: policy.ScopeMissing, class: policy.ClassNone}, "cust-a")
	send(s, 65, visit{op: "getOrder", denied: of(policy.RateApp), reason: policy.RateExceeded}, "script")
	send(s, 9, visit{vague: of(policy.InSchema)}, "cust-a")
	send(s, 2, visit{op: policy.UnmatchedID, denied: of(policy.InRoute), reason: policy.RouteUnknown}, "script", "cust-a")
	return s.Document()
}

func render(t *testing.T, write func(w io.Writer) error) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, write(&b))
	for line := range strings.Lines(b.String()) {
		assert.LessOrEqual(t, len([]rune(line)), 200)
	}
	return b.String()
}

func TestMatrixGolden(t *testing.T) {
	golden(t, "matrix.golden", render(t, func(w io.Writer) error { return evidence.WriteMatrix(w, shop()) }))
}

func TestMatrixWithoutEvidence(t *testing.T) {
	got := render(t, func(w io.Writer) error { return evidence.WriteMatrix(w, evidence.New(options()).Document()) })
	golden(t, "matrix-empty.golden", got)
}

func TestTopGolden(t *testing.T) {
	golden(t, "top.golden", render(t, func(w io.Writer) error { return evidence.WriteTop(w, shop(), 99) }))
}

func TestTopIsCut(t *testing.T) {
	got := render(t, func(w io.Writer) error { return evidence.WriteTop(w, shop(), 1) })
	assert.Contains(t, got, " 1  NONE  az.account  createOrder\n    nobody checks the account: 14 requests with another "+
		"customer's account were answered 2xx by ports-1 (8) and ports-2 (6)\n")
	assert.NotContains(t, got, " 2  ")
	assert.Contains(t, got, "and 10 gaps more\n")
	assert.Empty(t, evidence.Top(shop(), 0))
}

func TestTopWithoutGaps(t *testing.T) {
	got := render(t, func(w io.Writer) error { return evidence.WriteTop(w, evidence.New(options()).Document(), 5) })
	assert.True(t, strings.HasPrefix(got, "no gap was seen\nunknown: 22 of 22 cells saw no trial\n"), got)
}

func TestCellGolden(t *testing.T) {
	for _, c := range shop().Cells {
		if c.Operation == "createOrder" && c.Control == policy.AzAccount {
			golden(t, "show.golden", render(t, func(w io.Writer) error { return evidence.WriteCell(w, c) }))
			return
		}
	}
	t.Fatal("no such cell")
}

func TestUntestableIsShown(t *testing.T) {
	o := options()
	o.CredentialKind = "none"
	o.Gateway.Present = false
	s := evidence.New(o)
	send(s, 2, visit{denied: of(policy.TokPresent), reason: policy.CredentialMissing})
	got := render(t, func(w io.Writer) error { return evidence.WriteMatrix(w, s.Document()) })
	assert.Contains(t, got, "createOrder  -?·u\n")
	assert.Contains(t, got, "untestable: 6 of 22 cells cannot be tested from here\n  tok.present 2, tok.sig 2, tok.time 2\n")
}

// TestNamesCannotDriveTheTerminal: contract and backend choose names.
func TestNamesCannotDriveTheTerminal(t *testing.T) {
	evil := "a\x1b[31m\n1  NONE"
	c := evidence.Cell{
		Operation: evil, Control: policy.Control(evil), Class: evidence.ClassNone,
		Gateway: evidence.Counts{State: evidence.StateOPEN, K: 1}, Backend: evidence.Counts{State: evidence.StateNOT, N: 1, K: 1},
		Strata: []evidence.Stratum{{Reason: policy.Reason(evil), Instance: evil, Backend: evidence.Counts{
			State: evidence.StateNOT, N: 1, K: 1, Answers: answered(policy.ResponseClass(evil), 1),
		}}},
	}
	doc := evidence.Document{Cells: []evidence.Cell{c}, Since: t0}
	for _, got := range []string{
		render(t, func(w io.Writer) error { return evidence.WriteMatrix(w, doc) }),
		render(t, func(w io.Writer) error { return evidence.WriteTop(w, doc, 1) }),
		render(t, func(w io.Writer) error { return evidence.WriteCell(w, c) }),
	} {
		assert.NotContains(t, got, "\x1b")
		assert.NotContains(t, got, "\n1  NONE")
	}
}

func answered(class policy.ResponseClass, n uint64) map[policy.ResponseClass]uint64 {
	answers := make(map[policy.ResponseClass]uint64)
	answers[class] = n
	return answers
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

var errFull = errors.New("no space left")

func TestWritersReportErrors(t *testing.T) {
	doc := shop()
	require.ErrorIs(t, evidence.WriteMatrix(full{}, doc), errFull)
	require.ErrorIs(t, evidence.WriteTop(full{}, doc, 3), errFull)
	require.ErrorIs(t, evidence.WriteCell(full{}, doc.Cells[0]), errFull)
}

func TestSentences(t *testing.T) {
	leak := func(k uint64, instance string) evidence.Stratum {
		return evidence.Stratum{Reason: policy.TokenExpired, Instance: instance, Backend: evidence.Counts{
			State: evidence.StateNOT, N: k, K: k, Answers: answered(policy.ClassOK, k),
		}}
	}
	with := func(class evidence.Class, c evidence.Cell) evidence.Cell {
		c.Class, c.Control = class, orDefault(c.Control, policy.TokTime)
		return c
	}
	for _, c := range []struct {
		rule string
		cell evidence.Cell
		want string
	}{
		{
			"one leak, one reason", with(evidence.ClassNone, evidence.Cell{Backend: evidence.Counts{N: 1, K: 1}, Strata: []evidence.Stratum{leak(1, "ports-1")}}),
			"nobody checks the token's time of validity: 1 request with an expired token was answered 2xx by ports-1",
		},
		{
			"many instances", with(evidence.ClassNone, evidence.Cell{Backend: evidence.Counts{N: 15, K: 15}, Strata: []evidence.Stratum{leak(1, "a"), leak(2, "b"), leak(3, "c"), leak(4, "d"), leak(5, "e")}}),
			"nobody checks the token's time of validity: 15 requests with an expired token were answered 2xx by e (5), d (4), c (3) and 2 more (3)",
		},
		{
			"an unnamed instance", with(evidence.ClassBackendOpen, evidence.Cell{Backend: evidence.Counts{N: 2, K: 2}, Strata: []evidence.Stratum{leak(2, "")}}),
			"the backend does not check the token's time of validity: 2 requests with an expired token were answered 2xx; whether the gateway does is not known",
		},
		{
			"a backend that cannot check", with(evidence.ClassNone, evidence.Cell{}),
			"nobody checks the token's time of validity: 0 requests with a token outside its time of validity passed",
		},
		{
			"grammar of one", with(evidence.ClassGatewayOpen, evidence.Cell{Control: policy.InSchema, Gateway: evidence.Counts{K: 1}}),
			"the gateway does not check the contract's schema: 1 request that does not match the contract's schema passed it; what the backend does is not known",
		},
		{
			"a control without words", with(evidence.ClassGatewayOpen, evidence.Cell{Control: "az.object", Gateway: evidence.Counts{K: 2}}),
			"the gateway does not check az.object (owner of the resource is one of the token's accounts): 2 requests that violate it passed it; what the backend does is not known",
		},
		{
			"a limit counts windows", with(evidence.ClassInconsistent, evidence.Cell{Control: policy.RateApp, Backend: evidence.Counts{N: 4, K: 1}}),
			"the limit per application is checked only in part: in 1 of 4 windows over the limit per application more got through than it allows",
		},
		{
			"only the gateway", with(evidence.ClassGatewayOnly, evidence.Cell{Backend: evidence.Counts{N: 2, K: 2}, Strata: []evidence.Stratum{leak(2, "a")}}),
			"only the gateway checks the token's time of validity; the backend does not: 2 requests with an expired token were answered 2xx by a",
		},
		{
			"the backend alone, without a gateway", with(evidence.ClassBackendEnforced, evidence.Cell{Backend: evidence.Counts{N: 2}, Modifiers: []evidence.Modifier{evidence.ModLowN}}),
			"the backend refused all of 2 requests with a token outside its time of validity; too few to say that it always does",
		},
		{"layers", with(evidence.ClassLayered, evidence.Cell{}), "gateway and backend both check the token's time of validity"},
		{"the gateway", with(evidence.ClassGatewayEnforced, evidence.Cell{}), "the gateway checks the token's time of validity"},
		{"no place for it", with(evidence.ClassNotApplicable, evidence.Cell{}), "the token's time of validity is not checked here by design"},
		{
			"untestable", with(evidence.ClassUntestable, evidence.Cell{}),
			"nothing can be said of the token's time of validity: no token of a client was seen to prove itself here",
		},
		{"unobserved", with(evidence.ClassUnobserved, evidence.Cell{}), "not known: no request put the token's time of validity to the test"},
	} {
		t.Run(c.rule, func(t *testing.T) { assert.Equal(t, c.want, evidence.Sentence(c.cell)) })
	}
}

func TestEveryImplementedControlHasWords(t *testing.T) {
	for _, e := range policy.Catalogue() {
		if e.Implemented {
			s := evidence.Sentence(evidence.Cell{Control: e.ID, Class: evidence.ClassUnobserved})
			assert.NotContains(t, s, string(e.ID))
		}
	}
}

func TestTopOrder(t *testing.T) {
	cell := func(op string, c policy.Control, class evidence.Class, k uint64) evidence.Cell {
		return evidence.Cell{Operation: op, Control: c, Class: class, Backend: evidence.Counts{N: k, K: k}}
	}
	doc := evidence.Document{Since: t0.Add(time.Hour), Cells: []evidence.Cell{
		cell("unmatched", policy.InRoute, evidence.ClassNone, 50),
		cell("a", policy.InSchema, evidence.ClassNone, 50),
		cell("a", policy.TokTime, evidence.ClassNone, 2),
		cell("b", policy.AzAccount, evidence.ClassNone, 1),
		cell("a", policy.AzAccount, evidence.ClassNone, 9),
		cell("a", policy.AzScope, evidence.ClassBackendOpen, 900),
		cell("a", policy.AzScope, evidence.ClassUnobserved, 0),
		cell("a", policy.InSize, evidence.ClassUntestable, 0),
		cell("a", policy.InCtype, evidence.ClassLayered, 0),
		cell("a", policy.InCtype, evidence.ClassAmbiguous, 0),
		cell("a", policy.InCtype, evidence.ClassInconsistent, 4),
	}}
	var got []string
	for _, g := range evidence.Top(doc, -1) {
		got = append(got, g.Cell.Operation+" "+string(g.Cell.Control)+" "+string(g.Cell.Class))
	}
	assert.Equal(t, []string{
		"a az.account NONE", "b az.account NONE", "a tok.time NONE", "a in.schema NONE", "unmatched in.route NONE",
		"a az.scope BACKEND_OPEN", "a in.ctype INCONSISTENT", "a in.ctype AMBIGUOUS",
	}, got)
}
