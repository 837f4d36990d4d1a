package audit_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
)

// read is a GET that every control permits.
func read() scenario {
	s := scenarios()["clean-allowed"]
	s.r.Method, s.r.RawQuery, s.r.Query, s.r.Body = "GET", "", nil, policy.Body{}
	s.r.Header.Del("Content-Type")
	return s
}

func BenchmarkObserve(b *testing.B) {
	for name, s := range map[string]scenario{"read": read(), "leak": scenarios()["account-leak"]} {
		b.Run(name, func(b *testing.B) {
			rc := recorder(b)
			b.ReportAllocs()
			for b.Loop() {
				rc.Observe(s.r, s.d, s.o)
			}
		})
	}
}

func BenchmarkAppendLine(b *testing.B) {
	for name, s := range map[string]scenario{"read": read(), "leak": scenarios()["account-leak"]} {
		b.Run(name, func(b *testing.B) {
			rec := record(b, s)
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if buf, err = rec.AppendLine(buf[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestALineIsWrittenIntoItsBuffer(t *testing.T) {
	rec := record(t, read())
	buf := line(t, rec)
	assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = rec.AppendLine(buf[:0]) }))
}
