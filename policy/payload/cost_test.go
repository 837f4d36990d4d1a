package payload_test

import (
	"fmt"
	"iter"
	"math"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/payload"
)

// order is a document of 1 KB: 15 properties, 4 of them objects in an array.
const order = `{"orderId":"ord-2026-000123","accountId":"acct-000001","currency":"EUR","total":1234.56,"status":"pending",` +
	`"createdAt":"2026-11-28T10:00:00Z","priority":3,"express":true,"note":"Leave at the reception desk, please ring twice",` +
	`"email":"jane.doe@example.com","phone":"+49301234567","billing":{"street":"Some Street 12","city":"Berlin","zip":"10115"},` +
	`"shipping":{"street":"Some Street 12, second floor","city":"Berlin","zip":"10115"},"items":[` +
	`{"sku":"SKU-0001","quantity":2,"price":"12.50","name":"A thing that is useful to somebody"},` +
	`{"sku":"SKU-0002","quantity":1,"price":"99.00","name":"Another useful thing of the same kind"},` +
	`{"sku":"SKU-0003","quantity":10,"price":"1.20","name":"A small cheap thing"},` +
	`{"sku":"SKU-0004","quantity":4,"price":"250.00","name":"A large expensive thing"}],"reference":"PO-2026-11-28-0001"}`

// counter is a judge that costs nothing but the walk.
type counter struct {
	tokens int
	count  func(jsontext.Kind, []byte) bool
}

func newCounter() *counter {
	c := &counter{}
	c.count = func(jsontext.Kind, []byte) bool { c.tokens++; return true }
	return c
}

func (c *counter) Judge(_ *policy.Request, _ string, tokens iter.Seq2[jsontext.Kind, []byte], _ bool) policy.Verdict {
	tokens(c.count)
	return policy.Permitted()
}

func roomy(t testing.TB, schema payload.Judge, selectors ...string) *payload.Inspector {
	t.Helper()
	in, err := payload.NewInspector(payload.Options{
		Declared: declare(t, "application/json"), MaxBytes: 1 << 20, MaxDepth: 64, Selectors: selectors, Schema: schema,
	})
	require.NoError(t, err)
	return in
}

func TestReadingJSONAllocatesNothing(t *testing.T) {
	if raced { // there a pool drops what it is given
		return
	}
	r := post(contentType("application/json"))
	for name, text := range map[string]string{
		"an order": order, "escapes": `{"\u0061":["\n","\ud83d\ude00"],"b\"":1e-5}`, "deep": nest(64), "a scalar": `"a"`,
	} {
		for judge, schema := range map[string]payload.Judge{"no judge": nil, "a judge": newCounter()} {
			in := roomy(t, schema, "/nowhere")
			body := []byte(text)
			assert.LessOrEqual(t, testing.AllocsPerRun(1000, func() { in.Inspect(r, body, -1, true) }), 1.0, "%s, %s: the list of selected values", name, judge)
			in = roomy(t, schema)
			assert.Zero(t, testing.AllocsPerRun(1000, func() { in.Inspect(r, body, -1, true) }), "%s, %s", name, judge)
		}
	}
}

func TestHostileJSONIsReadSoon(t *testing.T) {
	unknown := make([]string, 20_000)
	for i := range unknown {
		unknown[i] = fmt.Sprintf(`"u%d":0`, i)
	}
	fill := func(n int, open, part, end string) string { return open + strings.Repeat(part, n/len(part)) + end }
	var objects strings.Builder // as many names as are looked for one by one
	for objects.WriteByte('['); objects.Len() < 64<<10; objects.WriteByte(',') {
		objects.WriteString("{" + strings.Join(unknown[:64], ",") + "}")
	}
	for name, text := range map[string]string{
		"20000 properties":   "{" + strings.Join(unknown, ",") + "}",
		"properties":         "{" + strings.Join(unknown[:6000], ",") + "}",
		"objects":            objects.String() + "0]",
		"levels":             fill(64<<10, "", "[", ""),
		"levels of objects":  fill(64<<10, "", `{"":`, ""),
		"numbers":            fill(64<<10, "[", "1e308,", "0]"),
		"a number":           fill(64<<10, "", "9", ""),
		"an exponent":        fill(64<<10, "1e", "9", ""),
		"escapes":            fill(64<<10, `"`, `\u0061`, `"`),
		"names in escapes":   fill(64<<10, `{"`, `\u0061`, `":0}`),
		"a late surrogate":   fill(64<<10, `["`, `a`, `","\ud800"]`),
		"many surrogates":    fill(64<<10, `[`, `"\ud800",`, `0]`),
		"surrogates in text": fill(64<<10, `"`, `\ud800`, `"`),
		"text without end":   fill(64<<10, `"`, `a`, ``),
		"white space":        fill(64<<10, ``, " ", `0`),
		"trailing data":      fill(64<<10, `0`, " ", `0`),
		"the latest of pair": `{"a":0` + strings.Repeat(`,"b":[]`, 1) + fill(64<<10, `,"c":"`, "c", `","a":1}`),
	} {
		t.Run(name, func(t *testing.T) {
			in, r, b := roomy(t, newCounter(), "/u19999", "/0/0/0"), post(contentType("application/json")), []byte(text)
			took, bytes := cost(func() { in.Inspect(r, b, -1, true) })
			assert.Less(t, took, slowness*20*time.Millisecond)
			assert.LessOrEqual(t, bytes, uint64(32*len(b)+1<<16))
			assert.LessOrEqual(t, len(payload.ReadJSON(b, depth, nil).Detail), 64)
		})
	}
}

// cost returns the processor time that a call takes, the shortest of some, and the bytes
// that it allocates. The processor is shared, so that the wall clock says little.
func cost(call func()) (time.Duration, uint64) {
	var before, after runtime.MemStats
	best, bytes := time.Hour, uint64(math.MaxUint64)
	for range 7 {
		runtime.ReadMemStats(&before)
		begun := spent()
		call()
		best = min(best, spent()-begun)
		runtime.ReadMemStats(&after)
		bytes = min(bytes, after.TotalAlloc-before.TotalAlloc)
	}
	return best, bytes
}

// spent returns the processor time of this process.
func spent() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkReadJSON(b *testing.B) {
	walk := newCounter()
	in, r, body := roomy(b, walk), post(contentType("application/json")), []byte(order)
	in.Inspect(r, body, -1, true)
	b.ReportMetric(float64(walk.tokens), "tokens")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		in.Inspect(r, body, -1, true)
	}
}

// BenchmarkWalkJSON is the walk alone, without bounds, for comparison.
func BenchmarkWalkJSON(b *testing.B) {
	var d jsontext.Decoder
	source := strings.NewReader(order)
	b.SetBytes(int64(len(order)))
	for b.Loop() {
		source.Reset(order)
		d.Reset(source)
		for d.PeekKind() != jsontext.KindInvalid {
			if _, err := d.ReadToken(); err != nil {
				b.Fatal(err)
			}
		}
	}
}
