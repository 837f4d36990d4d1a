package ratelimit

import (
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// inline is the number of asks and uses that a step handles without allocating.
const inline = 8

// Ask is a request for N events of one key of a limiter. Less than one event
// is a mistake and denied.
type Ask struct {
	Limiter *Limiter
	Key     string
	N       int
}

// Result is the answer to an [Ask].
type Result struct {
	// Allowed says that this limit has the events left, whatever the other
	// asks of the step are answered.
	Allowed bool
	// Overflow says that the key had to share the overflow bucket.
	Overflow bool
	// RetryAfter is zero if allowed; else how long after the given time the
	// ask would be allowed if nobody else spent meanwhile, to the nanosecond;
	// or Never.
	RetryAfter time.Duration
}

// Take asks several limits in one atomic step and appends one result per ask
// to results, in order. All asks are spent if every one is allowed, and none
// otherwise. Asks may name the same bucket more than once: then a later one is
// judged after the earlier ones that were allowed. Give a buffer as results
// to avoid allocation; nil is fine.
func Take(now time.Time, asks []Ask, results []Result) []Result {
	before := len(results)
	results = slices.Grow(results, len(asks))[:before+len(asks)]
	take(now, asks, nil, results[before:], nil)
	return results
}

// TakeOnce is [Take] together with uses that may happen once: all is spent and
// remembered if every ask is allowed and every use is first, and otherwise
// nothing is. A use that was first in a step that came to nothing is
// first again the next time.
func TakeOnce(now time.Time, asks []Ask, uses []Use) ([]Result, []UseResult) {
	results := make([]Result, len(asks))
	useResults := make([]UseResult, len(uses))
	take(now, asks, uses, results, useResults)
	return results, useResults
}

// claim is what one ask of a step has got hold of.
type claim struct {
	shard    *shard // nil if the ask was a misuse
	key      string
	bucket   *rate.Limiter
	overflow bool
}

// claimed reports whether one of the claims holds the bucket.
func claimed(claims []claim, bucket *rate.Limiter) bool {
	return slices.ContainsFunc(claims, func(c claim) bool { return c.bucket == bucket })
}

// take is one atomic step: it locks everything that the step touches, judges
// without spending, and then spends all or nothing.
func take(now time.Time, asks []Ask, uses []Use, results []Result, useResults []UseResult) {
	var claimRoom [inline]claim
	var guardRoom [2 * inline]*guard
	claims, guards := claimRoom[:0], guardRoom[:0]
	for _, a := range asks {
		c := claim{key: boundKey(a.Key)}
		if a.N > 0 {
			c.shard = a.Limiter.shardOf(c.key)
		}
		if c.shard != nil {
			guards = append(guards, &c.shard.guard)
		}
		claims = append(claims, c)
	}
	for _, u := range uses {
		if u.Once.usable() {
			guards = append(guards, &u.Once.guard)
		}
	}
	guards = lock(guards)
	defer unlock(guards)

	place(now, claims)
	allowed := judge(now, asks, claims, results)
	first := judgeUses(now, uses, useResults)
	if !allowed || !first {
		return
	}
	for i, c := range claims {
		// A reservation cannot fail: the burst was checked, and a debt of
		// less than a nanosecond is kept.
		c.bucket.ReserveN(c.shard.clock, asks[i].N)
	}
	for _, u := range uses {
		u.Once.remember(u)
	}
}

// place finds the bucket of every claim. Buckets that exist are found first,
// so that making room for a new key cannot sweep another key of the step.
func place(now time.Time, claims []claim) {
	for i := range claims {
		if c := &claims[i]; c.shard != nil {
			c.shard.advance(now)
			c.bucket = c.shard.buckets[c.key]
		}
	}
	for i := range claims {
		if c := &claims[i]; c.shard != nil && c.bucket == nil {
			c.bucket, c.overflow = c.shard.admit(c.key, claims)
		}
	}
}

// judge answers every ask and reports whether all are allowed.
func judge(now time.Time, asks []Ask, claims []claim, results []Result) bool {
	all := true
	for i, c := range claims {
		if c.shard == nil {
			results[i] = Result{RetryAfter: Never}
			all = false
			continue
		}
		earlier := 0
		for j := range i {
			if claims[j].bucket == c.bucket && results[j].Allowed {
				earlier += asks[j].N
			}
		}
		results[i] = c.shard.judge(now, c.bucket, earlier, asks[i].N)
		results[i].Overflow = c.overflow
		all = all && results[i].Allowed
	}
	return all
}

// guard is a lock that a step may hold together with others. All steps lock
// in the order of rank, so that no two can wait for each other. Ranks are
// random and long enough (128 bits) never to be equal, which spares a counter
// shared by the whole process.
type guard struct {
	mu   sync.Mutex
	rank string
}

// lock locks each guard once, and returns those to be unlocked.
func lock(guards []*guard) []*guard {
	slices.SortFunc(guards, func(a, b *guard) int { return strings.Compare(a.rank, b.rank) })
	guards = slices.Compact(guards)
	for _, g := range guards {
		g.mu.Lock()
	}
	return guards
}

func unlock(guards []*guard) {
	for _, g := range guards {
		g.mu.Unlock()
	}
}
