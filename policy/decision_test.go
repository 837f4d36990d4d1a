package policy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
)

// The verdicts that the tables below are made of.
var (
	ok    = policy.Permitted()
	na    = policy.Inapplicable()
	no    = policy.Denied(policy.ScopeMissing, "")
	maybe = policy.Undecided(policy.KeySetUnavailable, nil)
)

// open is the finding with its control under insecure_fail_open.
func open(f policy.Finding) policy.Finding {
	f.Rule.OnError = policy.Permit
	return f
}

// except is the finding covered by an exception.
func except(f policy.Finding) policy.Finding {
	f.Exception = "EX-1"
	return f
}

// reported is the finding of a rule that only reports its reason.
func reported(f policy.Finding) policy.Finding {
	f.Rule.Reports = []policy.Reason{f.Verdict.Reason, policy.QuotaExceeded}
	return f
}

func TestBlocking(t *testing.T) {
	const off, shadow, enforce = policy.Off, policy.Shadow, policy.Enforce
	by := policy.UndecidedBy
	tests := []struct {
		rule     string
		findings []policy.Finding
		blocks   policy.Control // empty for none
	}{
		{"nothing blocks without findings", nil, ""},
		{"what passes does not block", []policy.Finding{finding("tok.sig", enforce, ok), finding("in.ctype", enforce, na)}, ""},
		{"an enforced denial blocks", []policy.Finding{finding("tok.sig", enforce, no)}, "tok.sig"},
		{"an enforced undecided verdict blocks", []policy.Finding{finding("tok.sig", enforce, maybe)}, "tok.sig"},
		{"a verdict that nobody made blocks", []policy.Finding{finding("tok.sig", enforce, policy.Verdict{})}, "tok.sig"},
		{"shadow never blocks", []policy.Finding{finding("tok.sig", shadow, no), finding("tok.aud", shadow, maybe)}, ""},
		{"off never blocks", []policy.Finding{finding("tok.sig", off, no), finding("tok.aud", off, maybe)}, ""},
		{"a control that fails open does not block undecided", []policy.Finding{open(finding("tok.sig", enforce, maybe))}, ""},
		{"a control that fails open still blocks a denial", []policy.Finding{open(finding("tok.sig", enforce, no))}, "tok.sig"},
		{"an excepted denial does not block", []policy.Finding{except(finding("tok.sig", enforce, no))}, ""},
		{"an excepted undecided verdict does not block", []policy.Finding{except(finding("tok.sig", enforce, maybe))}, ""},
		{"a reported denial does not block", []policy.Finding{reported(finding("in.schema", enforce, no))}, ""},
		{"an undecided verdict is never only reported", []policy.Finding{reported(finding("in.schema", enforce, maybe))}, "in.schema"},
		{"a reported denial hides none behind it", []policy.Finding{reported(finding("in.schema", enforce, no)), finding("az.scope", enforce, no)}, "az.scope"},
		{"the first that enforces blocks", []policy.Finding{finding("tok.sig", shadow, no), except(finding("tok.aud", enforce, no)), finding("az.scope", enforce, no), finding("az.account", enforce, no)}, "az.scope"},
		{"an unknown issuer answers tok.iss", []policy.Finding{finding("tok.present", enforce, ok), finding("tok.sig", enforce, by("tok.iss")), finding("tok.iss", enforce, no)}, "tok.iss"},
		{"a cause in shadow leaves the answer to the undecided control", []policy.Finding{finding("tok.sig", enforce, by("tok.iss")), finding("tok.iss", shadow, no)}, "tok.sig"},
		{"an excepted cause leaves the answer to the undecided control", []policy.Finding{finding("tok.sig", enforce, by("tok.iss")), except(finding("tok.iss", enforce, no))}, "tok.sig"},
		{"a cause that fails open leaves the answer to the undecided control", []policy.Finding{finding("az.scope", enforce, by("tok.sig")), open(finding("tok.sig", enforce, maybe))}, "az.scope"},
		{"a cause that passes leaves the answer to the undecided control", []policy.Finding{finding("az.scope", enforce, by("tok.sig")), finding("tok.sig", enforce, ok)}, "az.scope"},
		{"an absent cause leaves the answer to the undecided control", []policy.Finding{finding("az.scope", enforce, by("in.route"))}, "az.scope"},
		{"a shadowed undecided verdict does not make its cause block", []policy.Finding{finding("az.scope", shadow, by("tok.sig")), finding("tok.sig", shadow, no)}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			f, blocks := decision(tt.findings...).Blocking()
			assert.Equal(t, tt.blocks != "", blocks)
			if tt.blocks == "" {
				assert.Equal(t, policy.Finding{}, f)
				return
			}
			require.NotNil(t, f.Rule)
			assert.Equal(t, tt.blocks, f.Rule.Control)
		})
	}
}

func TestDisposition(t *testing.T) {
	const shadow, enforce = policy.Shadow, policy.Enforce
	tests := []struct {
		rule     string
		findings []policy.Finding
		want     policy.Disposition
	}{
		{"no findings", nil, policy.Allowed},
		{"everything passes", []policy.Finding{finding("tok.sig", enforce, ok), finding("in.ctype", shadow, na)}, policy.Allowed},
		{"a shadow denial would block", []policy.Finding{finding("tok.sig", shadow, no)}, policy.WouldBlock},
		{"a reported denial would not", []policy.Finding{reported(finding("in.schema", shadow, no)), reported(finding("in.schema", enforce, no))}, policy.Allowed},
		{"an undecided shadow verdict would block", []policy.Finding{finding("tok.sig", shadow, maybe)}, policy.WouldBlock},
		{"an undecided shadow verdict that fails open would not", []policy.Finding{open(finding("tok.sig", shadow, maybe))}, policy.Allowed},
		{"a denial that fails open would block all the same", []policy.Finding{open(finding("tok.sig", shadow, no))}, policy.WouldBlock},
		{"an enforced undecided verdict that fails open is let through", []policy.Finding{open(finding("tok.sig", enforce, maybe))}, policy.Allowed},
		{"an enforced denial is blocked", []policy.Finding{finding("tok.sig", enforce, no)}, policy.Blocked},
		{"one enforced denial is enough", []policy.Finding{finding("tok.sig", shadow, no), except(finding("tok.aud", enforce, no)), finding("az.scope", enforce, no)}, policy.Blocked},
		{"an excepted enforced denial is excepted", []policy.Finding{except(finding("tok.sig", enforce, no))}, policy.Excepted},
		{"an excepted shadow denial is excepted", []policy.Finding{except(finding("tok.sig", shadow, no))}, policy.Excepted},
		{"exceptions must cover every objection", []policy.Finding{except(finding("tok.sig", enforce, no)), finding("tok.aud", shadow, no)}, policy.WouldBlock},
		{"in either order", []policy.Finding{finding("tok.aud", shadow, no), except(finding("tok.sig", enforce, no))}, policy.WouldBlock},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			assert.Equal(t, tt.want, decision(tt.findings...).Disposition())
		})
	}
}

func TestFailedOpen(t *testing.T) {
	tests := []struct {
		rule string
		f    policy.Finding
		want bool
	}{
		{"undecided, enforced, listed", open(finding("tok.sig", policy.Enforce, maybe)), true},
		{"a control that is not listed blocks instead", finding("tok.sig", policy.Enforce, maybe), false},
		{"shadow opens nothing", open(finding("tok.sig", policy.Shadow, maybe)), false},
		{"a denial does not fail open", open(finding("tok.sig", policy.Enforce, no)), false},
		{"a permit needs no opening", open(finding("tok.sig", policy.Enforce, ok)), false},
		{"an exception let it through", open(except(finding("tok.sig", policy.Enforce, maybe))), false},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			assert.Equal(t, tt.want, decision(tt.f).FailedOpen(tt.f))
		})
	}
}

// Failing open is for what is out of order. What a caller provokes still blocks.
func TestWhatACallerProvokesDoesNotFailOpen(t *testing.T) {
	for _, tt := range []struct {
		rule  string
		root  []policy.Finding
		opens bool
	}{
		{"the cause denied: a token of a foreign issuer", []policy.Finding{finding("tok.iss", policy.Shadow, no)}, false},
		{"the cause is not judged at all", nil, false},
		{"the cause could not decide either: keys are missing", []policy.Finding{open(finding("tok.iss", policy.Enforce, maybe))}, true},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			f := open(finding("tok.sig", policy.Enforce, policy.UndecidedBy("tok.iss")))
			d := decision(append(tt.root, f)...)
			_, blocked := d.Blocking()
			assert.Equal(t, !tt.opens, blocked)
			assert.Equal(t, tt.opens, d.FailedOpen(f))
		})
	}
}

func TestADecisionWaitsForABodyThatAnEnforcingRuleNeeds(t *testing.T) {
	unread := policy.Undecided(policy.NotInspected, nil)
	for _, tt := range []struct {
		rule string
		f    policy.Finding
		want bool
	}{
		{"an enforcing rule", finding("out.schema", policy.Enforce, unread), true},
		{"one that fails open judges what it can, too", open(finding("out.schema", policy.Enforce, unread)), true},
		{"a rule in shadow takes a copy", finding("out.schema", policy.Shadow, unread), false},
		{"an exception covers either verdict", except(finding("out.schema", policy.Enforce, unread)), false},
		{"reading would not help", finding("out.schema", policy.Enforce, policy.Undecided(policy.ContentCoding, nil)), false},
		{"the head says it all", finding("out.schema", policy.Enforce, no), false},
	} {
		assert.Equal(t, tt.want, decision(tt.f).Waits(), tt.rule)
	}
	assert.False(t, policy.Decision{}.Waits())
}

func TestAnswersWithoutABody(t *testing.T) {
	var none *policy.Response
	assert.True(t, none.Bodiless("GET"))
	for status, want := range map[int]bool{0: true, 101: true, 103: true, 200: false, 204: true, 205: true, 206: false, 304: true, 404: false} {
		assert.Equal(t, want, (&policy.Response{Status: status}).Bodiless("GET"), status)
		assert.True(t, (&policy.Response{Status: status}).Bodiless("HEAD"), status)
	}
}

func TestACleanDecisionHasOnlyFindingsThatPass(t *testing.T) {
	assert.True(t, policy.Decision{}.Clean())
	assert.True(t, decision(finding("tok.sig", policy.Enforce, ok), finding("in.ctype", policy.Shadow, na)).Clean())
	assert.False(t, decision(finding("tok.sig", policy.Enforce, ok), finding("az.scope", policy.Shadow, no)).Clean())
	assert.False(t, decision(finding("tok.sig", policy.Shadow, maybe)).Clean())
	assert.False(t, decision(except(finding("tok.sig", policy.Enforce, no))).Clean(), "an exception lets through, it does not make clean")
}

func TestFindReturnsTheFirstFindingOfAControl(t *testing.T) {
	head, body := finding("az.account", policy.Shadow, ok), finding("az.account", policy.Shadow, no)
	d := decision(finding("tok.sig", policy.Shadow, ok), head, body)
	f, found := d.Find("az.account")
	assert.True(t, found)
	assert.Same(t, head.Rule, f.Rule)
	_, found = d.Find("az.scope")
	assert.False(t, found)
}

func TestWithAddsALaterPhaseAndChangesNeitherDecision(t *testing.T) {
	roomy := make([]policy.Finding, 1, 8)
	roomy[0] = finding("tok.sig", policy.Shadow, ok)
	head := policy.Decision{Findings: roomy}
	first := head.With(decision(finding("in.size", policy.Shadow, no)))
	second := head.With(decision(finding("in.schema", policy.Shadow, no)))

	assert.Len(t, head.Findings, 1)
	require.Len(t, first.Findings, 2)
	assert.Equal(t, policy.InSize, first.Findings[1].Rule.Control, "the second With overwrote the first one's findings")
	assert.Equal(t, policy.InSchema, second.Findings[1].Rule.Control)

	first.Findings[0].Exception = "EX-1"
	assert.Empty(t, head.Findings[0].Exception)
	assert.Equal(t, head, head.With(policy.Decision{}))
	assert.Equal(t, head.Findings, policy.Decision{}.With(head).Findings)
}

func TestADenialThatIsOnlyReportedIsOneOfShadow(t *testing.T) {
	f := reported(finding("in.schema", policy.Enforce, no))
	assert.True(t, f.Reported())
	assert.Equal(t, policy.Shadow, f.Mode())
	assert.False(t, decision(f).Clean(), "it is a finding all the same")
	f.Verdict = policy.Denied(policy.SchemaMismatch, "")
	assert.False(t, f.Reported())
	assert.Equal(t, policy.Enforce, f.Mode())
	f.Rule.Mode = policy.Off
	assert.Equal(t, policy.Off, f.Mode())
}
