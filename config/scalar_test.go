package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/sidewarden/sidewarden/config"
)

func TestSizes(t *testing.T) {
	for in, want := range map[string]config.Size{
		"0": 0, "100": 100, "100B": 100, "1KiB": 1 << 10, "512KiB": 512 << 10, "1MiB": 1 << 20, "8GiB": 8 << 30, "0x10": 16, "'4096'": 4096,
	} {
		var got config.Size
		require.NoError(t, yaml.Load([]byte(in), &got), in)
		assert.Equal(t, want, got, in)
	}
	for in, want := range map[config.Size]string{0: "0GiB", 100: "100B", 1 << 20: "1MiB", 1536: "1536B", 3 << 10: "3KiB"} {
		assert.Equal(t, want, in.String())
	}
	for _, in := range []string{"1MB", "1 MiB", "-1", "1.5MiB", "1e3", "KiB", "1mib", "[1]", "true", "9999999999999999999"} {
		var got config.Size
		assert.Error(t, yaml.Load([]byte(in), &got), in)
	}
}

func TestDurations(t *testing.T) {
	for in, want := range map[string]struct {
		d       time.Duration
		printed string
	}{
		"0s": {0, "0s"}, "50ms": {50 * time.Millisecond, "50ms"}, "30s": {30 * time.Second, "30s"}, "5m": {5 * time.Minute, "5m"},
		"10m0s": {10 * time.Minute, "10m"}, "1h": {time.Hour, "1h"}, "1h30m": {90 * time.Minute, "1h30m"}, "90m": {90 * time.Minute, "1h30m"},
		"1h0m5s": {time.Hour + 5*time.Second, "1h0m5s"}, "1.5s": {1500 * time.Millisecond, "1.5s"}, "2us": {2000, "2us"}, "87600h": {87600 * time.Hour, "87600h"},
	} {
		got, err := config.ParseDuration(in)
		require.NoError(t, err, in)
		assert.Equal(t, want.d, got.Std(), in)
		assert.Equal(t, want.printed, got.String(), in)
	}
	for _, in := range []string{"", "5", "5d", "-5s", "+5s", ".5s", "s", "1 s", "87601h", "999999999h", "1h∞"} {
		_, err := config.ParseDuration(in)
		assert.Error(t, err, in)
	}
}

func TestRatesAndQuotas(t *testing.T) {
	for in, want := range map[string]float64{"100/s": 100, "5/m": 5. / 60, "1000/h": 1000. / 3600} {
		r, err := config.ParseRate(in)
		require.NoError(t, err)
		assert.InDelta(t, want, r.PerSecond(), 1e-12, in)
		assert.Equal(t, in, r.String())
	}
	for _, in := range []string{"", "0/s", "-1/s", "1", "1/", "/s", "1/d", "1.5/s", "1/s ", "01/s", "1000000000/s"} {
		_, err := config.ParseRate(in)
		assert.Error(t, err, in)
	}
	q, err := config.ParseQuota("1000000/day")
	require.NoError(t, err)
	assert.Equal(t, config.Quota{Count: 1000000, Window: "day"}, q)
	for _, in := range []string{"", "0/day", "1/s", "1/year", "1000000000000000/day"} {
		_, err := config.ParseQuota(in)
		assert.Error(t, err, in)
	}
	assert.Empty(t, config.Rate{}.String())
	assert.Empty(t, config.Quota{}.String())
	assert.Zero(t, config.Rate{}.PerSecond())
}

func TestDeadlines(t *testing.T) {
	for in, want := range map[string]time.Time{
		"2027-06-30":                         time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC),
		"2028-02-29":                         time.Date(2028, 3, 1, 0, 0, 0, 0, time.UTC),
		"2026-12-31":                         time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
		"2027-06-30T18:00:00Z":               time.Date(2027, 6, 30, 18, 0, 0, 0, time.UTC),
		"2027-06-30T18:00:00+02:00":          time.Date(2027, 6, 30, 16, 0, 0, 0, time.UTC),
		"'2027-06-30T18:00:00.250-01:30'":    time.Date(2027, 6, 30, 19, 30, 0, 250_000_000, time.UTC),
		"\"2027-06-30T23:59:59.999999999Z\"": time.Date(2027, 6, 30, 23, 59, 59, 999_999_999, time.UTC),
	} {
		var got config.Deadline
		require.NoError(t, yaml.Load([]byte(in), &got), in)
		assert.Equal(t, want, got.Until(), in)
	}
	for _, in := range []string{
		"2027-6-30", "2027-02-29", "2027-13-01", "2027-06-31T10:00:00Z", "2027-06-30t10:00:00z", "2027-06-30 10:00:00Z",
		"2027-06-30T10:00Z", "2027-06-30T10:00:00", "2027-06-30T24:00:00Z", "2027-06-30T10:00:60Z", "20270630", "never", "0001-01-01T00:00:00Z", "0000-12-31", "''", "[2027-06-30]", "' 2027-06-30'",
	} {
		var got config.Deadline
		assert.Error(t, yaml.Load([]byte(in), &got), in)
	}
	assert.True(t, config.Deadline("").Until().IsZero())
}

// A deadline that is read has a moment, and is written as it was read.
func FuzzDeadline(f *testing.F) {
	for _, seed := range []string{"2027-06-30", "2027-06-30T18:00:00.5+02:00", "0000-01-01", "9999-12-31T23:59:59-23:59", "2027-02-30"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if len(in) > 64 {
			return
		}
		d, err := config.ParseDeadline(in)
		if err != nil {
			assert.Empty(t, d)
			return
		}
		assert.False(t, d.Until().IsZero(), in)
		again, err := config.ParseDeadline(d.String())
		require.NoError(t, err)
		assert.Equal(t, d, again)
	})
}

func TestOffIsAModeWithAndWithoutQuotes(t *testing.T) {
	for _, in := range []string{"off", `"off"`, "'off'"} {
		var m config.Mode
		require.NoError(t, yaml.Load([]byte(in), &m))
		assert.Equal(t, config.Off, m)
	}
	for _, in := range []string{"false", "Off", "on", "''", "1"} {
		var m config.Mode
		assert.Error(t, yaml.Load([]byte(in), &m), in)
	}
}

func TestLiteralsKeepTheirText(t *testing.T) {
	for in, want := range map[string]config.Literal{
		"false": "false", "True": "true", "1.50": "1.50", "-3": "-3", "1e5": "1e5", "refused": `"refused"`, `"1"`: `"1"`, `"a\"b"`: `"a\"b"`,
	} {
		var got config.Literal
		require.NoError(t, yaml.Load([]byte(in), &got), in)
		assert.Equal(t, want, got, in)
		assert.True(t, json.Valid([]byte(got)), in)
	}
	for _, in := range []string{".inf", "[1]", "{}", "0x10", "1_000", "2026-01-01"} {
		var got config.Literal
		assert.Error(t, yaml.Load([]byte(in), &got), in)
	}
}

func TestASecretNeverPrints(t *testing.T) {
	s := config.NewSecret(leak)
	assert.Equal(t, leak, s.Reveal())
	holder := struct {
		Exported config.Secret
		hidden   config.Secret
	}{s, s}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T", "%p"} {
		fmt.Fprintf(&out, verb+"\n", s)
		fmt.Fprintf(&out, verb+"\n", &s)
		fmt.Fprintf(&out, verb+"\n", holder)
		fmt.Fprintf(&out, verb+"\n", []config.Secret{s})
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "secret", s, "holder", holder)
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "secret", s, "holder", holder)
	require.NoError(t, json.NewEncoder(&out).Encode(holder))
	y, err := yaml.Dump(s)
	require.NoError(t, err)
	out.Write(y)
	text, err := s.MarshalText()
	require.NoError(t, err)
	out.Write(text)
	assert.NotContains(t, out.String(), leak)
	assert.NotContains(t, out.String(), fmt.Sprintf("%x", leak))
	assert.Contains(t, out.String(), "[secret]")
}

// roundTrip states what every scalar keeps: no panic, what is accepted prints as
// something that reads back as equal, and the pattern of the schema accepts a
// string exactly when the parser does.
func roundTrip[T comparable](t *testing.T, in string, parse func(string) (T, error), pattern string, mayRefuse bool) {
	t.Helper()
	got, err := parse(in)
	if pattern != "" {
		matches := regexp.MustCompile(pattern).MatchString(in)
		if err == nil {
			require.True(t, matches, "%q is accepted against its pattern", in)
		} else if !mayRefuse {
			require.False(t, matches, "%q is refused against its pattern", in)
		}
	}
	if err != nil {
		return
	}
	again, err := parse(fmt.Sprint(got))
	require.NoError(t, err, "%q prints as %v", in, got)
	require.Equal(t, got, again)

	out, err := yaml.Dump(got)
	require.NoError(t, err)
	var back T
	require.NoError(t, yaml.Load(out, &back), "%s", out)
	require.Equal(t, got, back)
}

const mostFuzzBytes = 256

func seeds(f *testing.F, in ...string) {
	f.Helper()
	for _, s := range in {
		f.Add(s)
	}
}

func FuzzSize(f *testing.F) {
	seeds(f, "1MiB", "0", "100B", "999999999GiB", "1048577KiB", "x")
	f.Fuzz(func(t *testing.T, in string) {
		if len(in) > mostFuzzBytes {
			return
		}
		roundTrip(t, in, config.ParseSize, config.Pattern(new(config.Size)), false)
	})
}

func FuzzDuration(f *testing.F) {
	seeds(f, "30s", "1h30m", "1.000000001us", "87600h", "999999999h", "x")
	f.Fuzz(func(t *testing.T, in string) {
		if len(in) > mostFuzzBytes {
			return
		}
		roundTrip(t, in, config.ParseDuration, config.Pattern(new(config.Duration)), true)
	})
}

func FuzzRate(f *testing.F) {
	seeds(f, "100/s", "5/m", "1000/h", "0/s", "x")
	f.Fuzz(func(t *testing.T, in string) {
		if len(in) > mostFuzzBytes {
			return
		}
		roundTrip(t, in, config.ParseRate, config.Pattern(new(config.Rate)), false)
	})
}

func FuzzQuota(f *testing.F) {
	seeds(f, "1000000/day", "1/hour", "5/month", "0/day", "x")
	f.Fuzz(func(t *testing.T, in string) {
		if len(in) > mostFuzzBytes {
			return
		}
		roundTrip(t, in, config.ParseQuota, config.Pattern(new(config.Quota)), false)
	})
}

func FuzzMode(f *testing.F) {
	seeds(f, "off", "shadow", "enforce", "Off", "")
	f.Fuzz(func(t *testing.T, in string) { roundTrip(t, in, config.ParseMode, "^(off|shadow|enforce)$", false) })
}

func FuzzLiteral(f *testing.F) {
	seeds(f, "false", "null", "1.50", "1e5", "-0", "\"a\\u2028b\"", "refused", "[1]")
	f.Fuzz(func(t *testing.T, in string) {
		if len(in) > mostFuzzBytes {
			return
		}
		var got config.Literal
		if yaml.Load([]byte(in), &got) != nil || got == "" {
			return
		}
		require.True(t, json.Valid([]byte(got)), "%q", got)
		out, err := yaml.Dump(got)
		require.NoError(t, err)
		var back config.Literal
		require.NoError(t, yaml.Load(out, &back), "%s", out)
		require.Equal(t, got == "null", back == "" || back == "null", "the library skips a null at the root")
		if got != "null" {
			require.Equal(t, got, back)
		}
	})
}

func FuzzSecret(f *testing.F) {
	seeds(f, "${env:NAME}", "${file:/run/secrets/x}", "hunter2", "${env:}")
	f.Fuzz(func(t *testing.T, in string) {
		if len(in) > mostFuzzBytes {
			return
		}
		var s config.Secret
		err := s.UnmarshalYAML(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: in})
		pattern := config.Pattern(&s)
		require.Equal(t, regexp.MustCompile(pattern).MatchString(in), err == nil, "only a reference is a secret")
		if err != nil {
			require.NotContains(t, err.Error(), "hunter2")
			return
		}
		require.Equal(t, in, s.Reveal())
		require.Equal(t, "[secret]", fmt.Sprint(s))
	})
}
