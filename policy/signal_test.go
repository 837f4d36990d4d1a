package policy_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sidewarden/sidewarden/policy"
)

// planned is the signal table as the measurement plan states it, written down
// apart from the code: AuthN, AuthZ-op, AuthZ-obj, AuthZ-field, Input, Rate, WAF,
// Path. Where the controls of the input family differ, special has them.
var planned = []struct {
	class policy.ResponseClass
	row   string
}{
	{policy.ClassNone, "- - - - - - - -"},
	{policy.ClassAbort, "A A A A A A A A"},
	{policy.ClassOpaque, "A A A A A L A L"},
	{policy.ClassUpgrade, "L L L A L L L L"},
	{policy.ClassLogin, "E X X X X X X X"},
	{policy.ClassRedir, "A A A A A X A A"},
	{policy.ClassAccepted, "L L L A L L A L"},
	{policy.ClassSoftDeny, "S S S S S S S S"},
	{policy.ClassEmpty, "L W M E L L A L"},
	{policy.ClassOK, "L L L A L L L L"},
	{policy.Class401, "E E E X X X X E"},
	{policy.Class403, "E E E E A A E E"},
	{policy.Class404, "M M M X A X M M"},
	{policy.Class405, "X X X X X X X X"},
	{policy.Class406, "X X X X X X X X"},
	{policy.Class415, "A X X X X X X X"},
	{policy.ClassSize, "A A A A X X A A"},
	{policy.ClassInput, "A A A E E X E A"},
	{policy.ClassAfter, "W W W A W X W W"},
	{policy.ClassState, "W W W A W X W W"},
	{policy.Class429, "X X X X X E X X"},
	{policy.Class451, "A A A A A A A A"},
	{policy.Class4xx, "A A A A A A A A"},
	{policy.Class500, "A A A A W X W A"},
	{policy.Class501, "X X X X X X X X"},
	{policy.ClassUnavail, "X X X X X A X A"},
}

// plannedColumn is the column of a family in planned, -1 where it has none.
func plannedColumn(f policy.Family) int {
	switch f {
	case policy.AuthN:
		return 0
	case policy.AuthZOp:
		return 1
	case policy.AuthZObj:
		return 2
	case policy.AuthZField:
		return 3
	case policy.Input:
		return 4
	case policy.Rate, policy.Abuse:
		return 5
	case policy.WAF:
		return 6
	case policy.Path:
		return 7
	case policy.Output, policy.Transport, policy.Log:
	}
	return -1
}

// special has the cells of the plan that are about one control only.
func special(c policy.Control, o policy.Outcome) (string, bool) {
	lengthRequired := o.BackendStatus == http.StatusLengthRequired
	cells := []struct {
		control policy.Control
		class   policy.ResponseClass
		when    bool
		letter  string
	}{
		{policy.InRoute, policy.Class404, true, "E"},
		{policy.InMethod, policy.Class405, true, "E"},
		{policy.InMethod, policy.Class501, true, "E"},
		{policy.InCtype, policy.Class415, !o.Coded, "E"},
		{policy.InCtype, policy.Class415, o.Coded, "A"},
		{policy.InSize, policy.ClassSize, true, "E"},
		{policy.InWellformed, policy.ClassSize, lengthRequired, "E"},
	}
	for _, cell := range cells {
		if cell.control == c && cell.class == o.Class && cell.when {
			return cell.letter, true
		}
	}
	return "", false
}

func TestTheSignalsAreThoseOfThePlan(t *testing.T) {
	require.Len(t, planned, len(policy.Classes()))
	for _, row := range planned {
		cells := strings.Fields(row.row)
		for _, e := range policy.Catalogue() {
			column := plannedColumn(e.Family)
			if column < 0 {
				continue
			}
			for _, o := range []policy.Outcome{
				{Class: row.class, SoftFamily: e.Family},
				{Class: row.class, SoftFamily: e.Family, Coded: true},
				{Class: row.class, SoftFamily: e.Family, BackendStatus: http.StatusLengthRequired},
			} {
				want := cells[column]
				if cell, ok := special(e.ID, o); ok {
					want = cell
				}
				assert.Equal(t, want, letter(backendSignal(policy.Classify(decision(denies(e.ID)), o))), "%s %s %+v", row.class, e.ID, o)
			}
		}
	}
}

func TestASoftDenialCountsOnlyForTheFamilyOfItsCode(t *testing.T) {
	for _, e := range policy.Catalogue() {
		if plannedColumn(e.Family) < 0 {
			continue
		}
		for _, f := range append(families(), "") {
			want := policy.Ambiguous
			if f == e.Family {
				want = policy.Soft
			}
			o := policy.Outcome{Class: policy.ClassSoftDeny, SoftFamily: f}
			assert.Equal(t, want, backendSignal(policy.Classify(decision(denies(e.ID)), o)), "%s, code of %q", e.ID, f)
		}
	}
}

func TestClassifyObservesBothPositions(t *testing.T) {
	deny := finding(policy.TokTime, policy.Shadow, policy.Denied(policy.TokenExpired, "exp"))
	seen := policy.Classify(decision(permits(policy.TokSig), deny), policy.Outcome{Class: policy.Class401})
	assert.Equal(t, []policy.Observation{
		{Control: policy.TokTime, Position: policy.AtGateway, Signal: policy.Leaked, Reason: policy.TokenExpired, Isolated: true},
		{Control: policy.TokTime, Position: policy.AtBackend, Signal: policy.Enforced, Reason: policy.TokenExpired, Isolated: true},
	}, seen)
}

func TestARequestThatWasNotForwardedSaysNothingOfTheBackend(t *testing.T) {
	for _, e := range policy.Catalogue() {
		for _, o := range policy.Classify(decision(denies(e.ID)), policy.Outcome{Class: policy.ClassNone, Disposition: policy.Blocked}) {
			assert.Equal(t, policy.AtGateway, o.Position, e.ID)
			assert.Equal(t, policy.Leaked, o.Signal, e.ID)
		}
	}
	assert.Len(t, policy.Classify(decision(denies(policy.TokSig)), policy.Outcome{Class: policy.ClassNone}), 1, "the gateway let it arrive")
}

func TestAResponseThatViolatesIsLeakedByTheBackendAlone(t *testing.T) {
	out := finding("out.data", policy.Shadow, policy.Denied(policy.SchemaMismatch, ""))
	for _, rest := range [][]policy.Finding{nil, {denies(policy.TokSig), denies(policy.AzScope)}, {undecided(policy.TokSig)}} {
		seen := policy.Classify(decision(append(rest, out)...), policy.Outcome{Class: policy.ClassOK})
		assert.Equal(t, policy.Observation{
			Control: "out.data", Position: policy.AtBackend, Signal: policy.Leaked, Reason: policy.SchemaMismatch, Isolated: true,
		}, seen[len(seen)-1], "whatever else was found")
	}
}

func TestOnlyDenialsOfKnownControlsAreObserved(t *testing.T) {
	o := policy.Outcome{Class: policy.ClassOK}
	assert.Empty(t, policy.Classify(policy.Decision{}, o), "no findings")
	assert.Empty(t, policy.Classify(decision(permits(policy.TokSig), undecided(policy.TokAud), caused(policy.AzScope, policy.TokAud)), o))
	assert.Empty(t, policy.Classify(decision(denies("tok.unheard-of")), o), "not in the catalogue")
	for _, c := range []policy.Control{"tls.ver", "log.redact"} {
		assert.Empty(t, policy.Classify(decision(denies(c)), o), "%s has no column", c)
	}
}

// A client gets a nonce of ours by being refused once: neither the gateway nor the
// backend could have done that.
func TestAChallengeOfOursSaysNothingOfOthers(t *testing.T) {
	missing := finding(policy.TokBind, policy.Enforce, policy.Denied(policy.DPoPNonce, ""))
	for _, class := range []policy.ResponseClass{policy.ClassNone, policy.ClassOK, policy.Class401} {
		assert.Empty(t, policy.Classify(decision(permits(policy.TokSig), missing), policy.Outcome{Class: class}))
	}
}

func TestAnOutputControlHasNoSignalInARequestPhase(t *testing.T) {
	early := denies("out.data")
	early.Rule.Phase = policy.BodyPhase
	seen := policy.Classify(decision(early), policy.Outcome{Class: policy.ClassOK})
	assert.Empty(t, backendSignal(seen), "the answer was not judged")
}

func TestAnUnknownClassSaysNothingCertain(t *testing.T) {
	for _, e := range policy.Catalogue() {
		if plannedColumn(e.Family) >= 0 {
			assert.Equal(t, policy.Ambiguous, backendSignal(policy.Classify(decision(denies(e.ID)), policy.Outcome{Class: "R-418"})), e.ID)
		}
	}
}

func TestIsolation(t *testing.T) {
	out := denies("out.schema")
	forwarded := denies(policy.InHdr)
	forwarded.Verdict.Reason = policy.HeaderForwarding
	body := denies(policy.AzAccount)
	body.Rule.Phase = policy.BodyPhase
	tests := []struct {
		rule     string
		findings []policy.Finding
		isolated policy.Control // empty for none
	}{
		{"one denial alone is isolated", []policy.Finding{denies(policy.TokSig)}, policy.TokSig},
		{"passing findings confound nothing", []policy.Finding{permits(policy.TokSig), denies(policy.TokAud), finding(policy.InCtype, policy.Shadow, policy.Inapplicable())}, policy.TokAud},
		{"two denials confound each other", []policy.Finding{denies(policy.TokAud), denies(policy.TokTime)}, ""},
		{"two denials of one control are one violation", []policy.Finding{denies(policy.AzAccount), body}, policy.AzAccount},
		{"three denials of two controls confound each other", []policy.Finding{denies(policy.AzAccount), body, denies(policy.AzScope)}, ""},
		{"what the denial left undecided does not confound it", []policy.Finding{denies(policy.TokSig), caused(policy.TokAud, policy.TokSig), caused(policy.AzScope, policy.TokSig)}, policy.TokSig},
		{"what comes before it may name it too", []policy.Finding{caused(policy.TokSig, policy.TokIss), denies(policy.TokIss)}, policy.TokIss},
		{"an undecided finding of another cause confounds it", []policy.Finding{denies(policy.TokAud), caused(policy.AzScope, policy.TokSig)}, ""},
		{"one of several undecided findings is enough", []policy.Finding{denies(policy.TokSig), caused(policy.TokAud, policy.TokSig), caused(policy.InSchema, policy.InSize)}, ""},
		{"an undecided finding without a cause confounds it", []policy.Finding{denies(policy.InSize), undecided(policy.InSchema)}, ""},
		{"an undecided finding before it confounds it", []policy.Finding{undecided(policy.TokIss), denies(policy.InSize)}, ""},
		{"a denial of the response confounds nothing", []policy.Finding{denies(policy.TokSig), out}, policy.TokSig},
		{"an undecided finding of the response confounds nothing", []policy.Finding{denies(policy.TokSig), undecided("out.data")}, policy.TokSig},
		{"what proxies add to every request confounds nothing", []policy.Finding{forwarded, denies(policy.InSchema)}, policy.InSchema},
		{"and is isolated alone", []policy.Finding{forwarded, permits(policy.InSchema)}, policy.InHdr},
		{"a field that asks for something else confounds", []policy.Finding{denies(policy.InHdr), denies(policy.InSchema)}, ""},
		{"a denied transport confounds, though it has no signal", []policy.Finding{denies(policy.TokSig), denies("tls.ver")}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			seen := policy.Classify(decision(tt.findings...), policy.Outcome{Class: policy.ClassOK})
			require.NotEmpty(t, seen)
			for _, o := range seen {
				if phaseOf(o.Control) == policy.ResponsePhase {
					continue
				}
				assert.Equal(t, o.Control == tt.isolated, o.Isolated, "%s at %s", o.Control, o.Position)
			}
		})
	}
}

// FuzzClassify: every decision and outcome gives at most one observation for
// each denial at each position, with a known signal; a request that was not
// forwarded was enforced by nobody; at most one request-phase control is
// isolated.
func FuzzClassify(f *testing.F) {
	f.Add([]byte{0, 2, 0}, "R-OK", "", 200, false)
	f.Add([]byte{7, 2, 0, 8, 0, 7}, "R-SOFTDENY", "authn", 200, false)
	f.Add([]byte{5, 2, 0, 6, 2, 0}, "R-NONE", "", 0, true)
	f.Add([]byte{45, 2, 0, 37, 2, 0}, "R-SIZE", "", 411, true)
	f.Fuzz(func(t *testing.T, vector []byte, class, soft string, status int, coded bool) {
		if len(vector) > 4096 {
			return
		}
		d := vectorOf(vector)
		o := policy.Outcome{
			Class: policy.ResponseClass(class), SoftFamily: policy.Family(soft), BackendStatus: status, Coded: coded,
		}
		denied := make(map[policy.Control]int)
		for _, f := range d.Findings {
			if f.Verdict.Effect == policy.Deny {
				denied[f.Rule.Control]++
			}
		}
		isolated := make(map[policy.Control]bool)
		observed := make(map[policy.Observation]int)
		for _, o := range checked(t, policy.Classify(d, o), o.Class == policy.ClassNone) {
			if o.Isolated && phaseOf(o.Control) != policy.ResponsePhase {
				isolated[o.Control] = true
			}
			at := policy.Observation{Control: o.Control, Position: o.Position}
			observed[at]++
			assert.LessOrEqual(t, observed[at], denied[o.Control], "more observations than denials of %s", o.Control)
		}
		assert.LessOrEqual(t, len(isolated), 1)
	})
}

// checked asserts what holds for the observations of any request.
func checked(t *testing.T, seen []policy.Observation, unforwarded bool) []policy.Observation {
	t.Helper()
	for _, o := range seen {
		require.NotEqual(t, "-", letter(o.Signal), "%q is no signal", o.Signal)
		switch o.Position {
		case policy.AtGateway:
			assert.Equal(t, policy.Leaked, o.Signal)
		case policy.AtBackend:
			assert.False(t, unforwarded, "the backend never saw the request")
		default:
			assert.Fail(t, "not a position", o.Position)
		}
	}
	return seen
}

// vectorOf reads a decision from bytes, three to a finding: control, effect and
// cause.
func vectorOf(b []byte) policy.Decision {
	entries := policy.Catalogue()
	pick := func(b byte) policy.Control { return entries[int(b)%len(entries)].ID }
	var d policy.Decision
	for ; len(b) >= 3; b = b[3:] {
		v := policy.Verdict{Effect: effects()[int(b[1])%len(effects())]}
		if v.Effect == policy.Indeterminate && b[2] != 0 {
			v = policy.UndecidedBy(pick(b[2]))
		}
		d.Findings = append(d.Findings, finding(pick(b[0]), policy.Shadow, v))
	}
	return d
}

func TestModesChangeNeitherFindingsNorObservations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		verdicts := rapid.SliceOfN(anyVerdict(), 1, 20).Draw(t, "verdicts")
		controls := rapid.SliceOfN(rapid.SampledFrom(policy.Catalogue()), len(verdicts), len(verdicts)).Draw(t, "controls")
		o := policy.Outcome{
			Class:      rapid.SampledFrom(policy.Classes()).Draw(t, "class"),
			SoftFamily: rapid.SampledFrom(families()).Draw(t, "soft family"),
			Coded:      rapid.Bool().Draw(t, "coded"),
		}
		exceptions := []policy.Exception{{ID: "EX-1", Control: controls[0].ID, Until: noon.Add(1)}}
		evaluate := func(m policy.Mode) policy.Decision {
			rules := make([]*policy.Rule, len(verdicts))
			for i, v := range verdicts {
				rules[i] = rule(controls[i].ID, m, v)
			}
			p, r := plan(rules...)
			p = p.WithExceptions(exceptions)
			var d policy.Decision
			for _, ph := range phases() {
				d = p.Extend(t.Context(), r, d, ph)
			}
			return d
		}
		shadow, enforce := evaluate(policy.Shadow), evaluate(policy.Enforce)

		require.Len(t, shadow.Findings, len(verdicts), "every rule has its finding")
		require.Len(t, enforce.Findings, len(verdicts), "every rule has its finding")
		for i, s := range shadow.Findings {
			e := enforce.Findings[i]
			assert.Equal(t, s.Rule.Control, e.Rule.Control)
			assert.Equal(t, s.Verdict, e.Verdict)
			assert.Equal(t, s.Exception, e.Exception)
		}
		assert.Equal(t, policy.Classify(shadow, o), policy.Classify(enforce, o))
		assert.Equal(t, shadow.Clean(), enforce.Clean())
		_, blocked := shadow.Blocking()
		assert.False(t, blocked, "shadow blocks nothing")
		_, blocked = enforce.Blocking()
		assert.Equal(t, shadow.Disposition() == policy.WouldBlock, blocked, "would block means: blocks under enforce")
		assert.Equal(t, shadow.Disposition() == policy.Excepted, enforce.Disposition() == policy.Excepted)
	})
}

func anyVerdict() *rapid.Generator[policy.Verdict] {
	return rapid.OneOf(
		rapid.Just(policy.Permitted()),
		rapid.Just(policy.Inapplicable()),
		rapid.Just(policy.Verdict{}),
		rapid.Map(rapid.SampledFrom([]policy.Reason{policy.TokenExpired, policy.ScopeMissing}), denied),
		rapid.Map(rapid.SampledFrom(policy.Catalogue()), byCause),
	)
}

func denied(r policy.Reason) policy.Verdict { return policy.Denied(r, "") }
func byCause(e policy.Entry) policy.Verdict { return policy.UndecidedBy(e.ID) }

// What did not come through the gateway says nothing about it.
func TestWhatCameAroundTheGatewayIsNoObservationOfIt(t *testing.T) {
	finding := func(c policy.Control, v policy.Verdict) policy.Finding {
		return policy.Finding{Rule: &policy.Rule{Control: c, Mode: policy.Shadow}, Verdict: v}
	}
	d := policy.Decision{Findings: []policy.Finding{
		finding(policy.PathGateway, policy.Denied(policy.GatewayProofMissing, "")),
		finding(policy.AzAccount, policy.UndecidedBy(policy.PathGateway)),
	}}
	assert.Equal(t, []policy.Observation{
		{Control: policy.PathGateway, Position: policy.AtBackend, Signal: policy.Leaked, Reason: policy.GatewayProofMissing, Isolated: true},
	}, policy.Classify(d, policy.Outcome{Class: policy.ClassOK}))
	assert.Empty(t, policy.Classify(d, policy.Outcome{Class: policy.ClassNone}), "the sidecar blocked it")

	d.Findings[1].Verdict = policy.Denied(policy.AccountNotInToken, "")
	for _, o := range policy.Classify(d, policy.Outcome{Class: policy.ClassOK}) {
		assert.Equal(t, policy.AtBackend, o.Position, o.Control)
		assert.False(t, o.Isolated, o.Control)
	}

	d.Findings[0].Verdict = policy.Permitted()
	assert.Equal(t, policy.AtGateway, policy.Classify(d, policy.Outcome{Class: policy.ClassOK})[0].Position, "with the proof it arrived through the gateway")
}
