package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSummaryComparesWithBareOfTheSameRound(t *testing.T) {
	cpu := func(profile string, round int, v float64) cell {
		return cell{Profile: profile, Workload: "get", Round: round, Values: map[key]float64{keyCPU: v}}
	}
	rows := summarize([]cell{
		cpu(nameBare, 1, 10), cpu("off", 1, 20), cpu(nameBare, 2, 20), cpu("off", 2, 30), cpu(nameBare, 3, 40), cpu("off", 3, 160),
		cpu(nameTuned, 1, 5), cpu(nameTuned, 2, 30), cpu(nameTuned, 3, 40),
	})
	require.Len(t, rows, 3)
	assert.Equal(t, spread{20, 10, 40}, rows[0].Values[keyCPU].spread)
	assert.Equal(t, &spread{1, 1, 1}, rows[0].Values[keyCPU].ToBare)
	assert.Equal(t, value{spread: spread{30, 20, 160}, ToBare: &spread{2, 1.5, 4}, ToTuned: &spread{4, 1, 4}}, rows[1].Values[keyCPU])
	assert.NotContains(t, rows[0].Values, keyOver)
	assert.NotContains(t, rows[0].Values, keyP50, "what was not measured is absent")
}

func TestSummaryTellsWhatControlsCostBeyondForwarding(t *testing.T) {
	cpu := func(profile string, v float64) cell {
		return cell{Profile: profile, Workload: "get", Round: 1, Values: map[key]float64{keyCPU: v}}
	}
	rows := summarize([]cell{cpu(nameBare, 10), cpu("az.account", 33), cpu("off", 30), cpu("shadow", 28)})
	assert.Equal(t, value{spread: spread{3, 3, 3}}, rows[1].Values[keyOver])
	assert.InDelta(t, -2, rows[3].Values[keyOver].Median, 0, "noise is shown, not hidden")
	assert.NotContains(t, rows[2].Values, keyOver)
}

const checkOutput = `mode: "off"

# policy sha256:abc
#
# What serves each operation (S shadow, E enforce, - no token to judge, . no rule):
#
#  operation   in.route tok.aud
#  createOrder S        S
#  getPort     S        .
#  unmatched   S        S
#
# To make a control enforce, merge its line:
`

func TestCheckIsReadBack(t *testing.T) {
	c, err := parseCheck(checkOutput)
	require.NoError(t, err)
	assert.Equal(t, "sha256:abc", c.digest)
	assert.Equal(t, []string{"in.route", "tok.aud"}, c.controls())
	shadow := profile{name: "shadow", mode: modeShadow}
	require.ErrorContains(t, c.matches(shadow, c.controls()), `operation getPort: check says "" for tok.aud, the profile wants "S"`)

	c, err = parseCheck(strings.Replace(checkOutput, "S        .", "S        S", 1))
	require.NoError(t, err)
	require.NoError(t, c.matches(shadow, c.controls()))
	require.Error(t, c.matches(profile{mode: modeEnforce}, c.controls()), "shadow is not enforce")
	require.Error(t, c.matches(profile{mode: modeOff}, c.controls()), "a rule that nobody asked for")
	require.Error(t, c.matches(profile{mode: modeOff, control: "in.route"}, c.controls()), "more than one control alone")

	_, err = parseCheck("config.yaml has a problem")
	assert.Error(t, err)
}

const (
	requestsSeries = "sidewarden_requests_total{operation=\"a b\"} "
	writtenSeries  = "sidewarden_audit_records_total{result=\"written\",sink=\"file\"} "
)

func TestAccountingFindsWhatIsMissing(t *testing.T) {
	parse := func(text string) values {
		v, err := parseMetrics(strings.NewReader(text))
		require.NoError(t, err)
		return v
	}
	whole := "# HELP x y\n" + requestsSeries + "8\n" + writtenSeries + "8\n"
	require.NoError(t, account(parse(whole+"sidewarden_audit_dropped_total{class=\"allowed\"} 0\n"), 8))
	require.ErrorContains(t, account(parse(requestsSeries+"8\n"+writtenSeries+"7\n"), 8), "audit_records_total")
	require.ErrorContains(t, account(parse(requestsSeries+"7\n"+writtenSeries+"8\n"), 8), "requests_total")
	require.ErrorContains(t, account(parse(whole+"sidewarden_audit_dropped_total{class=\"allowed\"} 1\n"), 8), "audit_dropped_total is 1")
	require.Error(t, account(parse(whole), 7), "a request that nobody sent")
	_, err := parseMetrics(strings.NewReader("series without\n"))
	assert.Error(t, err)
}

// TestAccountingWaitsForTheCounter: a record is in the file before its counter says
// so. Reading the metrics in between once made the next measurement count it.
func TestAccountingWaitsForTheCounter(t *testing.T) {
	scrapes := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		scrapes++
		_, _ = fmt.Fprintf(w, "%s8\n%s%d\n", requestsSeries, writtenSeries, 6+min(scrapes, 2))
	}))
	defer server.Close()
	s := &sidecar{admin: server.Listener.Addr().String(), client: server.Client()}
	m, err := s.accounted(t.Context(), 8)
	require.NoError(t, err)
	assert.Equal(t, 2, scrapes)
	assert.InDelta(t, 8, m.sum("sidewarden_audit_records_total"), 0)
}

func TestATokenThatWasRememberedIsNotNew(t *testing.T) {
	const hit, miss = `sidewarden_token_cache_total{issuer="` + issuer + `",result="hit"}`, `sidewarden_token_cache_total{issuer="` + issuer + `",result="miss"}`
	before := values{hit: 4, miss: 2}
	require.NoError(t, fresh(before, values{hit: 4, miss: 5}, 3))
	require.ErrorContains(t, fresh(before, values{hit: 5, miss: 4}, 3), `result="hit"} grew by 1`)
	require.ErrorContains(t, fresh(before, values{hit: 4, miss: 4}, 3), `result="miss"} grew by 2`)
	require.Error(t, fresh(values{}, values{}, 3), "a sidecar without the metric")
}

func TestSettingsAreThoseOfTheSidecar(t *testing.T) {
	s := settingsOf(values{"go_gc_gogc_percent": 200, "go_gc_gomemlimit_bytes": 1 << 30}, true)
	assert.Equal(t, []string{"GOGC=200", "GOMEMLIMIT=1073741824"}, s.env())
	assert.True(t, s.PGO)
	s = settingsOf(values{"go_gc_gogc_percent": 1.8446744073709552e19, "go_gc_gomemlimit_bytes": 9.223372036854776e18}, false)
	assert.Equal(t, []string{"GOGC=off", "GOMEMLIMIT=off"}, s.env())
}

func TestReferencesHaveConfigurations(t *testing.T) {
	w := &world{dir: t.TempDir()}
	for name, text := range map[string]string{"haproxy": haproxyTemplate, "nginx": nginxTemplate} {
		_, err := w.render(name+".conf", text, map[string]any{
			"Address": "127.0.0.1:1", "Backend": "127.0.0.1:2", "Cores": 2, "Dir": w.dir, "PublicKey": "k", "Issuer": issuer, "Audience": audience,
		})
		assert.NoError(t, err, name)
	}
}
