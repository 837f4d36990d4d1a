package schema_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// hostile is a value of up to 64 KiB that makes the schema work as hard as it can.
type hostile struct{ name, schema, value string }

const hostileBytes = 64 << 10

// filled returns an array or object of as many parts as fit.
func filled(open, shut string, part func(i int) string) string {
	var b strings.Builder
	b.WriteString(open)
	for i := 0; ; i++ {
		p := part(i)
		if b.Len()+len(p)+2 > hostileBytes {
			break
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(p)
	}
	b.WriteString(shut)
	return b.String()
}

func nested(open, leaf, shut string, n int) string {
	return strings.Repeat(open, n) + leaf + strings.Repeat(shut, n)
}

func repeated(n int, part string) string {
	return strings.TrimSuffix(strings.Repeat(part+",", n), ",")
}

// indexed joins n parts that hold their number.
func indexed(n int, format string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(parts, ",")
}

func hostiles() []hostile {
	text := func(s string) string { return `"` + strings.Repeat(s, (hostileBytes-8)/len(s)) + `!"` }
	member := func(i int) string { return fmt.Sprintf(`"m%d":%d`, i, i) }
	return []hostile{
		{"a recursive oneOf of 32 branches, deep", `{"oneOf":[` + repeated(32, `{"items":{"$ref":"#"}}`) + `,{"type":"string"}]}`, nested("[", "1", "]", 60)},
		{"the same, wide", `{"oneOf":[` + indexed(32, `{"minItems":%d,"items":{"$ref":"#"}}`) + `,{"type":"string"}]}`, filled("[", "]", func(int) string { return "[[]]" })},
		{"a recursive anyOf of objects", `{"anyOf":[{"properties":{"a":{"$ref":"#"}},"required":["b"]},{"properties":{"a":{"$ref":"#"}},"required":["c"]},{"type":"string"}]}`, nested(`{"a":`, `"x"`, "}", 60)},
		{"32 branches over many members", `{"anyOf":[` + indexed(32, `{"properties":{"x%d":{}},"additionalProperties":{"type":"string"}}`) + `]}`, filled("{", "}", member)},
		{"unevaluated members of 32 branches", `{"anyOf":[` + indexed(32, `{"patternProperties":{"^m%d":{}}}`) + `],"unevaluatedProperties":false}`, filled("{", "}", member)},
		{"unevaluated in unevaluated", `{"allOf":[{"allOf":[{"allOf":[{"unevaluatedProperties":{"type":"integer"}}],"unevaluatedProperties":true}],"unevaluatedProperties":{}}],"unevaluatedProperties":false}`, filled("{", "}", member)},
		{"many schemas with unevaluated ones", `{"allOf":[` + repeated(64, `{"unevaluatedProperties":{"type":"integer"}}`) + `],"unevaluatedProperties":false}`, filled("{", "}", member)},
		{"unevaluated items of contains", `{"allOf":[` + indexed(64, `{"contains":{"const":%d}}`) + `],"unevaluatedItems":false}`, filled("[", "]", func(i int) string { return fmt.Sprint(i % 64) })},
		{"not in not", `{"$ref":"#/$defs/a","$defs":{"a":{"not":{"not":{"items":{"$ref":"#/$defs/a"}}}}}}`, nested("[", "1", "]", 100)},
		{"unique numbers", `{"uniqueItems":true}`, filled("[", "]", func(i int) string { return fmt.Sprint(i) })},
		{"unique objects", `{"uniqueItems":true}`, filled("[", "]", func(i int) string { return fmt.Sprintf(`{"a":%d}`, i) })},
		{"unique in unique", `{"uniqueItems":true,"items":{"$ref":"#"}}`, nested("[1,", "[]", "]", 100)},
		{"long numbers", `{"items":{"multipleOf":0.01,"maximum":1e308}}`, filled("[", "]", func(i int) string { return fmt.Sprintf("%d.2345678901234567890123456789e-300", i) })},
		{"large multiples", `{"items":{"multipleOf":1e-300}}`, filled("[", "]", func(i int) string { return fmt.Sprintf("%d.5e307", i%10) })},
		{"odd multiples", `{"items":{"multipleOf":7.77777e-300}}`, filled("[", "]", func(i int) string { return fmt.Sprintf("%d.5e307", i%10) })},
		{"an enum of many values", `{"items":{"enum":[` + indexed(1000, `{"a":%d}`) + `]}}`, filled("[", "]", func(i int) string { return `{"a":999}` })},
		{"an enum of numbers in other words", `{"items":{"enum":[` + indexed(1000, `%d`) + `]}}`, filled("[", "]", func(i int) string { return "1000e-3" })},
		{"a pattern of nested repetition", `{"pattern":"^(a+)+$","maxLength":100000}`, text("a")},
		{"a pattern of alternatives", `{"pattern":"^(a|aa|aaa)+$","maxLength":100000}`, text("a")},
		{"a pattern that looks everywhere", `{"pattern":"x.*y.*z.*=","maxLength":100000}`, text("xyz")},
		{"a pattern of counted parts", `{"pattern":"^([a-z]{1,20}){1,20}!$","maxLength":100000}`, text("a")},
		{"a pattern of a wide window", `{"pattern":"(a|b)*a(a|b){12}c","maxLength":100000}`, text("ab")},
		{"a pattern of Unicode classes", `{"pattern":"^(\\p{L}|\\p{Lu}\\p{M}*)+$","maxLength":100000}`, text("äß")},
		{"patterns over many names", `{"patternProperties":{` + indexed(16, `"(a|b)*m(x|y){%d}":{}`) + `}}`, filled("{", "}", member)},
		{"names under propertyNames", `{"propertyNames":{"anyOf":[` + indexed(16, `{"pattern":"^x{%d}"}`) + `,{"minLength":1}]}}`, filled("{", "}", member)},
		{"one long text with a format", `{"anyOf":[{"format":"uri"},{"format":"email"},{"format":"hostname"},{"format":"byte"},{"format":"ipv6"},{"format":"date-time"}]}`, text("a.")},
		{"many texts with a format", `{"items":{"format":"email"}}`, filled("[", "]", func(i int) string { return `"a@b.c"` })},
		{"many dependent schemas", `{"dependentSchemas":{` + indexed(500, `"m%d":{"required":["m0"]}`) + `}}`, filled("{", "}", member)},
		{"many required members", `{"required":[` + indexed(3000, `"m%d"`) + `]}`, filled("{", "}", member)},
		{"items that must each be all of many", `{"items":{"allOf":[` + indexed(100, `{"minimum":-%d}`) + `]}}`, filled("[", "]", func(i int) string { return "1" })},
	}
}

// TestHostileValuesEndSoon: the time of a value is bounded by its tokens and the
// schemas, whatever they are. The bound here is for a slow machine and the race
// detector; BenchmarkHostile shows what it takes.
func TestHostileValuesEndSoon(t *testing.T) {
	for _, h := range hostiles() {
		t.Run(h.name, func(t *testing.T) {
			s, r := h.compiled(t), schema.Run{}
			start := time.Now()
			satisfies(t, &r, s, []byte(h.value))
			assert.Less(t, time.Since(start), 2*time.Second)
			f, _ := r.Fault()
			assert.Less(t, len(f.Pointer)+len(f.Keyword), 4<<10)
		})
	}
}

func (h *hostile) compiled(t testing.TB) *schema.Schema {
	t.Helper()
	require.LessOrEqual(t, len(h.value), hostileBytes)
	w := newWorld(schema.Options{Modern: true})
	s, problems, _ := w.compile(w.add("schema.json", tree(t, []byte(h.schema))))
	require.Empty(t, problems)
	return s
}

// BenchmarkHostile measures the same in processor time, the reading of the tokens
// included. Time on the clock would count what else the machine does.
func BenchmarkHostile(b *testing.B) {
	for _, h := range hostiles() {
		b.Run(strings.ReplaceAll(h.name, " ", "-"), func(b *testing.B) {
			s, r, value := h.compiled(b), schema.Run{}, []byte(h.value)
			before := processor(b)
			for b.Loop() {
				satisfies(b, &r, s, value)
			}
			b.ReportMetric((processor(b)-before).Seconds()*1000/float64(b.N), "cpu-ms/op")
		})
	}
}

// processor is the processor time of this process.
func processor(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
