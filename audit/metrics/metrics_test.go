package metrics_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/audit/metrics"
	"github.com/sidewarden/sidewarden/policy"
)

type never struct{}

func (never) Check(context.Context, *policy.Request) policy.Verdict { return policy.Permitted() }

func rule(c policy.Control, m policy.Mode) *policy.Rule {
	return &policy.Rule{Control: c, Mode: m, Check: never{}}
}

func plan(id string) *policy.Operation {
	op := &policy.Operation{ID: id, Method: "GET", Template: "/" + id + "/{x}"}
	for _, c := range []policy.Control{policy.InRoute, policy.InMethod, policy.TokPresent, policy.TokSig, policy.AzAccount} {
		op.Rules = append(op.Rules, rule(c, policy.Shadow))
	}
	return op
}

func compiled(operations ...string) *policy.Policy {
	p := &policy.Policy{Digest: "sha256:aa", Unmatched: plan(policy.UnmatchedID)}
	for _, id := range operations {
		p.Operations = append(p.Operations, plan(id))
	}
	return p
}

// sources has a value for everything that is scraped.
func sources() metrics.Sources {
	return metrics.Sources{
		TransportRefused: func() map[string]uint64 { return map[string]uint64{"head-too-large": 3} },
		ConnectionAuth:   func() map[string]uint64 { return map[string]uint64{"ntlm": 6} },
		KeySets: func() []metrics.KeySet {
			return []metrics.KeySet{
				{
					Issuer: "https://a", Age: time.Minute, Loaded: true, Ready: true, Keys: 2, RetiredUses: 5,
					Reads: map[string]uint64{"ok": 2, "timeout": 1}, Skipped: map[string]int{"use": 1, "modulus": 0},
				},
				{Issuer: "https://a", Age: 2 * time.Minute, Loaded: true, Ready: true, Reads: map[string]uint64{"ok": 1}, Skipped: map[string]int{"use": 2}},
				{Issuer: "https://a", Age: time.Second, Loaded: true, Ready: true, Keys: 1},
				{Issuer: "https://b", Reads: map[string]uint64{"timeout": 4}},
				{Issuer: "https://c", Ready: true},
				{Issuer: "https://c"},
			}
		},
		TokenCache: func() []metrics.TokenCache { return []metrics.TokenCache{{Issuer: "https://a", Hits: 9, Misses: 8}} },
		Introspection: func() []metrics.Introspection {
			return []metrics.Introspection{{Issuer: "https://a", Results: map[string]uint64{"active": 3, "busy": 0}, Hits: 5, Misses: 4}}
		},
		Exceptions: func() []metrics.Exception {
			return []metrics.Exception{{ID: "EX-1", Expires: time.Unix(1801440000, 0), Matches: 9}, {ID: "EX-2", Expires: time.Unix(1, 0)}}
		},
		Endpoints:    func() map[string]int { return map[string]int{"shadow": 2, "dead": 0} },
		Certificates: func() map[string]time.Time { return map[string]time.Time{"listen": time.Unix(1801440000, 0)} },
		Bypass: func() []metrics.Bypass {
			return []metrics.Bypass{{Kind: "BY1", Detected: 4, Tested: true}, {Kind: "BY2"}}
		},
		Logs: func() map[string]audit.LogStats {
			return map[string]audit.LogStats{"file": {Written: 7, Failed: 2, Dropped: audit.Drops{Allowed: 5, Denied: 1}}}
		},
	}
}

func newMetrics(operations ...string) *metrics.Metrics {
	m := metrics.New(metrics.Options{Version: "0.1.0", Sources: sources()})
	m.Use(compiled(operations...))
	return m
}

// leak is the record of a request that the account boundary would have blocked.
func leak(operation string) *audit.Record {
	ttl := int64(3600)
	return &audit.Record{
		Op: audit.Op{ID: operation}, HTTP: audit.HTTP{Method: "GET", InspectedBytes: 12, PartiallyInspected: true},
		Client: audit.Client{Status: 200}, Disposition: "would-block",
		Tok: &audit.Tok{TTLS: &ttl}, Auth: audit.Auth{Outcome: audit.AuthSuccess},
		Findings: []audit.Finding{
			{Control: policy.AzAccount, Effect: "deny", Mode: "shadow"},
			{Control: policy.RateApp, Effect: "indeterminate", Mode: "enforce", FailedOpen: true},
		},
		Permits: []policy.Control{policy.InRoute, policy.InMethod}, NotApplicable: []policy.Control{policy.InCtype},
		Enforced: []policy.Control{policy.InMethod, policy.RateApp},
		Be:       audit.Backend{Status: 200, LatencyMS: 37},
		Observations: []audit.Observation{
			{Control: policy.AzAccount, Position: policy.AtGateway, Signal: policy.Leaked},
			{Control: policy.AzAccount, Position: policy.AtBackend, Signal: policy.Leaked},
		},
		OverheadUS: 400,
	}
}

// scrape returns what a Prometheus server would read.
func scrape(t *testing.T, m *metrics.Metrics, accept string) string {
	t.Helper()
	server := httptest.NewServer(m.Handler())
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	req.Header.Set("Accept", accept)
	resp, err := server.Client().Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	return string(body)
}

func samples(text string) int {
	n := 0
	for l := range strings.Lines(text) {
		if !strings.HasPrefix(l, "#") {
			n++
		}
	}
	return n
}

func TestRecordsAreCounted(t *testing.T) {
	m := newMetrics("getOrder")
	m.Consume(leak("getOrder"))
	text := scrape(t, m, "text/plain")
	for _, want := range []string{
		`sidewarden_requests_total{disposition="would-block",method="GET",operation="getOrder",status_class="2xx"} 1`,
		`sidewarden_control_effects_total{control="az.account",effect="deny",mode="shadow"} 1`,
		`sidewarden_control_effects_total{control="in.route",effect="permit",mode="shadow"} 1`,
		`sidewarden_control_effects_total{control="in.method",effect="permit",mode="enforce"} 1`,
		`sidewarden_control_effects_total{control="in.ctype",effect="not-applicable",mode="shadow"} 1`,
		`sidewarden_control_effects_total{control="rate.app",effect="indeterminate",mode="enforce"} 1`,
		`sidewarden_control_denials_total{control="az.account",mode="shadow",operation="getOrder"} 1`,
		`sidewarden_observations_total{control="az.account",operation="getOrder",position="gateway",signal="leaked"} 1`,
		`sidewarden_observations_total{control="az.account",operation="getOrder",position="backend",signal="leaked"} 1`,
		`sidewarden_overhead_seconds_bucket{le="0.00025"} 0`,
		`sidewarden_overhead_seconds_bucket{le="0.0005"} 1`,
		`sidewarden_backend_seconds_sum 0.037`,
		`sidewarden_token_lifetime_seconds_sum 3600`,
		`sidewarden_inspected_bytes_total 12`,
		`sidewarden_partial_inspection_total 1`,
		`sidewarden_fail_open_total{control="rate.app"} 1`,
		`sidewarden_fail_open_total{control="az.account"} 0`,
	} {
		assert.Contains(t, text, want+"\n")
	}
}

func TestTheStateOfTheProcessIsTold(t *testing.T) {
	m := newMetrics("getOrder")
	m.Reloaded(true)
	m.Reloaded(false)
	text := scrape(t, m, "text/plain")
	for _, want := range []string{
		`sidewarden_transport_refused_total{reason="head-too-large"} 3`,
		`sidewarden_connection_auth_total{scheme="ntlm"} 6`,
		`sidewarden_policy_info{digest="sha256:aa"} 1`,
		`sidewarden_reload_success 0`,
		`sidewarden_reload_total{result="success"} 1`,
		`sidewarden_reload_total{result="failure"} 1`,
		`sidewarden_key_set_age_seconds{issuer="https://a"} 120`,
		`sidewarden_key_set_refresh_total{issuer="https://a",result="ok"} 3`,
		`sidewarden_key_set_refresh_total{issuer="https://a",result="timeout"} 1`,
		`sidewarden_key_set_refresh_total{issuer="https://b",result="timeout"} 4`,
		`sidewarden_key_set_ready{issuer="https://a"} 1`,
		`sidewarden_key_set_ready{issuer="https://b"} 0`,
		`sidewarden_key_set_ready{issuer="https://c"} 0`,
		`sidewarden_key_set_keys{issuer="https://a"} 3`,
		`sidewarden_key_set_skipped_keys{issuer="https://a",reason="use"} 3`,
		`sidewarden_key_set_skipped_keys{issuer="https://a",reason="modulus"} 0`,
		`sidewarden_key_retired_uses_total{issuer="https://a"} 5`,
		`sidewarden_key_retired_uses_total{issuer="https://b"} 0`,
		`sidewarden_token_cache_total{issuer="https://a",result="hit"} 9`,
		`sidewarden_token_cache_total{issuer="https://a",result="miss"} 8`,
		`sidewarden_introspection_total{issuer="https://a",result="active"} 3`,
		`sidewarden_introspection_total{issuer="https://a",result="busy"} 0`,
		`sidewarden_introspection_cache_total{issuer="https://a",result="hit"} 5`,
		`sidewarden_introspection_cache_total{issuer="https://a",result="miss"} 4`,
		`sidewarden_exception_expiry_timestamp_seconds{exception="EX-1"} 1.80144e+09`,
		`sidewarden_exception_expiry_timestamp_seconds{exception="EX-2"} 1`,
		`sidewarden_exception_matches_total{exception="EX-1"} 9`,
		`sidewarden_exception_matches_total{exception="EX-2"} 0`,
		`sidewarden_endpoints{kind="shadow"} 2`,
		`sidewarden_endpoints{kind="dead"} 0`,
		`sidewarden_bypass_detected_total{kind="BY1"} 4`,
		`sidewarden_bypass_detected_total{kind="BY2"} 0`,
		`sidewarden_bypass_tested{kind="BY1"} 1`,
		`sidewarden_bypass_tested{kind="BY2"} 0`,
		`sidewarden_audit_records_total{result="written",sink="file"} 7`,
		`sidewarden_audit_records_total{result="failed",sink="file"} 2`,
		`sidewarden_audit_dropped_total{class="allowed"} 5`,
		`sidewarden_audit_dropped_total{class="denied"} 1`,
		`sidewarden_audit_dropped_total{class="failed"} 0`,
		`sidewarden_build_info{version="0.1.0"} 1`,
	} {
		assert.Contains(t, text, want+"\n")
	}
	assert.NotContains(t, text, `sidewarden_key_set_age_seconds{issuer="https://b"}`, "keys that were never read have no age")
	assert.Contains(t, text, "go_goroutines ")
}

// increase() needs a series that was there before the first leak.
func TestLeakSeriesExistBeforeTheFirstLeak(t *testing.T) {
	text := scrape(t, newMetrics("getOrder"), "text/plain")
	assert.Contains(t, text, `sidewarden_observations_total{control="az.account",operation="getOrder",position="backend",signal="leaked"} 0`)
	assert.Contains(t, text, `sidewarden_observations_total{control="tok.sig",operation="unmatched",position="backend",signal="leaked"} 0`)
	assert.NotContains(t, text, `sidewarden_observations_total{control="in.schema"`, "no rule, no series")
}

func TestLintIsClean(t *testing.T) {
	m := newMetrics("getOrder")
	m.Consume(leak("getOrder"))
	problems, err := testutil.GatherAndLint(m.Gatherer())
	require.NoError(t, err)
	assert.Empty(t, problems)
}

func TestOpenMetricsIsServed(t *testing.T) {
	text := scrape(t, newMetrics("getOrder"), "application/openmetrics-text;version=1.0.0")
	assert.True(t, strings.HasSuffix(text, "# EOF\n"))
}

func TestReloadLeavesExactlyOnePolicy(t *testing.T) {
	m := newMetrics("getOrder")
	next := compiled("getOrder", "listOrders")
	next.Digest = "sha256:bb"
	m.Use(next)
	text := scrape(t, m, "text/plain")
	assert.Contains(t, text, `sidewarden_policy_info{digest="sha256:bb"} 1`)
	assert.Equal(t, 1, strings.Count(text, "sidewarden_policy_info{"))
	m.Consume(leak("listOrders"))
	assert.Contains(t, scrape(t, m, "text/plain"), `operation="listOrders",status_class="2xx"} 1`)
}

func TestNoPolicyHasNoSeries(t *testing.T) {
	m := metrics.New(metrics.Options{})
	assert.NotContains(t, scrape(t, m, "text/plain"), "sidewarden_policy_info{")
}

func TestOperationsBeyondTheBoundAreOther(t *testing.T) {
	var ids []string
	for i := range 600 {
		ids = append(ids, fmt.Sprintf("op%03d", i))
	}
	m := newMetrics(ids...)
	for _, id := range []string{"op499", "op500", "never-declared", policy.UnmatchedID} {
		m.Consume(leak(id))
	}
	text := scrape(t, m, "text/plain")
	assert.Contains(t, text, `operation="op499",status_class="2xx"} 1`)
	assert.Contains(t, text, `operation="other",status_class="2xx"} 2`)
	assert.Contains(t, text, `operation="unmatched",status_class="2xx"} 1`)
	assert.NotContains(t, text, "op500")
	assert.NotContains(t, text, "never-declared")
}

// Whatever clients send, the number of series stays as it is.
func TestHostileRequestsMakeNoSeries(t *testing.T) {
	m := newMetrics("getOrder", "listOrders")
	p, err := audit.NewPseudonymizer(nil, "", "p")
	require.NoError(t, err)
	rc := audit.NewRecorder(audit.Options{
		Product: "p", RequestIDHeader: "X-Request-Id", Pseudonyms: p, Consumers: []audit.Consumer{m},
		Contract: audit.Contract{Operations: compiled("getOrder", "listOrders").Operations, Issuers: []string{"https://a"}},
	})
	m.Consume(leak("getOrder"))
	before := samples(scrape(t, m, "text/plain"))

	methods := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 100_000 {
		word := fmt.Sprintf("w%d-%d", i, random.Uint64())
		r := &policy.Request{
			Method: word, Path: "/" + word, Host: word, Proto: "HTTP/1.1", Query: policy.ParseQuery(word + "=1"),
			Header: http.Header{"User-Agent": {word}, "X-Request-Id": {word}, "Content-Type": {word}},
		}
		if i%10 == 0 { // pseudonyms of claims are what costs time here
			r.Auth.Token = &policy.Token{
				Algorithm: word, KeyID: word, Type: word, Claimed: policy.Identity{Issuer: word, Client: word, Principal: word},
			}
		}
		if i%2 == 0 {
			r.Method = methods[random.IntN(len(methods))]
		}
		d := policy.Decision{Findings: []policy.Finding{
			{Rule: rule(policy.InRoute, policy.Shadow), Verdict: policy.Denied(policy.RouteUnknown, "")},
			{Rule: rule(policy.TokSig, policy.Shadow), Verdict: policy.Denied(policy.TokenSignature, word)},
		}}
		status := []int{200, 404, 401, 500}[random.IntN(4)]
		rc.Observe(r, d, policy.Outcome{
			Disposition: policy.WouldBlock, Status: status, BackendStatus: status,
			Class: []policy.ResponseClass{policy.ClassOK, policy.Class404, policy.Class401, policy.Class500}[random.IntN(4)], Instance: word,
		})
	}
	assert.LessOrEqual(t, samples(scrape(t, m, "text/plain"))-before, 50)
}

func TestBadLabelOfASourceDoesNotBlindTheRest(t *testing.T) {
	m := metrics.New(metrics.Options{Sources: metrics.Sources{
		TransportRefused: func() map[string]uint64 { return map[string]uint64{"\xff": 1} },
	}})
	assert.Contains(t, scrape(t, m, "text/plain"), "sidewarden_reload_success 1")
}

// What is counted depends on what records say, and not on which memory they share.
func TestSharedListsCountLikeOthers(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	passes := func(c ...policy.Control) []policy.Control { return c }
	shapes := []audit.Record{
		{Permits: passes(policy.InRoute, policy.TokSig), Enforced: passes(policy.TokSig)},
		{Permits: passes(policy.InRoute, policy.TokSig), NotApplicable: passes(policy.InCtype)},
		{NotApplicable: passes(policy.InCtype, policy.InSize), Enforced: passes(policy.InSize, policy.InCtype)},
		{},
	}
	shared, own := newMetrics("getOrder", "listOrders"), newMetrics("getOrder", "listOrders")
	for range 500 {
		rec := *leak([]string{"getOrder", "listOrders", "strange"}[random.IntN(3)])
		s := shapes[random.IntN(len(shapes))]
		rec.Permits, rec.NotApplicable, rec.Enforced = s.Permits, s.NotApplicable, s.Enforced
		rec.Disposition = []string{"allowed", "would-block"}[random.IntN(2)]
		rec.OverheadUS, rec.Be.LatencyMS = random.Int64N(2_000_000), random.Float64()*40_000
		if random.IntN(2) == 0 {
			rec.Findings, rec.Observations = nil, nil
		}
		for range 1 + random.IntN(5) {
			again, fresh := rec, rec
			shared.Consume(&again)
			fresh.Permits, fresh.NotApplicable, fresh.Enforced = slices.Clone(s.Permits), slices.Clone(s.NotApplicable), slices.Clone(s.Enforced)
			own.Consume(&fresh)
		}
		if random.IntN(100) == 0 {
			require.Equal(t, ours(scrape(t, own, "text/plain")), ours(scrape(t, shared, "text/plain")))
		}
	}
	require.Equal(t, ours(scrape(t, own, "text/plain")), ours(scrape(t, shared, "text/plain")))
}

// ours are the samples that records make.
func ours(text string) (all []string) {
	for l := range strings.Lines(text) {
		if strings.HasPrefix(l, "sidewarden_") {
			all = append(all, l)
		}
	}
	return all
}

func TestHistogramsHaveTheirBounds(t *testing.T) {
	m := newMetrics("getOrder")
	for _, us := range []int64{0, 50, 51, 1_000_000, 1_000_001} {
		rec := leak("getOrder")
		rec.OverheadUS = us
		m.Consume(rec)
	}
	text := scrape(t, m, "text/plain")
	for _, want := range []string{
		`sidewarden_overhead_seconds_bucket{le="5e-05"} 1`,
		`sidewarden_overhead_seconds_bucket{le="0.0001"} 2`,
		`sidewarden_overhead_seconds_bucket{le="0.25"} 2`,
		`sidewarden_overhead_seconds_bucket{le="1"} 3`,
		`sidewarden_overhead_seconds_bucket{le="+Inf"} 4`,
		`sidewarden_overhead_seconds_sum 2.000102`,
		`sidewarden_overhead_seconds_count 4`,
		`sidewarden_backend_seconds_bucket{le="30"} 5`,
		`sidewarden_token_lifetime_seconds_bucket{le="3600"} 5`,
		`sidewarden_token_lifetime_seconds_sum 18000`,
	} {
		assert.Contains(t, text, want+"\n")
	}
}

// Nothing is lost between those that count, those that read, and a new policy.
func TestNothingIsLostWhileCounting(t *testing.T) {
	const each = 2000
	m := newMetrics("getOrder")
	lists := []*audit.Record{leak("getOrder"), leak("getOrder"), leak("listOrders")}
	var counting sync.WaitGroup
	for _, rec := range lists {
		counting.Go(func() {
			for range each {
				m.Consume(rec)
			}
		})
	}
	for range 5 {
		m.Use(compiled("getOrder", "listOrders"))
		_, err := m.Gatherer().Gather()
		require.NoError(t, err)
	}
	counting.Wait()
	text := scrape(t, m, "text/plain")
	assert.Contains(t, text, `sidewarden_control_effects_total{control="in.route",effect="permit",mode="shadow"} 6000`)
	assert.Contains(t, text, `sidewarden_inspected_bytes_total 72000`)
	assert.Contains(t, text, `operation="getOrder",status_class="2xx"} 4000`)
}

func BenchmarkConsume(b *testing.B) {
	m := newMetrics("getOrder")
	rec := leak("getOrder")
	b.ReportAllocs()
	for b.Loop() {
		m.Consume(rec)
	}
}

func TestTheBackendsCertificateIsCounted(t *testing.T) {
	m := newMetrics()
	for _, state := range []string{"verified", "verified", "untrusted", "anything else"} {
		m.Consume(&audit.Record{Be: audit.Backend{TLS: &audit.TLS{State: state}}})
	}
	m.Consume(&audit.Record{})
	got := scrape(t, m, "text/plain")
	assert.Contains(t, got, `sidewarden_backend_tls_total{state="verified"} 2`)
	assert.Contains(t, got, `sidewarden_backend_tls_total{state="untrusted"} 1`)
	assert.Contains(t, got, `sidewarden_backend_tls_total{state="name"} 0`, "what is alerted on is there from the start")
	assert.NotContains(t, got, "anything else")
}
