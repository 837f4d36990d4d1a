package audit_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/audit"
	"github.com/sidewarden/sidewarden/policy"
)

func TestParseTraceparent(t *testing.T) {
	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	rows := []struct {
		rule, value string
		ok          bool
	}{
		{"version 00", "00-" + trace + "-" + parent + "-01", true},
		{"a later version", "cc-" + trace + "-" + parent + "-01", true},
		{"a later version with more after a hyphen", "cc-" + trace + "-" + parent + "-01-what", true},
		{"a later version with more without a hyphen", "cc-" + trace + "-" + parent + "-01.what", false},
		{"version 00 with more", "00-" + trace + "-" + parent + "-01-what", false},
		{"version ff", "ff-" + trace + "-" + parent + "-01", false},
		{"upper case", "00-4BF92F3577B34DA6A3CE929D0E0E4736-" + parent + "-01", false},
		{"a zero trace id", "00-00000000000000000000000000000000-" + parent + "-01", false},
		{"a zero parent id", "00-" + trace + "-0000000000000000-01", false},
		{"flags that are not hexadecimal", "00-" + trace + "-" + parent + "-0g", false},
		{"a divider that is no hyphen", "00_" + trace + "-" + parent + "-01", false},
		{"leading space", " 00-" + trace + "-" + parent + "-01", false},
		{"too short", "00-" + trace + "-" + parent + "-0", false},
		{"nothing", "", false},
	}
	for _, row := range rows {
		t.Run(row.rule, func(t *testing.T) {
			gotTrace, gotParent, ok := audit.ParseTraceparent(row.value)
			require.Equal(t, row.ok, ok)
			if ok {
				assert.Equal(t, []string{trace, parent}, []string{gotTrace, gotParent})
			}
		})
	}
}

// What is accepted is the shape that the standard gives, and is found in the value.
func FuzzParseTraceparent(f *testing.F) {
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Add("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x")
	shape := regexp.MustCompile(`^(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}|[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-(?s:.*))?)$`)
	f.Fuzz(func(t *testing.T, s string) {
		trace, parent, ok := audit.ParseTraceparent(s)
		if !ok {
			require.Empty(t, trace+parent)
			return
		}
		require.Regexp(t, shape, s)
		require.Equal(t, s[3:35], trace)
		require.Equal(t, s[36:52], parent)
	})
}

func TestTwoTraceparentsAreAsGoodAsNone(t *testing.T) {
	r := request("A-1")
	sent := r.Header.Get("Traceparent")
	r.Header.Add("Traceparent", sent)
	rec := record(t, scenario{r: r})
	assert.NotContains(t, sent, rec.TraceID)
	assert.Regexp(t, "^[0-9a-f]{32}$", rec.TraceID)
	assert.Empty(t, rec.ParentSpanID)
}

func TestRecordIDsSortByTimeAndDiffer(t *testing.T) {
	at := func(at time.Time) string { return record(t, scenario{r: &policy.Request{Time: at}}).RecordID }
	first, again, later := at(start), at(start), at(start.Add(time.Millisecond))
	assert.Regexp(t, "^[0-7][0-9A-HJKMNP-TV-Z]{25}$", first)
	assert.Equal(t, "01M2GXVBPK", first[:10], "48 bits of milliseconds")
	assert.NotEqual(t, first, again)
	assert.Less(t, max(first, again), later)
	assert.Equal(t, "0000000000", at(time.Time{})[:10], "a time before 1970 counts as 1970")
}
