package audit_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/cryptotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

var update = flag.Bool("update", false, "write golden files")

// The golden files show what a record says of each kind of request.
func TestGoldenRecords(t *testing.T) {
	all := scenarios()
	files, err := filepath.Glob("testdata/records/*.json")
	require.NoError(t, err)
	for _, file := range files {
		assert.Contains(t, all, strings.TrimSuffix(filepath.Base(file), ".json"), "a golden file without a scenario")
	}
	for name, s := range all {
		t.Run(name, func(t *testing.T) {
			cryptotest.SetGlobalRandom(t, 1)
			got := line(t, record(t, s))
			var pretty bytes.Buffer
			require.NoError(t, json.Indent(&pretty, got, "", "  "))
			file := filepath.Join("testdata", "records", name+".json")
			if *update {
				require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
				require.NoError(t, os.WriteFile(file, pretty.Bytes(), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err, "run the test with -update")
			assert.Equal(t, string(want), pretty.String())

			back, err := audit.ReadRecord(got)
			require.NoError(t, err)
			assert.Equal(t, got, line(t, back), "a record reads back as it was written")
		})
	}
}

// Six facts are asked of every record; their keys exist even when there is
// nothing to say.
func TestMandatedFieldsAreAlwaysPresent(t *testing.T) {
	all := scenarios()
	all["nothing"] = scenario{}
	all["broken finding"] = scenario{request("ACCT-100200"), policy.Decision{Findings: []policy.Finding{{}}}, policy.Outcome{}}
	for name, s := range all {
		t.Run(name, func(t *testing.T) {
			var m map[string]any
			require.NoError(t, json.Unmarshal(line(t, record(t, s)), &m))
			for _, key := range []string{"trace_id", "client_id", "account", "principal_id", "http", "auth"} {
				assert.Contains(t, m, key)
			}
			assert.Regexp(t, "^[0-9a-f]{32}$", m["trace_id"])
			assert.Contains(t, m["http"], "path")
			assert.Contains(t, m["auth"], "outcome")
		})
	}
}

func TestClaimsOfAnUnprovenTokenStayApart(t *testing.T) {
	rec := record(t, scenarios()["forged-signature"])
	assert.Empty(t, rec.ClientID)
	assert.Empty(t, rec.PrincipalID)
	assert.Empty(t, rec.Account.Token)
	require.NotNil(t, rec.Claimed)
	assert.NotEqual(t, record(t, scenarios()["clean-allowed"]).ClientID, rec.Claimed.ClientID, "a client is known by its issuer too")
	assert.Equal(t, rec.Account.Requested, rec.Claimed.Accounts)
	assert.Nil(t, record(t, scenarios()["expired-token"]).Claimed, "an expired token has proven its claims")
}

func TestPathAccountJoinsWithTheAccountOfTheToken(t *testing.T) {
	rec := record(t, scenarios()["clean-allowed"])
	require.Len(t, rec.Account.Token, 1)
	assert.Equal(t, rec.Account.Token, rec.Account.Requested)
	assert.Contains(t, rec.HTTP.Path, "/accounts/"+rec.Account.Token[0]+"/ports/p1_")
	assert.Equal(t, "path.accountId", rec.Account.Carrier)
}

func TestRequestedAccountsComeFromEveryCarrierOnce(t *testing.T) {
	r := request("A-1")
	r.Query = policy.ParseQuery("account=A-2&account=A-1")
	r.Header["X-Account-Id"] = []string{"A-3"}
	r.Body.Selected = [][]string{{"A-4", "A-2"}}
	rec := record(t, scenario{r: r})
	p := pseudonyms(t)
	var want []string
	for _, a := range []string{"A-1", "A-2", "A-3", "A-4"} {
		want = append(want, p.Of(audit.TypeAccount, a))
	}
	assert.Equal(t, want, rec.Account.Requested)
	assert.Equal(t, "path.accountId,query.account,header.X-Account-Id,body./accountId", rec.Account.Carrier)
	assert.False(t, rec.Truncated)
}

func TestAuthOutcome(t *testing.T) {
	prerequisite := policy.UndecidedBy(policy.TokPresent)
	rows := []struct {
		rule     string
		auth     policy.Authentication
		verdicts []policy.Finding
		outcome  string
		reason   policy.Reason
	}{
		{"proven and unopposed is success", proven(), nil, "success", audit.TokenValid},
		{"an authorization denial is no authentication failure", proven(), one(policy.AzAccount, policy.Denied(policy.AccountNotInToken, "")), "success", audit.TokenValid},
		{"a proven token that a control refuses is failure", proven(), one(policy.TokAud, policy.Denied(policy.TokenAudience, "")), "failure", policy.TokenAudience},
		{"a replayed token is failure", proven(), one(policy.TokReplay, policy.Denied(policy.TokenReplayed, "")), "failure", policy.TokenReplayed},
		{"an undecided control is error", policy.Authentication{}, one(policy.TokSig, policy.Undecided(policy.KeySetUnavailable, nil)), "error", policy.KeySetUnavailable},
		{"a missing credential is none", policy.Authentication{}, one(policy.TokPresent, policy.Denied(policy.CredentialMissing, "")), "none", policy.CredentialMissing},
		{"a credential of another scheme is failure", policy.Authentication{}, one(policy.TokPresent, policy.Denied(policy.CredentialScheme, "")), "failure", policy.CredentialScheme},
		{"a public operation needs none", policy.Authentication{Proof: prerequisite}, one(policy.TokPresent, policy.Inapplicable()), "none", audit.NotRequired},
		{"without controls the proof decides", policy.Authentication{Proof: policy.Denied(policy.TokenSignature, "")}, nil, "failure", policy.TokenSignature},
		{"without controls a missing credential is none", policy.Authentication{Proof: policy.Verdict{Reason: policy.CredentialMissing, Cause: policy.TokPresent}}, nil, "none", policy.CredentialMissing},
		{"without tok.present a dependent control leaves it to the proof", policy.Authentication{Proof: policy.Verdict{Reason: policy.CredentialMissing, Cause: policy.TokPresent}}, one(policy.TokSig, prerequisite), "none", policy.CredentialMissing},
		{"without controls a foreign issuer is failure", policy.Authentication{Proof: policy.UndecidedBy(policy.TokIss)}, nil, "failure", policy.IssuerUnknown},
		{"without controls an unavailable key set is error", policy.Authentication{Proof: policy.Undecided(policy.KeySetUnavailable, nil)}, nil, "error", policy.KeySetUnavailable},
		{"an identity that the gateway asserted is success", policy.Authentication{Proof: policy.Permitted(), Identity: &policy.Identity{Client: "c"}}, one(policy.TokPresent, policy.Permitted()), "success", audit.IdentityAsserted},
		{"an API key that counts is success", policy.Authentication{Proof: policy.Permitted(), Identity: &policy.Identity{Client: "c"}, APIKey: &policy.APIKey{}}, one(policy.KeyValid, policy.Permitted()), "success", audit.APIKeyValid},
		{"an API key that is over is failure", policy.Authentication{Proof: policy.Permitted(), Identity: &policy.Identity{Client: "c"}, APIKey: &policy.APIKey{}}, one(policy.KeyValid, policy.Denied(policy.APIKeyExpired, "")), "failure", policy.APIKeyExpired},
		{"without controls an unknown API key is failure", policy.Authentication{Proof: policy.Verdict{Reason: policy.APIKeyUnknown, Cause: policy.KeyValid}}, nil, "failure", policy.APIKeyUnknown},
		{"one that anybody may have set is failure", policy.Authentication{Proof: policy.Verdict{Reason: policy.GatewayProofMismatch, Cause: policy.PathGateway}}, one(policy.TokPresent, policy.UndecidedBy(policy.PathGateway)), "failure", policy.GatewayProofMismatch},
		{"a refused connection was not evaluated", policy.Authentication{}, nil, "error", audit.NotEvaluated},
	}
	for _, row := range rows {
		t.Run(row.rule, func(t *testing.T) {
			rec := record(t, scenario{&policy.Request{Auth: row.auth}, policy.Decision{Findings: row.verdicts}, policy.Outcome{}})
			assert.Equal(t, audit.Auth{Outcome: row.outcome, Reason: row.reason}, rec.Auth)
		})
	}
}

func one(c policy.Control, v policy.Verdict) []policy.Finding {
	return []policy.Finding{finding(c, policy.Shadow, v)}
}

func TestPeerAddressIsGeneralised(t *testing.T) {
	rows := []struct{ rule, addr, want string }{
		{"IPv4 to its /24", "203.0.113.77", "203.0.113.0"},
		{"IPv6 to its /48", "2001:db8:1:2::3", "2001:db8:1::"},
		{"mapped IPv4 like IPv4", "::ffff:203.0.113.77", "203.0.113.0"},
		{"a zone goes", "fe80::1%eth0", "fe80::"},
	}
	for _, row := range rows {
		t.Run(row.rule, func(t *testing.T) {
			r := request("A-1")
			require.NoError(t, r.Peer.Addr.UnmarshalText([]byte(row.addr)))
			assert.Equal(t, row.want, record(t, scenario{r: r}).Client.IP)
		})
	}
}

// TestSourceAddressIsGeneralised: what a hop tells of its client is cut as the peer is, and
// is there only where somebody tells it.
func TestSourceAddressIsGeneralised(t *testing.T) {
	rows := []struct {
		rule   string
		source netip.Addr
		want   string
	}{
		{"IPv4 to its /24", netip.MustParseAddr("198.51.100.77"), "198.51.100.0"},
		{"IPv6 to its /48", netip.MustParseAddr("2001:db8:1:2::3"), "2001:db8:1::"},
		{"the peer itself", request("A-1").Peer.Addr, ""},
		{"nobody knows", netip.Addr{}, ""},
	}
	for _, row := range rows {
		t.Run(row.rule, func(t *testing.T) {
			r := request("A-1")
			r.Source = row.source
			client := record(t, scenario{r: r}).Client
			assert.Equal(t, row.want, client.Source)
			assert.Equal(t, "203.0.113.0", client.IP)
		})
	}
}

func TestModesOfPassingControlsAreKept(t *testing.T) {
	d := policy.Decision{Findings: []policy.Finding{
		finding(policy.InRoute, policy.Enforce, policy.Permitted()),
		finding(policy.InMethod, policy.Shadow, policy.Permitted()),
		finding(policy.InCtype, policy.Enforce, policy.Inapplicable()),
	}}
	rec := record(t, scenario{request("A-1"), d, policy.Outcome{}})
	assert.Equal(t, []policy.Control{policy.InRoute, policy.InMethod}, rec.Permits)
	assert.Equal(t, []policy.Control{policy.InCtype}, rec.NotApplicable)
	assert.Equal(t, []policy.Control{policy.InRoute, policy.InCtype}, rec.Enforced)
}

// A control of the head and the body stands once where the body had nothing to add, and
// with both where it had.
func TestAControlOfHeadAndBodyStandsOnce(t *testing.T) {
	head, body := finding(policy.InFrame, policy.Enforce, policy.Permitted()), finding(policy.InFrame, policy.Enforce, policy.Inapplicable())
	rec := record(t, scenario{request("A-1"), policy.Decision{Findings: []policy.Finding{head, body}}, policy.Outcome{}})
	assert.Equal(t, []policy.Control{policy.InFrame}, rec.Permits)
	assert.Empty(t, rec.NotApplicable)
	assert.Equal(t, []policy.Control{policy.InFrame}, rec.Enforced)
	body.Verdict = policy.Denied(policy.FrameChunk, "")
	rec = record(t, scenario{request("A-1"), policy.Decision{Findings: []policy.Finding{head, body}}, policy.Outcome{}})
	assert.Len(t, rec.Findings, 1)
}

func TestFailedOpenIsRecorded(t *testing.T) {
	f := finding(policy.RateApp, policy.Enforce, policy.Undecided(policy.InternalError, nil))
	f.Rule.OnError = policy.Permit
	rec := record(t, scenario{request("A-1"), policy.Decision{Findings: []policy.Finding{f}}, policy.Outcome{}})
	require.Len(t, rec.Findings, 1)
	assert.True(t, rec.Findings[0].FailedOpen)
}

func TestPartialInspectionIsRecorded(t *testing.T) {
	r := request("A-1")
	assert.False(t, record(t, scenario{r: r}).HTTP.PartiallyInspected)
	d := policy.Decision{Findings: one(policy.InSchema, policy.Undecided(policy.NotInspected, nil))}
	assert.True(t, record(t, scenario{r, d, policy.Outcome{}}).HTTP.PartiallyInspected, "a control wanted more")
	r.Response = &policy.Response{Status: 200, Body: policy.Body{Bytes: []byte("abc"), Size: 9}}
	rec := record(t, scenario{r: r})
	assert.True(t, rec.HTTP.PartiallyInspected, "only a part of the answer")
	assert.EqualValues(t, len(r.Body.Bytes)+3, rec.HTTP.InspectedBytes)
}

// A record that holds more of everything than any request can give is cut, keeps
// what is mandated, and leaves the original alone.
func TestLongRecordIsCut(t *testing.T) {
	long := strings.Repeat(`"`, 5000)
	r := request("ACCT-100200")
	r.Match.Operation.Template = "/" + long + "/{accountId}"
	r.Auth.Identity.Accounts = make([]string, 500)
	var d policy.Decision
	for _, e := range policy.Catalogue() {
		f := finding(e.ID, policy.Enforce, policy.Denied(policy.UndeclaredProperty, long))
		f.Exception = long
		d.Findings = append(d.Findings, f)
	}
	var got last
	c := contract()
	c.Issuers = []string{long}
	r.Auth.Token.Claimed.Issuer = long
	audit.NewRecorder(audit.Options{
		Product: long, Environment: long, Instance: long, Version: long, RequestIDHeader: "X-Request-Id",
		Contract: c, Pseudonyms: pseudonyms(t), Consumers: []audit.Consumer{&got},
	}).Observe(r, d, forwarded(policy.WouldBlock, 200, policy.ClassOK))
	findings := len(got.rec.Findings)

	text := line(t, got.rec)
	assert.LessOrEqual(t, len(text), audit.MaxLine)
	assert.Len(t, got.rec.Findings, findings, "the shared record is not changed")
	assert.NotEmpty(t, got.rec.Findings[0].Detail, "the shared record is not changed")
	back, err := audit.ReadRecord(text)
	require.NoError(t, err)
	assert.True(t, back.Truncated)
	assert.Equal(t, got.rec.ClientID, back.ClientID)
	assert.Equal(t, got.rec.HTTP.Path, back.HTTP.Path)
	assert.NotEmpty(t, back.Account.Requested)
}

func TestRecordSurvivesABrokenFinding(t *testing.T) {
	s := scenario{request("A-1"), policy.Decision{Findings: []policy.Finding{{}}}, forwarded(policy.Failed, 500, policy.ClassNone)}
	rec := record(t, s)
	assert.Equal(t, []string{"record"}, rec.Redaction.Errors)
	assert.Equal(t, audit.Auth{Outcome: "error", Reason: policy.InternalError}, rec.Auth)
	assert.Equal(t, 500, rec.Client.Status)
	assert.Equal(t, s.r.ID, rec.DecisionID)
}

func TestNewVocabularyAppliesToLaterRequests(t *testing.T) {
	var got last
	rc := recorder(t, &got)
	r := scenarios()["unmatched-path"].r
	rc.Observe(r, policy.Decision{}, policy.Outcome{})
	assert.Contains(t, got.rec.HTTP.Path, "/v1/accounts/p1_")
	rc.Use(audit.Contract{})
	rc.Observe(r, policy.Decision{}, policy.Outcome{})
	assert.Regexp(t, "^/v1(/p1_[a-z2-7]{26}){4}$", got.rec.HTTP.Path, "without a contract, common words are left")
}

// Common words name nobody; anything else of an unmatched path may.
func TestUnmatchedPathKeepsCommonWordsAlone(t *testing.T) {
	for path, want := range map[string]string{
		"/internal/debug":           "^/internal/debug$",
		"/admin/jane-doe/export":    "^/admin/p1_[a-z2-7]{26}/export$",
		"/Admin/in%74ernal/debug.x": "^(/p1_[a-z2-7]{26}){3}$",
	} {
		assert.Regexp(t, want, record(t, scenario{r: &policy.Request{Path: path}}).HTTP.Path)
	}
}

func TestCommonSegmentsAreCommonWords(t *testing.T) {
	words := audit.CommonSegments()
	seen := map[string]bool{}
	for _, w := range words {
		assert.Regexp(t, `^(\*|\.?[a-z][a-z0-9]*([-.][a-z0-9]+)*)$`, w)
		assert.False(t, seen[w], "%s is there twice", w)
		seen[w] = true
	}
	assert.Less(t, len(words), 200, "a list that a reader can judge word by word")
}

func TestLongUnmatchedPathIsBounded(t *testing.T) {
	r := &policy.Request{Path: strings.Repeat("/x", 100_000)}
	rec := record(t, scenario{r: r})
	assert.LessOrEqual(t, len(rec.HTTP.Path), 1024)
	assert.True(t, strings.HasSuffix(rec.HTTP.Path, "/…"))
	assert.True(t, rec.Truncated)
}

// Records of an operation share their lists only while the same rules say the
// same.
func TestSharedListsAreThoseOfTheDecision(t *testing.T) {
	var got last
	rc := recorder(t, &got)
	permit, inapplicable := policy.Permitted(), policy.Inapplicable()
	ctype, scope := finding(policy.InCtype, policy.Enforce, permit), finding(policy.AzScope, policy.Shadow, permit)
	rows := []struct {
		rule                             string
		findings                         []policy.Finding
		permits, notApplicable, enforced []policy.Control
		denied                           int
	}{
		{"the first that passes", []policy.Finding{ctype, scope}, []policy.Control{policy.InCtype, policy.AzScope}, nil, []policy.Control{policy.InCtype}, 0},
		{"the same again", []policy.Finding{ctype, scope}, []policy.Control{policy.InCtype, policy.AzScope}, nil, []policy.Control{policy.InCtype}, 0},
		{"another effect", []policy.Finding{{Rule: ctype.Rule, Verdict: inapplicable}, scope}, []policy.Control{policy.AzScope}, []policy.Control{policy.InCtype}, []policy.Control{policy.InCtype}, 0},
		{"a denial", []policy.Finding{{Rule: ctype.Rule, Verdict: policy.Denied(policy.ContentTypeUndeclared, "")}, scope}, []policy.Control{policy.AzScope}, nil, []policy.Control{policy.InCtype}, 1},
		{"a rule of another policy", []policy.Finding{finding(policy.InCtype, policy.Shadow, permit), scope}, []policy.Control{policy.InCtype, policy.AzScope}, nil, nil, 0},
		{"fewer", []policy.Finding{scope}, []policy.Control{policy.AzScope}, nil, nil, 0},
		{"none", nil, nil, nil, nil, 0},
	}
	for _, row := range rows {
		rc.Observe(request("A-1"), policy.Decision{Findings: row.findings}, policy.Outcome{})
		assert.Equal(t, row.permits, got.rec.Permits, row.rule)
		assert.Equal(t, row.notApplicable, got.rec.NotApplicable, row.rule)
		assert.Equal(t, row.enforced, got.rec.Enforced, row.rule)
		assert.Len(t, got.rec.Findings, row.denied, row.rule)
	}
}
