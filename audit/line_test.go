package audit_test

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/audit"
)

// plainly is a record as encoding/json writes it.
func plainly(t testing.TB, rec *audit.Record) string {
	t.Helper()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	require.NoError(t, enc.Encode(rec))
	return buf.String()
}

// fill sets every field that a value has, however deep, each to another value.
// Strings go round the texts.
func fill(v reflect.Value, texts []string, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		if moment, ok := reflect.TypeAssert[*time.Time](v.Addr()); ok {
			*moment = start.Add(time.Duration(*n))
			return
		}
		for _, field := range v.Fields() {
			fill(field, texts, n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), texts, n)
		fill(v.Index(1), texts, n)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), texts, n)
	case reflect.String:
		v.SetString(texts[*n%len(texts)] + strconv.Itoa(*n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(-*n))
	case reflect.Float64:
		v.SetFloat(float64(*n) / 8)
	case reflect.Bool:
		v.SetBool(true)
	default:
		panic("a record has a field of kind " + v.Kind().String())
	}
}

func TestLineIsTheJSONOfTheRecord(t *testing.T) {
	for name, s := range scenarios() {
		rec := record(t, s)
		assert.Equal(t, plainly(t, rec), string(line(t, rec)), name)
	}
	n := 0
	var full audit.Record
	fill(reflect.ValueOf(&full).Elem(), []string{"plain"}, &n)
	assert.Equal(t, plainly(t, &full), string(line(t, &full)), "every field is set")
	assert.Equal(t, plainly(t, &audit.Record{}), string(line(t, &audit.Record{})), "no field is set")
	empty := audit.Record{Findings: []audit.Finding{{}}, Observations: []audit.Observation{{}}, Tok: &audit.Tok{}, Claimed: &audit.Claimed{}}
	assert.Equal(t, plainly(t, &empty), string(line(t, &empty)), "objects without a set field")
}

func TestLineQuotesAndCountsLikeJSON(t *testing.T) {
	for _, text := range []string{`"`, `\`, "\x00\b\f\n\r\t\x1f\x7f", "<>&", "é\u2028\u2029", "\xff\xc3", "😀", `{`, `[`, ","} {
		n := 0
		var rec audit.Record
		fill(reflect.ValueOf(&rec).Elem(), []string{text}, &n)
		assert.Equal(t, plainly(t, &rec), string(line(t, &rec)), "%q", text)
	}
	for _, f := range []float64{0, math.Copysign(0, -1), 0.001, -12.5, 1e-6, 9e-7, 1e20, 1e21, -1e21, math.MaxFloat64, math.SmallestNonzeroFloat64} {
		rec := audit.Record{DurationMS: f, Be: audit.Backend{LatencyMS: -f}}
		assert.Equal(t, plainly(t, &rec), string(line(t, &rec)), "%v", f)
	}
}

func TestWhatJSONDoesNotHaveIsNoLine(t *testing.T) {
	for name, rec := range map[string]audit.Record{
		"not a number":       {DurationMS: math.NaN()},
		"infinity":           {Be: audit.Backend{LatencyMS: math.Inf(-1)}},
		"a year of 5 digits": {Time: time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		got, err := rec.AppendLine([]byte("before"))
		require.Error(t, err, name)
		assert.Equal(t, "before", string(got), name)
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a\"\\", "\u2028<\xff", 0.5, int64(7))
	f.Fuzz(func(t *testing.T, one, two string, ms float64, n int64) {
		if math.IsNaN(ms) || math.IsInf(ms, 0) || len(one)+len(two) > 64 {
			return
		}
		i := 0
		var rec audit.Record
		fill(reflect.ValueOf(&rec).Elem(), []string{one, two, "x"}, &i)
		rec.DurationMS, rec.OverheadUS, rec.Time = ms, n, time.Unix(n%1e11, n%1e9).UTC()
		want := plainly(t, &rec)
		if len(want) <= audit.MaxLine {
			require.Equal(t, want, string(line(t, &rec)))
		}
	})
}
