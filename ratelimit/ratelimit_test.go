package ratelimit_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/sidewarden/sidewarden/ratelimit"
)

var t0 = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newLimiter(tb testing.TB, r float64, burst, maxKeys int) *ratelimit.Limiter {
	tb.Helper()
	l, err := ratelimit.New(ratelimit.Limit{Name: "test", Rate: r, Burst: burst, MaxKeys: maxKeys})
	require.NoError(tb, err)
	return l
}

func takeOne(l *ratelimit.Limiter, now time.Time, key string, n int) ratelimit.Result {
	return ratelimit.Take(now, []ratelimit.Ask{{Limiter: l, Key: []byte(key), N: n}}, nil)[0]
}

func TestNew(t *testing.T) {
	for _, c := range []struct {
		rule  string
		limit ratelimit.Limit
		wrong []string
	}{
		{"the smallest limit is valid", ratelimit.Limit{Rate: math.SmallestNonzeroFloat64, Burst: 1, MaxKeys: 1}, nil},
		{"the largest burst is valid", ratelimit.Limit{Rate: 1, Burst: math.MaxInt32, MaxKeys: 1}, nil},
		{"a rate of zero never refills", ratelimit.Limit{Burst: 1, MaxKeys: 1}, []string{"rate is 0"}},
		{"a negative rate is refused", ratelimit.Limit{Rate: -1, Burst: 1, MaxKeys: 1}, []string{"rate is -1"}},
		{"a rate must be a number", ratelimit.Limit{Rate: math.NaN(), Burst: 1, MaxKeys: 1}, []string{"rate is NaN"}},
		{"an infinite rate limits nothing", ratelimit.Limit{Rate: math.Inf(1), Burst: 1, MaxKeys: 1}, []string{"rate is +Inf"}},
		{"rate.Inf limits nothing", ratelimit.Limit{Rate: float64(rate.Inf), Burst: 1, MaxKeys: 1}, []string{"rate is 1.79"}},
		{"a burst of zero allows nothing", ratelimit.Limit{Rate: 1, MaxKeys: 1}, []string{"burst is 0"}},
		{"a burst beyond float precision is refused", ratelimit.Limit{Rate: 1, Burst: math.MaxInt32 + 1, MaxKeys: 1}, []string{"burst is 2147483648"}},
		{"a limit needs room for a key", ratelimit.Limit{Rate: 1, Burst: 1}, []string{"bound of keys is 0"}},
		{"all problems are reported at once", ratelimit.Limit{Name: "per-app"}, []string{`limit "per-app": rate`, "burst is 0", "bound of keys is 0"}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			l, err := ratelimit.New(c.limit)
			if c.wrong == nil {
				require.NoError(t, err)
				assert.Equal(t, c.limit, l.Limit())
				return
			}
			assert.Nil(t, l)
			for _, w := range c.wrong {
				assert.ErrorContains(t, err, w)
			}
		})
	}
}

func TestShardsFollowTheBound(t *testing.T) {
	for maxKeys, shards := range map[int]int{1: 1, 511: 1, 512: 2, 1024: 4, 16384: 64, 10_000_000: 64} {
		assert.Equal(t, shards, newLimiter(t, 1, 1, maxKeys).Shards(), "%d keys", maxKeys)
	}
}

func TestMisuseDenies(t *testing.T) {
	good := newLimiter(t, 1, 5, 10)
	for _, c := range []struct {
		rule string
		ask  ratelimit.Ask
	}{
		{"the zero ask", ratelimit.Ask{}},
		{"a nil limiter", ratelimit.Ask{Key: []byte("k"), N: 1}},
		{"a zero limiter", ratelimit.Ask{Limiter: new(ratelimit.Limiter), Key: []byte("k"), N: 1}},
		{"an ask for nothing", ratelimit.Ask{Limiter: good, Key: []byte("k")}},
		{"an ask that would give back", ratelimit.Ask{Limiter: good, Key: []byte("k"), N: -1}},
		{"an ask for more than the burst", ratelimit.Ask{Limiter: good, Key: []byte("k"), N: 6}},
		{"an ask for the largest number", ratelimit.Ask{Limiter: good, Key: []byte("k"), N: math.MaxInt}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			other := ratelimit.Ask{Limiter: good, Key: []byte("other"), N: 5}
			results := ratelimit.Take(t0, []ratelimit.Ask{c.ask, other}, nil)
			assert.Equal(t, []ratelimit.Result{{RetryAfter: ratelimit.Never}, {Allowed: true}}, results)
		})
	}
	assert.True(t, takeOne(good, t0, "other", 5).Allowed, "nothing was spent")
	for _, l := range []*ratelimit.Limiter{nil, new(ratelimit.Limiter)} {
		assert.Zero(t, l.Stats())
		assert.Zero(t, l.Limit())
	}
}

func TestStats(t *testing.T) {
	l := newLimiter(t, 1, 1, 2)
	for i := range 4 {
		takeOne(l, t0, fmt.Sprint(i), 1)
	}
	assert.Equal(t, ratelimit.Stats{Keys: 2, Overflowed: 2}, l.Stats())
	takeOne(l, t0.Add(time.Second), "4", 1)
	assert.Equal(t, ratelimit.Stats{Keys: 1, Swept: 2, Overflowed: 2}, l.Stats())
}
