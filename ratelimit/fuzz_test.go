package ratelimit_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/ratelimit"
)

// FuzzTake plays a history of steps, with times that also go back, on limiters
// with too few places. Invariants: a step spends all or none; no key ever gets
// more than burst plus rate times the elapsed time, through overflow and
// sweeping too; a limiter never holds more keys than its bound.
func FuzzTake(f *testing.F) {
	f.Add([]byte{0, 0, 0x10, 1, 0x21, 3, 0, 0x10, 9, 200, 0x10, 1, 1, 0x12, 4})
	f.Add([]byte{2, 10, 0x00, 2, 0x01, 2, 0x02, 2, 255, 1, 0x00, 1, 0x01, 1})
	f.Add([]byte{1, 3, 0x05, 7, 0x05, 7, 128, 3, 0x07, 5, 0x06, 2, 0x15, 1, 0x2f, 1})
	f.Fuzz(func(t *testing.T, history []byte) {
		if len(history) > 4096 {
			return
		}
		limiters := []*ratelimit.Limiter{newLimiter(t, 1, 5, 2), newLimiter(t, 100.0/60, 3, 3), newLimiter(t, 0.1, 10, 1)}
		b := book{clock: map[*ratelimit.Limiter]time.Time{}, spent: map[account]*spending{}}
		now := t0
		for len(history) >= 2 {
			now = now.Add(time.Duration(int8(history[0])) * 37 * time.Millisecond)
			n := 1 + int(history[1]%4)
			history = history[2:]
			var asks []ratelimit.Ask
			for ; n > 0 && len(history) >= 2; n-- {
				asks = append(asks, ratelimit.Ask{
					Limiter: limiters[int(history[0]>>4)%3],
					Key:     []byte{'a' + history[0]&7},
					N:       int(history[1]%12) - 1,
				})
				history = history[2:]
			}
			b.step(t, now, asks)
		}
	})
}

// book is what the fuzz target keeps about all steps so far. Its limiters have
// one shard each, hence one clock.
type book struct {
	clock map[*ratelimit.Limiter]time.Time
	spent map[account]*spending
}

type account struct {
	limiter *ratelimit.Limiter
	key     string
}

// spending is what one account was allowed, and when it began.
type spending struct {
	total int
	since time.Time
}

// holding is what the own bucket of an ask's key holds, if it has one.
type holding struct {
	tokens float64
	own    bool
}

func holdings(now time.Time, asks []ratelimit.Ask) []holding {
	held := make([]holding, len(asks))
	for i, a := range asks {
		held[i].tokens, held[i].own = a.Limiter.TokensAt(now, string(a.Key))
	}
	return held
}

// step takes the asks and checks the answers and what they cost.
func (b *book) step(t *testing.T, now time.Time, asks []ratelimit.Ask) {
	before := holdings(now, asks)
	results := ratelimit.Take(now, asks, nil)
	after := holdings(now, asks)

	all := true
	for i, r := range results {
		require.Equal(t, r.Allowed, r.RetryAfter == 0)
		require.GreaterOrEqual(t, r.RetryAfter, time.Duration(0))
		require.False(t, r.Allowed && asks[i].N < 1)
		all = all && r.Allowed
		if l := asks[i].Limiter; asks[i].N > 0 && now.After(b.clock[l]) {
			b.clock[l] = now
		}
	}
	cost := map[account]int{}
	for _, a := range asks {
		if all {
			cost[account{a.Limiter, string(a.Key)}] += a.N
		}
	}
	for i, a := range asks {
		if before[i].own && after[i].own {
			want := before[i].tokens - float64(cost[account{a.Limiter, string(a.Key)}])
			require.InDelta(t, want, after[i].tokens, 1e-6, "all or none is spent")
		}
		limit := a.Limiter.Limit()
		require.LessOrEqual(t, a.Limiter.Stats().Keys, uint64(limit.MaxKeys))
	}
	for who, n := range cost {
		b.charge(t, who, n)
	}
}

// charge adds what an account was allowed and checks the sum.
func (b *book) charge(t *testing.T, who account, n int) {
	clock, s := b.clock[who.limiter], b.spent[who]
	if s == nil {
		s = &spending{since: clock}
		b.spent[who] = s
	}
	s.total += n
	limit := who.limiter.Limit()
	most := float64(limit.Burst) + float64(limit.Rate)*clock.Sub(s.since).Seconds()
	require.LessOrEqual(t, float64(s.total), most+1e-6, "key %q", who.key)
}

// FuzzOnce compares a store with a plain map. Invariants: a use is first
// exactly if the key is not live and there is room, again exactly if it is live
// and of the same owner, and an error says why that could not be decided.
func FuzzOnce(f *testing.F) {
	f.Add([]byte{0, 1, 9, 0, 1, 9, 1, 2, 3, 200, 3, 9, 0, 4, 9, 0, 5, 9})
	f.Add([]byte{0, 0x11, 9, 0, 0x11, 9, 0, 0x21, 9, 1, 0x92, 9, 0, 0x22, 9, 9, 0x21, 9})
	f.Fuzz(func(t *testing.T, history []byte) {
		if len(history) > 4096 {
			return
		}
		const maxKeys = 5
		type binding struct {
			owner int
			until time.Time
		}
		o := ratelimit.NewOnce(maxKeys)
		live := map[string]binding{}
		now, latest := t0, time.Time{}
		for ; len(history) >= 3; history = history[3:] {
			now = now.Add(time.Duration(int8(history[0])) * time.Second)
			if now.After(latest) {
				latest = now
			}
			for key, b := range live {
				if !b.until.After(latest) {
					delete(live, key)
				}
			}
			key, who, peek := string('a'+rune(history[1]%8)), int(history[1]>>4&3), history[1]&0x80 != 0
			until := now.Add(time.Duration(history[2]) * time.Second)
			got := o.Hold(t.Context(), now, ratelimit.Use{Key: key, Owner: owner(who), Until: until, Peek: peek})
			b, known := live[key]
			switch {
			case known:
				require.Equal(t, ratelimit.UseResult{Again: who != 0 && who == b.owner}, got)
			case !until.After(latest):
				require.Equal(t, ratelimit.UseResult{Err: ratelimit.ErrPast}, got)
			case len(live) == maxKeys:
				require.Equal(t, ratelimit.UseResult{Err: ratelimit.ErrFull}, got)
			default:
				require.Equal(t, ratelimit.UseResult{First: true}, got)
				if !peek {
					live[key] = binding{who, until}
				}
			}
		}
	})
}
