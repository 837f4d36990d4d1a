package ratelimit_test

import (
	"crypto/sha256"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/ratelimit"
)

func TestTakeOverTime(t *testing.T) {
	type step struct {
		at    time.Duration
		n     int
		retry time.Duration // zero: allowed
	}
	ms, s := time.Millisecond, time.Second
	for _, c := range []struct {
		rule  string
		rate  float64
		burst int
		steps []step
	}{
		{"a new key has the whole burst and no more", 1, 3, []step{{0, 3, 0}, {0, 1, s}}},
		{"a token is back exactly when it is due", 100.0 / 60, 1, []step{{0, 1, 0}, {600*ms - 1, 1, 1}, {600 * ms, 1, 0}, {600 * ms, 1, 600 * ms}}},
		{"retry-after counts all that is missing", 10, 10, []step{{0, 10, 0}, {0, 5, 500 * ms}, {200 * ms, 5, 300 * ms}, {500 * ms, 5, 0}}},
		{"a denial costs nothing", 1, 2, []step{{0, 1, 0}, {0, 2, s}, {0, 2, s}, {0, 1, 0}}},
		{"idle time saves up no more than the burst", 1, 2, []step{{0, 2, 0}, {3600 * s, 2, 0}, {3600 * s, 1, s}}},
		{"no second burst passes at the edge of a window", 1, 60, []step{{0, 60, 0}, {60*s - 1, 60, 1}, {60 * s, 60, 0}, {60 * s, 1, s}, {61 * s, 2, s}}},
		{"an earlier time grants nothing", 1, 2, []step{{10 * s, 2, 0}, {0, 1, 11 * s}, {5 * s, 1, 6 * s}, {10 * s, 1, s}, {11 * s, 1, 0}}},
		{"time that was counted is not counted again", 1, 3, []step{{10 * s, 1, 0}, {2 * s, 2, 0}, {10 * s, 1, s}}},
		{"a wait beyond all times is never", math.SmallestNonzeroFloat64, 1, []step{{0, 1, 0}, {0, 1, ratelimit.Never}}},
		{"a high rate keeps its precision", 1e6, 1e6, []step{{0, 1e6, 0}, {0, 1, 1000}, {1000, 1, 0}, {1000, 2, 2000}}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			l := newLimiter(t, c.rate, c.burst, 10)
			for i, step := range c.steps {
				want := ratelimit.Result{Allowed: step.retry == 0, RetryAfter: step.retry}
				assert.Equal(t, want, takeOne(l, t0.Add(step.at), "k", step.n), "step %d", i)
			}
		})
	}
}

func TestTakeIsExact(t *testing.T) {
	l := newLimiter(t, 100.0/60, 100, 10)
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 20 {
				if takeOne(l, t0, "k", 1).Allowed {
					allowed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 100, allowed.Load())
}

func TestRetryAfterIsEnoughAndNotMore(t *testing.T) {
	for _, r := range []float64{0.001, 1.0 / 3, 7, 100.0 / 60, 999.9, 12345.678} {
		l := newLimiter(t, r, 13, 10)
		now := t0
		for i := range 200 {
			n := 1 + i%13
			result := takeOne(l, now, "k", n)
			if result.Allowed {
				continue
			}
			require.Positive(t, result.RetryAfter)
			require.False(t, takeOne(l, now.Add(result.RetryAfter-2), "k", n).Allowed, "two nanoseconds early at rate %v", r)
			now = now.Add(result.RetryAfter)
			require.True(t, takeOne(l, now, "k", n).Allowed, "in time at rate %v", r)
		}
	}
}

func TestTakeIsAllOrNone(t *testing.T) {
	wide, narrow := newLimiter(t, 1, 10, 10), newLimiter(t, 1, 1, 10)
	asks := []ratelimit.Ask{{Limiter: wide, Key: []byte("a"), N: 2}, {Limiter: narrow, Key: []byte("a"), N: 1}}
	assert.Equal(t, []ratelimit.Result{{Allowed: true}, {Allowed: true}}, ratelimit.Take(t0, asks, nil))
	for range 5 {
		denied := []ratelimit.Result{{Allowed: true}, {RetryAfter: time.Second}}
		assert.Equal(t, denied, ratelimit.Take(t0, asks, nil), "each limit has its own answer")
	}
	tokens, own := wide.TokensAt(t0, "a")
	assert.True(t, own)
	assert.InDelta(t, 8, tokens, 0, "the limit that allowed loses nothing")
}

func TestTakeOfOneBucketTwice(t *testing.T) {
	yes, never := ratelimit.Result{Allowed: true}, ratelimit.Result{RetryAfter: ratelimit.Never}
	wait := func(d time.Duration) ratelimit.Result { return ratelimit.Result{RetryAfter: d} }
	for _, c := range []struct {
		rule string
		asks []int
		want []ratelimit.Result
		left float64
	}{
		{"both are spent if both fit", []int{1, 2}, []ratelimit.Result{yes, yes}, 0},
		{"the later one comes after the earlier one", []int{2, 2}, []ratelimit.Result{yes, wait(time.Second)}, 3},
		{"a denied one does not count", []int{4, 3}, []ratelimit.Result{wait(time.Second), yes}, 3},
		{"more than the burst together is never", []int{3, 3}, []ratelimit.Result{yes, never}, 3},
	} {
		t.Run(c.rule, func(t *testing.T) {
			l := newLimiter(t, 1, 5, 10)
			require.True(t, takeOne(l, t0, "k", 2).Allowed)
			var asks []ratelimit.Ask
			for _, n := range c.asks {
				asks = append(asks, ratelimit.Ask{Limiter: l, Key: []byte("k"), N: n})
			}
			assert.Equal(t, c.want, ratelimit.Take(t0, asks, nil))
			tokens, _ := l.TokensAt(t0, "k")
			assert.InDelta(t, c.left, tokens, 0)
		})
	}
}

func TestTakeOfOneNewBucketTwice(t *testing.T) {
	l := newLimiter(t, 1, 3, 10)
	ask := ratelimit.Ask{Limiter: l, Key: []byte("k"), N: 2}
	want := []ratelimit.Result{{Allowed: true}, {RetryAfter: ratelimit.Never}}
	assert.Equal(t, want, ratelimit.Take(t0, []ratelimit.Ask{ask, ask}, nil))
	assert.EqualValues(t, 1, l.Stats().Keys)
	assert.True(t, takeOne(l, t0, "k", 3).Allowed, "nothing was spent")
}

func TestTakeOfManyBuckets(t *testing.T) {
	l := newLimiter(t, 1, 1, 10_000)
	var asks []ratelimit.Ask
	for i := range 200 {
		asks = append(asks, ratelimit.Ask{Limiter: l, Key: []byte(fmt.Sprint(i)), N: 1})
	}
	for _, result := range ratelimit.Take(t0, asks, nil) {
		require.True(t, result.Allowed)
	}
	for _, result := range ratelimit.Take(t0, asks, nil) {
		require.False(t, result.Allowed)
	}
}

func TestTakeAppends(t *testing.T) {
	l := newLimiter(t, 1, 1, 10)
	kept := ratelimit.Result{RetryAfter: 42}
	buffer := make([]ratelimit.Result, 1, 4)
	buffer[0] = kept
	results := ratelimit.Take(t0, []ratelimit.Ask{{Limiter: l, Key: []byte("k"), N: 1}}, buffer)
	assert.Equal(t, []ratelimit.Result{kept, {Allowed: true}}, results)
	assert.Same(t, &buffer[0], &results[0])
	assert.Empty(t, ratelimit.Take(t0, nil, nil))
}

func TestTakeIsAtomicUnderContention(t *testing.T) {
	const burst, workers, rounds = 500, 16, 200
	narrow := newLimiter(t, 0.001, burst, 1000)
	wide := newLimiter(t, 0.001, 1_000_000, 1000)
	var both, alone atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			asks := []ratelimit.Ask{{Limiter: narrow, Key: []byte("k"), N: 1}, {Limiter: wide, Key: []byte("k"), N: 1}, {Limiter: wide, Key: []byte("l"), N: 1}}
			if w%2 == 1 {
				asks[0], asks[2] = asks[2], asks[0]
			}
			var results []ratelimit.Result
			for range rounds {
				results = ratelimit.Take(t0, asks, results[:0])
				if results[0].Allowed && results[1].Allowed && results[2].Allowed {
					both.Add(1)
				}
				if takeOne(wide, t0, "l", 1).Allowed {
					alone.Add(1)
				}
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, burst, both.Load(), "no spurious denial and no extra")
	assert.EqualValues(t, workers*rounds, alone.Load(), "the wide limit always had room")
	k, _ := wide.TokensAt(t0, "k")
	l, _ := wide.TokensAt(t0, "l")
	assert.InDelta(t, 1_000_000-burst, k, 0)
	assert.InDelta(t, 1_000_000-burst-workers*rounds, l, 0)
}

func TestFloodKeepsTheBoundAndTheExhaustedKey(t *testing.T) {
	const maxKeys = 2000
	l := newLimiter(t, 0.01, 3, maxKeys)
	require.True(t, takeOne(l, t0, "exhausted", 3).Allowed)
	for i := range floodKeys {
		now := t0.Add(time.Duration(i) * time.Minute / floodKeys)
		takeOne(l, now, fmt.Sprintf("flood-%d", i), 1)
		if i%1000 == 0 {
			require.False(t, takeOne(l, now, "exhausted", 1).Allowed, "after %d keys", i)
			require.LessOrEqual(t, l.Stats().Keys, uint64(maxKeys))
		}
	}
	assert.EqualValues(t, maxKeys, l.Stats().Keys)
	assert.Positive(t, l.Stats().Overflowed)
	assert.False(t, takeOne(l, t0.Add(time.Minute), "exhausted", 1).Allowed)
	assert.True(t, takeOne(l, t0.Add(100*time.Second), "exhausted", 1).Allowed, "its own bucket was kept")
}

func TestFloodFromManySidesKeepsTheBound(t *testing.T) {
	const maxKeys = 1024
	l := newLimiter(t, 1000, 1, maxKeys)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 5000 {
				takeOne(l, t0.Add(time.Duration(i)*time.Microsecond), fmt.Sprintf("%d-%d", w, i), 1)
			}
		})
	}
	wg.Wait()
	assert.LessOrEqual(t, l.Stats().Keys, uint64(maxKeys))
	assert.Positive(t, l.Stats().Swept)
}

func TestOverflow(t *testing.T) {
	overflow := ratelimit.Result{Allowed: true, Overflow: true}
	l := newLimiter(t, 1, 4, 2)
	require.True(t, takeOne(l, t0, "a", 4).Allowed)
	require.True(t, takeOne(l, t0, "b", 1).Allowed)
	assert.Equal(t, overflow, takeOne(l, t0, "c", 1), "a key without a place shares")
	assert.Equal(t, overflow, takeOne(l, t0, "d", 3), "another one shares the same bucket")
	assert.Equal(t, ratelimit.Result{Overflow: true, RetryAfter: time.Second}, takeOne(l, t0, "e", 1))

	now := t0.Add(time.Second) // b is full again, the overflow bucket holds one
	assert.Equal(t, ratelimit.Result{RetryAfter: time.Second}, takeOne(l, now, "d", 2), "its own bucket is no second burst")
	assert.Equal(t, ratelimit.Result{Allowed: true}, takeOne(l, now, "d", 1))
	assert.EqualValues(t, 1, l.Stats().Swept)
	assert.Equal(t, ratelimit.Result{RetryAfter: 3 * time.Second}, takeOne(l, now, "a", 4), "a was not swept: it holds one")
}

func TestNewKeyAfterDebtInOverflowIsNotFull(t *testing.T) {
	l := newLimiter(t, 1.5e9, 2, 33) // three tokens in two nanoseconds: half a token of debt is possible
	for i := range 32 {
		require.True(t, takeOne(l, t0, fmt.Sprint(i), 2).Allowed)
	}
	require.True(t, takeOne(l, t0, "last", 1).Allowed)
	overflow := ratelimit.Result{Allowed: true, Overflow: true}
	require.Equal(t, overflow, takeOne(l, t0, "a", 2))
	require.Equal(t, overflow, takeOne(l, t0.Add(1), "b", 2), "the last half token is missing")
	assert.Equal(t, ratelimit.Result{RetryAfter: 1}, takeOne(l, t0.Add(1), "c", 2), "c takes the place of the last")
}

func TestSweepSparesTheKeysOfTheSameStep(t *testing.T) {
	l := newLimiter(t, 1, 2, 1)
	asks := []ratelimit.Ask{{Limiter: l, Key: []byte("new"), N: 2}, {Limiter: l, Key: []byte("held"), N: 2}}
	require.Equal(t, ratelimit.Result{Allowed: true}, takeOne(l, t0, "held", 2))
	now := t0.Add(time.Hour)
	want := []ratelimit.Result{{Allowed: true, Overflow: true}, {Allowed: true}}
	assert.Equal(t, want, ratelimit.Take(now, asks, nil), "a full bucket of the step keeps its place")
	assert.False(t, takeOne(l, now, "held", 1).Allowed)
	assert.False(t, takeOne(l, now, "new", 1).Allowed)
}

func TestSweepLooksAtABoundedNumber(t *testing.T) {
	l := newLimiter(t, 1, 2, 100)
	for i := range 100 {
		n := 2
		if i == 99 {
			n = 1
		}
		require.True(t, takeOne(l, t0, fmt.Sprint(i), n).Allowed)
	}
	now := t0.Add(time.Second) // only the last key is full again
	for i := range 6 {
		require.True(t, takeOne(l, now, fmt.Sprint("new", i), 2).Overflow)
	}
	assert.Zero(t, l.Stats().Swept)
	assert.False(t, takeOne(l, now, "one more", 1).Overflow, "the seventh look reaches it")
	assert.EqualValues(t, 1, l.Stats().Swept)
}

func TestLongKeysAreBounded(t *testing.T) {
	l := newLimiter(t, 0.001, 1, 100)
	long := strings.Repeat("k", 257)
	sum := sha256.Sum256([]byte(long))
	for _, key := range []string{long, "sha256:" + string(sum[:]), long + "k", strings.Repeat("k", 1<<20), long[:256], "sha256:", "sha256:" + long} {
		assert.True(t, takeOne(l, t0, key, 1).Allowed)
		assert.False(t, takeOne(l, t0, key, 1).Allowed)
	}
	assert.EqualValues(t, 7, l.Stats().Keys)
	assert.Equal(t, 256, l.LongestKey())
}

func TestAllocations(t *testing.T) {
	one, two := newLimiter(t, 1e6, 1e9, 1000), newLimiter(t, 1e6, 1e9, 1000)
	asks := []ratelimit.Ask{{Limiter: one, Key: []byte("k"), N: 1}, {Limiter: two, Key: []byte("k"), N: 1}, {Limiter: one, Key: []byte("l"), N: 1}}
	results := ratelimit.Take(t0, asks, nil)
	for _, n := range []int{1, 3} {
		assert.Zero(t, testing.AllocsPerRun(1000, func() { results = ratelimit.Take(t0, asks[:n], results[:0]) }), "%d asks into a buffer", n)
	}
	assert.LessOrEqual(t, testing.AllocsPerRun(1000, func() { ratelimit.Take(t0, asks[:1], nil) }), 1.0, "without a buffer")
}
