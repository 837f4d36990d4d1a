package ratelimit_test

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sidewarden/sidewarden/ratelimit"
)

func newQuota(tb require.TestingT, count int64, p ratelimit.Period, maxKeys int) *ratelimit.Quota {
	q, err := ratelimit.NewQuota(ratelimit.Allowance{Name: "test", Count: count, Period: p, MaxKeys: maxKeys})
	require.NoError(tb, err)
	return q
}

func useOne(q *ratelimit.Quota, now time.Time, key string, n int) ratelimit.Result {
	return ratelimit.Take(now, []ratelimit.Ask{{Quota: q, Key: []byte(key), N: n}}, nil)[0]
}

func at(t testing.TB, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339Nano, s)
	require.NoError(t, err)
	return v
}

func TestNewQuota(t *testing.T) {
	for _, c := range []struct {
		rule      string
		allowance ratelimit.Allowance
		wrong     []string
	}{
		{"the smallest quota is valid", ratelimit.Allowance{Count: 1, Period: ratelimit.Hour, MaxKeys: 1}, nil},
		{"the largest quota is valid", ratelimit.Allowance{Count: math.MaxInt64, Period: ratelimit.Month, MaxKeys: 1}, nil},
		{"a count of zero allows nothing", ratelimit.Allowance{Period: ratelimit.Day, MaxKeys: 1}, []string{"count is 0"}},
		{"a period is needed", ratelimit.Allowance{Count: 1, MaxKeys: 1}, []string{"period is missing"}},
		{"an unknown period is none", ratelimit.Allowance{Count: 1, Period: ratelimit.Month + 1, MaxKeys: 1}, []string{"period is missing"}},
		{"all problems are reported at once", ratelimit.Allowance{Name: "daily", Count: -1}, []string{`quota "daily": the count is -1`, "period is missing", "bound of keys is 0"}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			q, err := ratelimit.NewQuota(c.allowance)
			if c.wrong == nil {
				require.NoError(t, err)
				assert.Equal(t, c.allowance, q.Allowance())
				return
			}
			assert.Nil(t, q)
			for _, w := range c.wrong {
				assert.ErrorContains(t, err, w)
			}
		})
	}
}

func TestAQuotaOverTime(t *testing.T) {
	type step struct {
		at    string
		n     int
		retry time.Duration // zero: allowed
	}
	h, s := time.Hour, time.Second
	for _, c := range []struct {
		rule   string
		period ratelimit.Period
		steps  []step
	}{
		{"all of it may be used at once and no more", ratelimit.Day, []step{{"2026-11-22T12:00:00Z", 10, 0}, {"2026-11-22T12:00:00Z", 1, 12 * h}}},
		{"it does not refill within the period", ratelimit.Day, []step{{"2026-11-22T00:00:00Z", 10, 0}, {"2026-11-22T23:59:59Z", 1, s}}},
		{"it is whole again when the day ends", ratelimit.Day, []step{{"2026-11-22T23:59:59.999999999Z", 10, 0}, {"2026-11-22T23:59:59.999999999Z", 1, 1}, {"2026-11-23T00:00:00Z", 10, 0}}},
		{"the day is that of UTC", ratelimit.Day, []step{{"2026-11-23T00:59:59+01:00", 10, 0}, {"2026-11-23T00:59:59+01:00", 1, s}, {"2026-11-23T01:00:00+01:00", 10, 0}}},
		{"what a denial asked for is not used", ratelimit.Day, []step{{"2026-11-22T12:00:00Z", 9, 0}, {"2026-11-22T12:00:00Z", 2, 12 * h}, {"2026-11-22T12:00:00Z", 1, 0}}},
		{"unused parts do not add up", ratelimit.Day, []step{{"2026-11-22T12:00:00Z", 1, 0}, {"2026-11-25T12:00:00Z", 10, 0}, {"2026-11-25T12:00:00Z", 1, 12 * h}}},
		{"an hour ends with the hour", ratelimit.Hour, []step{{"2026-11-22T12:59:59Z", 10, 0}, {"2026-11-22T12:59:59Z", 1, s}, {"2026-11-22T13:00:00Z", 10, 0}}},
		{"a month ends with the month", ratelimit.Month, []step{{"2028-02-01T00:00:00Z", 10, 0}, {"2028-02-29T23:59:59Z", 1, s}, {"2028-03-01T00:00:00Z", 10, 0}}},
		{"December ends with the year", ratelimit.Month, []step{{"2026-12-31T23:59:59Z", 10, 0}, {"2026-12-31T23:59:59Z", 1, s}, {"2027-01-01T00:00:00Z", 10, 0}}},
		{"an earlier time opens no period again", ratelimit.Day, []step{{"2026-11-22T12:00:00Z", 10, 0}, {"2026-11-23T00:00:00Z", 10, 0}, {"2026-11-22T23:00:00Z", 1, 25 * h}, {"2026-11-23T00:00:00Z", 1, 24 * h}}},
		{"more than the whole is never", ratelimit.Day, []step{{"2026-11-22T12:00:00Z", 11, ratelimit.Never}}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			q := newQuota(t, 10, c.period, 10)
			for i, step := range c.steps {
				want := ratelimit.Result{Allowed: step.retry == 0, RetryAfter: step.retry}
				assert.Equal(t, want, useOne(q, at(t, step.at), "k", step.n), "step %d", i)
			}
		})
	}
}

func TestAQuotaThatWasNotMadeDenies(t *testing.T) {
	good, limiter := newQuota(t, 5, ratelimit.Day, 5), newLimiter(t, 1, 5, 5)
	for _, c := range []struct {
		rule string
		ask  ratelimit.Ask
	}{
		{"a zero quota", ratelimit.Ask{Quota: new(ratelimit.Quota), N: 1}},
		{"an ask for nothing", ratelimit.Ask{Quota: good}},
		{"an ask that would give back", ratelimit.Ask{Quota: good, N: -1}},
		{"a quota and a limiter in one ask", ratelimit.Ask{Quota: good, Limiter: limiter, N: 1}},
		{"an ask for the largest number", ratelimit.Ask{Quota: good, N: math.MaxInt}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			got := ratelimit.Take(t0, []ratelimit.Ask{c.ask, {Quota: good, Key: []byte("other"), N: 5}}, nil)
			assert.Equal(t, []ratelimit.Result{{RetryAfter: ratelimit.Never}, {Allowed: true}}, got)
			assert.Zero(t, good.Usage(t0, 1).Keys, "a refused step takes no place")
		})
	}
	assert.Zero(t, new(ratelimit.Quota).Usage(t0, 1))
	assert.Zero(t, (*ratelimit.Quota)(nil).Allowance())
}

func TestAQuotaAndARateAreTakenTogether(t *testing.T) {
	q, l := newQuota(t, 3, ratelimit.Day, 10), newLimiter(t, 1, 2, 10)
	asks := []ratelimit.Ask{{Limiter: l, Key: []byte("k"), N: 1}, {Quota: q, Key: []byte("k"), N: 1}}
	take := func(now time.Time) []ratelimit.Result { return ratelimit.Take(now, asks, nil) }
	yes := ratelimit.Result{Allowed: true}
	require.Equal(t, []ratelimit.Result{yes, yes}, take(t0))
	require.Equal(t, []ratelimit.Result{yes, yes}, take(t0))
	assert.Equal(t, []ratelimit.Result{{RetryAfter: time.Second}, yes}, take(t0), "the rate denies and the quota has one left")
	assert.Equal(t, []ratelimit.Result{yes, yes}, take(t0.Add(time.Second)), "which was not spent")
	later := t0.Add(time.Minute)
	assert.Equal(t, []ratelimit.Result{yes, {RetryAfter: 12*time.Hour - time.Minute}}, take(later))
	tokens, _ := l.TokensAt(later, "k")
	assert.InDelta(t, 2, tokens, 0, "nor is the rate when the quota denies")
}

func TestOneTallyTwiceInAStep(t *testing.T) {
	q := newQuota(t, 3, ratelimit.Day, 10)
	ask := ratelimit.Ask{Quota: q, Key: []byte("k"), N: 2}
	denied := []ratelimit.Result{{Allowed: true}, {RetryAfter: ratelimit.Never}}
	assert.Equal(t, denied, ratelimit.Take(t0, []ratelimit.Ask{ask, ask}, nil))
	assert.Zero(t, q.Usage(t0, 1).Keys)
	ask.N = 1
	assert.Equal(t, []ratelimit.Result{{Allowed: true}, {Allowed: true}}, ratelimit.Take(t0, []ratelimit.Ask{ask, ask}, nil))
	assert.Equal(t, []ratelimit.KeyUsage{{Key: "k", Used: 2}}, q.Usage(t0, 1).Fullest)
}

func TestAFloodDoesNotRefillAQuota(t *testing.T) {
	q := newQuota(t, 2, ratelimit.Day, 3)
	require.True(t, useOne(q, t0, "victim", 2).Allowed)
	for i := range 1000 {
		useOne(q, t0, fmt.Sprint(i), 1)
	}
	assert.Equal(t, ratelimit.Result{RetryAfter: 12 * time.Hour}, useOne(q, t0, "victim", 1))
	assert.Equal(t, ratelimit.Result{RetryAfter: 12 * time.Hour, Overflow: true}, useOne(q, t0, "new", 1), "newcomers share what is left")
	u := q.Usage(t0, 9)
	assert.Equal(t, 3, u.Keys)
	assert.EqualValues(t, 1000-2+1, u.Overflowed)
	assert.True(t, useOne(q, t0.Add(24*time.Hour), "new", 2).Allowed, "the next day has room")
}

func TestAFloodOfGuestsLeavesRoomForOthers(t *testing.T) {
	q := newQuota(t, 2, ratelimit.Month, 4)
	guest := func(now time.Time, key string, n int) ratelimit.Result {
		return ratelimit.Take(now, []ratelimit.Ask{{Quota: q, Key: []byte(key), N: n, Guest: true}}, nil)[0]
	}
	for range 10 {
		require.False(t, guest(t0, "greedy", 3).Allowed, "who is refused takes no place")
	}
	for i := range 100 {
		assert.Equal(t, i >= 2, guest(t0, fmt.Sprint(i), 1).Overflow, "guest %d", i)
	}
	assert.False(t, guest(t0, "0", 2).Allowed, "what a guest used stays used")
	for _, known := range []string{"a", "b"} {
		assert.Equal(t, ratelimit.Result{Allowed: true}, useOne(q, t0, known, 2))
	}
	shared := useOne(q, t0, "c", 1)
	assert.True(t, shared.Allowed && shared.Overflow, "guests do not use up what the others share")
	assert.True(t, guest(t0, "new", 1).Overflow)
	next := t0.AddDate(0, 1, 0)
	assert.Equal(t, ratelimit.Result{Allowed: true}, guest(next, "new", 1), "the next period has room for guests")
}

func TestOfParallelAsksExactlyTheQuotaPasses(t *testing.T) {
	q, l := newQuota(t, 7, ratelimit.Month, 10), newLimiter(t, 1e-6, 1000, 10)
	var allowed atomic.Int64
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			asks := []ratelimit.Ask{{Quota: q, Key: []byte("k"), N: 1}, {Limiter: l, Key: []byte("k"), N: 1}}
			if i%2 == 1 {
				asks[0], asks[1] = asks[1], asks[0]
			}
			got := ratelimit.Take(t0, asks, nil)
			if got[0].Allowed && got[1].Allowed {
				allowed.Add(1)
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, 7, allowed.Load())
	tokens, _ := l.TokensAt(t0, "k")
	assert.InDelta(t, 1000-7, tokens, 1e-6)
}

// TestNoInterleavingLetsMoreThrough draws steps over two rates and two quotas at
// times that also go back: no key ever gets more than burst plus rate times the
// elapsed time, nor more than the quota in any period that its clock was in; a
// refused step spends nothing; no bound of keys is ever passed.
func TestNoInterleavingLetsMoreThrough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		quotas := []*ratelimit.Quota{newQuota(t, 4, ratelimit.Hour, 2), newQuota(t, 6, ratelimit.Day, 3)}
		limit := ratelimit.Limit{Rate: 1.0 / 600, Burst: 3, MaxKeys: 2}
		limiter, err := ratelimit.New(limit)
		require.NoError(t, err)
		now, first, latest := t0, time.Time{}, time.Time{}
		used := map[string]int64{} // by quota, key and period
		var spent int              // of key a of the limiter
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(-40, 60).Draw(t, "minutes")) * time.Minute)
			if now.After(latest) {
				latest = now
			}
			if first.IsZero() {
				first = now
			}
			asks := []ratelimit.Ask{{Limiter: limiter, Key: []byte("a"), N: 1}}
			var names []string
			// Every step asks both, so that all clocks are the latest time.
			for i, q := range quotas {
				key := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "key")
				asks = append(asks, ratelimit.Ask{Quota: q, Key: []byte(key), N: rapid.IntRange(1, 2).Draw(t, "n")})
				names = append(names, fmt.Sprint(i, key, latest.Truncate([]time.Duration{time.Hour, 24 * time.Hour}[i])))
			}
			before := []ratelimit.Usage{quotas[0].Usage(latest, 9), quotas[1].Usage(latest, 9)}
			results := ratelimit.Take(now, asks, nil)
			if !results[0].Allowed || !results[1].Allowed || !results[2].Allowed {
				for i, q := range quotas {
					assert.Equal(t, before[i].Fullest, q.Usage(latest, 9).Fullest)
				}
				continue
			}
			spent++
			assert.LessOrEqual(t, float64(spent), float64(limit.Burst)+limit.Rate*latest.Sub(first).Seconds()+1e-6)
			for i, q := range quotas {
				used[names[i]] += int64(asks[i+1].N)
				assert.LessOrEqual(t, used[names[i]], q.Allowance().Count)
				assert.LessOrEqual(t, q.Usage(latest, 0).Keys, q.Allowance().MaxKeys)
			}
		}
	})
}

func TestUsageOfAQuota(t *testing.T) {
	q := newQuota(t, 5, ratelimit.Day, 5000)
	assert.Equal(t, ratelimit.Usage{Ends: t0.Add(12 * time.Hour)}, q.Usage(t0, 3), "nobody asked yet")
	for i := range 3000 { // more than is looked at in one go
		useOne(q, t0, fmt.Sprintf("%04d", i), 1)
	}
	useOne(q, t0, "full", 5)
	useOne(q, t0, "half", 3)
	assert.Equal(t, ratelimit.Usage{
		Keys: 3002, Exhausted: 1, Ends: t0.Add(12 * time.Hour),
		Fullest: []ratelimit.KeyUsage{{"full", 5}, {"half", 3}, {"0000", 1}},
	}, q.Usage(t0, 3))
	assert.Equal(t, 3002, q.Usage(t0, 0).Keys)
	assert.Equal(t, ratelimit.Usage{Ends: t0.Add(36 * time.Hour)}, q.Usage(t0.Add(12*time.Hour), 3), "the day is over")
}

func TestUsageOfALimiter(t *testing.T) {
	l := newLimiter(t, 1, 4, 1000)
	for i := range 600 { // in several shards
		takeOne(l, t0, fmt.Sprintf("%03d", i), 1)
	}
	takeOne(l, t0, "full", 4)
	takeOne(l, t0, "half", 2)
	u := l.Usage(t0, 3)
	assert.Equal(t, ratelimit.Usage{Keys: 602, Exhausted: 1, Fullest: []ratelimit.KeyUsage{{"full", 4}, {"half", 2}, {"000", 1}}}, u)
	u = l.Usage(t0.Add(2500*time.Millisecond), 3)
	assert.Equal(t, ratelimit.Usage{Keys: 602, Fullest: []ratelimit.KeyUsage{{"full", 2}}}, u, "a refilled bucket has used nothing")
	assert.Equal(t, 1, l.Usage(t0.Add(-time.Hour), 0).Exhausted, "time does not go back")
	assert.Zero(t, (*ratelimit.Limiter)(nil).Usage(t0, 1))
}
