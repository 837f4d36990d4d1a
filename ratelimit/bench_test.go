package ratelimit_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sidewarden/sidewarden/ratelimit"
)

func BenchmarkTake(b *testing.B) {
	one, two := newLimiter(b, 1e9, 1e9, 1000), newLimiter(b, 1e9, 1e9, 1000)
	asks := []ratelimit.Ask{{Limiter: one, Key: []byte("client"), N: 1}, {Limiter: two, Key: []byte("account"), N: 1}, {Limiter: one, Key: []byte("peer"), N: 1}}
	for _, n := range []int{1, 2, 3} {
		b.Run(fmt.Sprintf("asks=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			var results []ratelimit.Result
			for b.Loop() {
				results = ratelimit.Take(t0, asks[:n], results[:0])
			}
		})
		b.Run(fmt.Sprintf("asks=%d/contended", n), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				var results []ratelimit.Result
				for pb.Next() {
					results = ratelimit.Take(t0, asks[:n], results[:0])
				}
			})
		})
	}
}

func BenchmarkTakeAmong100kKeys(b *testing.B) {
	l := newLimiter(b, 1e9, 1e9, 100_000)
	keys := make([]string, 100_000)
	for i := range keys {
		keys[i] = fmt.Sprint("client-", i)
		takeOne(l, t0, keys[i], 1)
	}
	b.ReportAllocs()
	b.ResetTimer()
	var start atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		var results []ratelimit.Result
		for i := int(start.Add(7919)); pb.Next(); i += 31 {
			asks := []ratelimit.Ask{{Limiter: l, Key: []byte(keys[i%len(keys)]), N: 1}}
			results = ratelimit.Take(t0, asks, results[:0])
		}
	})
}

// BenchmarkTakeFlood measures a new key at the bound: nothing can be swept.
func BenchmarkTakeFlood(b *testing.B) {
	l := newLimiter(b, 0.001, 10, 10_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		takeOne(l, t0, fmt.Sprint(i), 1)
	}
}

func BenchmarkOnceUse(b *testing.B) {
	o := ratelimit.NewOnce(100_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now := t0.Add(time.Duration(i) * time.Millisecond)
		if first, err := useOnce(b, o, now, fmt.Sprint(i), now.Add(time.Minute)); !first {
			b.Fatal(err)
		}
	}
}
