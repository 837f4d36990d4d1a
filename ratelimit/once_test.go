package ratelimit_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/ratelimit"
)

func TestOnceUse(t *testing.T) {
	s := time.Second
	type use struct {
		at    time.Duration
		key   string
		until time.Duration
		first bool
		err   error
	}
	for _, c := range []struct {
		rule    string
		maxKeys int
		uses    []use
	}{
		{"the second use is not first", 9, []use{{0, "a", s, true, nil}, {0, "a", s, false, nil}, {s - 1, "a", s, false, nil}}},
		{"keys are independent", 9, []use{{0, "a", s, true, nil}, {0, "b", s, true, nil}}},
		{"the empty key is a key", 9, []use{{0, "", s, true, nil}, {0, "", s, false, nil}}},
		{"a key is forgotten at its time", 9, []use{{0, "a", s, true, nil}, {s, "a", 2 * s, true, nil}, {s, "a", 2 * s, false, nil}}},
		{"a later use does not prolong", 9, []use{{0, "a", s, true, nil}, {0, "a", 9 * s, false, nil}, {s, "a", 9 * s, true, nil}}},
		{"what is past cannot be remembered", 9, []use{{s, "a", s, false, ratelimit.ErrPast}, {s, "a", s + 1, true, nil}}},
		{"a live key that is used with a past time is known", 9, []use{{0, "a", 3 * s, true, nil}, {s, "a", s, false, nil}}},
		{"full of live keys is an error", 2, []use{{0, "a", s, true, nil}, {0, "b", 2 * s, true, nil}, {0, "c", s, false, ratelimit.ErrFull}}},
		{"a known key is known when full", 1, []use{{0, "a", s, true, nil}, {0, "a", s, false, nil}}},
		{"an expired key gives up its place", 2, []use{{0, "a", 2 * s, true, nil}, {0, "b", s, true, nil}, {s, "c", 3 * s, true, nil}, {s, "d", 3 * s, false, ratelimit.ErrFull}}},
		{"a clock that goes back forgets nothing", 9, []use{{0, "a", s, true, nil}, {s, "b", 2 * s, true, nil}, {0, "a", s, false, ratelimit.ErrPast}, {0, "b", 2 * s, false, nil}}},
		{"a bound below one is always full", 0, []use{{0, "a", s, false, ratelimit.ErrFull}}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			o := ratelimit.NewOnce(c.maxKeys)
			for i, u := range c.uses {
				first, err := useOnce(t, o, t0.Add(u.at), u.key, t0.Add(u.until))
				assert.Equal(t, u.first, first, "use %d", i)
				assert.ErrorIs(t, err, u.err, "use %d", i)
			}
		})
	}
}

func TestOnceMisuseIsFull(t *testing.T) {
	for _, o := range []*ratelimit.Once{nil, new(ratelimit.Once)} {
		first, err := useOnce(t, o, t0, "k", t0.Add(time.Hour))
		assert.False(t, first)
		require.ErrorIs(t, err, ratelimit.ErrFull)
		assert.Zero(t, o.Stats())
	}
}

func TestOnceConcurrentUses(t *testing.T) {
	o := ratelimit.NewOnce(100)
	for round := range 20 {
		var firsts atomic.Int64
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if first, err := useOnce(t, o, t0, fmt.Sprint(round), t0.Add(time.Minute)); first && err == nil {
					firsts.Add(1)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, firsts.Load())
	}
}

func TestOnceFloodKeepsTheBoundAndLiveKeys(t *testing.T) {
	const maxKeys = 1000
	o := ratelimit.NewOnce(maxKeys)
	first, err := useOnce(t, o, t0, "victim", t0.Add(time.Hour))
	require.NoError(t, err)
	require.True(t, first)
	refused := uint64(0)
	for i := range 100_000 {
		now := t0.Add(time.Duration(i) * time.Millisecond)
		_, err := useOnce(t, o, now, fmt.Sprint(i), now.Add(1500*time.Millisecond))
		if err != nil {
			require.ErrorIs(t, err, ratelimit.ErrFull)
			refused++
		}
		require.LessOrEqual(t, o.Stats().Keys, uint64(maxKeys))
	}
	stats := o.Stats()
	assert.Equal(t, refused, stats.Full)
	assert.Positive(t, refused)
	assert.Equal(t, 100_001-refused-stats.Keys, stats.Expired)
	first, err = useOnce(t, o, t0.Add(100*time.Second), "victim", t0.Add(time.Hour))
	require.NoError(t, err)
	assert.False(t, first)
}

func TestOnceExpiresABoundedNumber(t *testing.T) {
	o := ratelimit.NewOnce(100)
	for i := range 100 {
		_, err := useOnce(t, o, t0, fmt.Sprint(i), t0.Add(time.Second))
		require.NoError(t, err)
	}
	_, err := useOnce(t, o, t0.Add(time.Second), "new", t0.Add(2*time.Second))
	require.NoError(t, err)
	assert.Equal(t, ratelimit.OnceStats{Keys: 85, Expired: 16}, o.Stats())
	first, err := useOnce(t, o, t0.Add(time.Second), "50", t0.Add(2*time.Second))
	require.NoError(t, err)
	assert.True(t, first, "an expired key is first again before it is dropped")
	for i := range 6 {
		_, err := useOnce(t, o, t0.Add(time.Second), fmt.Sprint("new", i), t0.Add(2*time.Second))
		require.NoError(t, err)
	}
	assert.Equal(t, ratelimit.OnceStats{Keys: 8, Expired: 100}, o.Stats())
	first, err = useOnce(t, o, t0.Add(time.Second), "50", t0.Add(2*time.Second))
	require.NoError(t, err)
	assert.False(t, first, "its new time holds")
}

func TestOnceLongKeysAreToldApart(t *testing.T) {
	o := ratelimit.NewOnce(10)
	long := strings.Repeat("k", 1000)
	for _, key := range []string{long + "a", long + "b"} {
		for _, want := range []bool{true, false} {
			first, err := useOnce(t, o, t0, key, t0.Add(time.Second))
			require.NoError(t, err)
			assert.Equal(t, want, first)
		}
	}
}

func TestTakeOnceIsAllOrNone(t *testing.T) {
	until := t0.Add(time.Minute)
	yes, first := ratelimit.Result{Allowed: true}, ratelimit.UseResult{First: true}
	for _, c := range []struct {
		rule    string
		n       int
		used    bool
		keys    []string
		results []ratelimit.Result
		uses    []ratelimit.UseResult
		spent   bool
	}{
		{"both kinds are spent", 1, false, []string{"a", "b"}, []ratelimit.Result{yes}, []ratelimit.UseResult{first, first}, true},
		{"a denied ask leaves the use first", 3, false, []string{"a"}, []ratelimit.Result{{RetryAfter: ratelimit.Never}}, []ratelimit.UseResult{first}, false},
		{"a replay spends no event", 1, true, []string{"a"}, []ratelimit.Result{yes}, []ratelimit.UseResult{{}}, false},
		{"a replay leaves the other use first", 1, true, []string{"b", "a"}, []ratelimit.Result{yes}, []ratelimit.UseResult{first, {}}, false},
		{"one key twice is a replay of itself", 1, false, []string{"a", "a"}, []ratelimit.Result{yes}, []ratelimit.UseResult{first, {}}, false},
		{"uses of one step share the room", 1, false, []string{"a", "b", "c"}, []ratelimit.Result{yes}, []ratelimit.UseResult{first, first, {Err: ratelimit.ErrFull}}, false},
		{"a later use has the room that a denied one left", 1, true, []string{"a", "b"}, []ratelimit.Result{yes}, []ratelimit.UseResult{{}, first}, false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			l, o := newLimiter(t, 1, 2, 10), ratelimit.NewOnce(2)
			if c.used {
				_, err := useOnce(t, o, t0, "a", until)
				require.NoError(t, err)
			}
			before := o.Stats().Keys
			var uses []ratelimit.Use
			for _, key := range c.keys {
				uses = append(uses, ratelimit.Use{Once: o, Key: key, Until: until})
			}
			results, useResults := ratelimit.TakeOnce(t0, []ratelimit.Ask{{Limiter: l, Key: []byte("k"), N: c.n}}, uses, nil)
			assert.Equal(t, c.results, results)
			assert.Equal(t, c.uses, useResults)
			tokens, _ := l.TokensAt(t0, "k")
			if c.spent {
				assert.InDelta(t, 2-c.n, tokens, 0)
				assert.Equal(t, before+uint64(len(uses)), o.Stats().Keys)
			} else {
				assert.InDelta(t, 2, tokens, 0)
				assert.Equal(t, before, o.Stats().Keys)
			}
		})
	}
}

func TestTakeOnceOfSeveralStores(t *testing.T) {
	small, large := ratelimit.NewOnce(1), ratelimit.NewOnce(10)
	until := t0.Add(time.Minute)
	uses := []ratelimit.Use{{Once: large, Key: "a", Until: until}, {Once: small, Key: "a", Until: until}, {Key: "a", Until: until}}
	_, results := ratelimit.TakeOnce(t0, nil, uses, nil)
	assert.Equal(t, []ratelimit.UseResult{{First: true}, {First: true}, {Err: ratelimit.ErrFull}}, results)
	assert.Zero(t, small.Stats().Keys+large.Stats().Keys)
	_, results = ratelimit.TakeOnce(t0, nil, uses[:2], nil)
	assert.Equal(t, []ratelimit.UseResult{{First: true}, {First: true}}, results, "a key is first in each store")
}

func TestTakeOnceIsAtomicUnderContention(t *testing.T) {
	const burst = 100
	l, o, p := newLimiter(t, 0.001, burst, 10), ratelimit.NewOnce(1000), ratelimit.NewOnce(1000)
	var spent atomic.Int64
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 150 { // every key is tried by every worker
				until := t0.Add(time.Minute)
				uses := []ratelimit.Use{{Once: o, Key: fmt.Sprint(i), Until: until}, {Once: p, Key: fmt.Sprint(i), Until: until}}
				if w%2 == 1 {
					uses[0], uses[1] = uses[1], uses[0]
				}
				results, used := ratelimit.TakeOnce(t0, []ratelimit.Ask{{Limiter: l, Key: []byte("k"), N: 1}}, uses, nil)
				if results[0].Allowed && used[0].First && used[1].First {
					spent.Add(1)
				}
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, burst, spent.Load())
	assert.EqualValues(t, burst, o.Stats().Keys)
	assert.EqualValues(t, burst, p.Stats().Keys)
	tokens, _ := l.TokensAt(t0, "k")
	assert.InDelta(t, 0, tokens, 0)
}
