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

// Ask is a request for N events of one key of a limiter or of a quota: exactly
// one of the two is set. Less than one event is a mistake and denied.
type Ask struct {
	Limiter *Limiter
	Quota   *Quota
	// Key is compared byte by byte. It is read during the step and not kept.
	Key []byte
	N   int
	// Guest says that the key stands for a caller that proved nothing. Guests take at
	// most half of the places of a quota, which last until its period ends.
	Guest bool
}

// Result is the answer to an [Ask].
type Result struct {
	// Allowed says that this limit has the events left, whatever the other
	// asks of the step are answered.
	Allowed bool
	// Overflow says that the key had to share the overflow bucket or tally.
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

// TakeOnce is [Take] together with uses of keys: all is spent and remembered if
// every ask is allowed and every use is held, which is the first of its key or
// again one of the same owner, and otherwise nothing is. A use that was first in a
// step that came to nothing is first again the next time; so is one that peeks, which
// takes part in the step and is not remembered.
func TakeOnce(now time.Time, asks []Ask, uses []Use, results []Result) ([]Result, []UseResult) {
	before := len(results)
	results = slices.Grow(results, len(asks))[:before+len(asks)]
	useResults := make([]UseResult, len(uses))
	take(now, asks, uses, results[before:], useResults)
	return results, useResults
}

// claim is what one ask of a step has got hold of: a bucket of a shard, or a tally
// of a quota, or nothing if the ask was a misuse.
type claim struct {
	shard    *shard
	bucket   *rate.Limiter
	quota    *Quota
	tally    *tally
	overflow bool
	created  bool // the step made the tally
}

// same reports whether two claims spend from the same place.
func (c claim) same(other claim) bool {
	return c.bucket == other.bucket && c.tally == other.tally
}

// claimed reports whether one of the claims holds the bucket.
func claimed(claims []claim, bucket *rate.Limiter) bool {
	return slices.ContainsFunc(claims, func(c claim) bool { return c.bucket == bucket })
}

// claimOf finds the lock that an ask needs; nil for a misuse.
func claimOf(a Ask) (claim, *guard) {
	switch {
	case a.N <= 0 || a.Limiter != nil && a.Quota != nil:
	case a.Quota.usable():
		return claim{quota: a.Quota}, &a.Quota.guard
	default:
		if s := a.Limiter.shardOf(boundKey(a.Key)); s != nil {
			return claim{shard: s}, &s.guard
		}
	}
	return claim{}, nil
}

// take is one atomic step: it locks everything that the step touches, judges
// without spending, and then spends all or nothing.
func take(now time.Time, asks []Ask, uses []Use, results []Result, useResults []UseResult) {
	var claimRoom [inline]claim
	var guardRoom [2 * inline]*guard
	claims, guards := claimRoom[:0], guardRoom[:0]
	for i := range asks {
		c, g := claimOf(asks[i])
		if g != nil {
			guards = append(guards, g)
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

	place(now, asks, claims)
	allowed := judge(now, asks, claims, results)
	held := judgeUses(now, uses, useResults)
	if !allowed || !held {
		release(claims)
		return
	}
	for i, c := range claims {
		if c.quota != nil {
			c.tally.used += int64(asks[i].N)
			continue
		}
		// A reservation cannot fail: the burst was checked, and a debt of
		// less than a nanosecond is kept.
		c.bucket.ReserveN(c.shard.clock, asks[i].N)
	}
	for i, u := range uses {
		if useResults[i].First && !u.Peek {
			u.Once.remember(u)
		}
	}
}

// place finds the bucket or tally of every claim. Buckets that exist are found
// first, so that making room for a new key cannot sweep another key of the step.
func place(now time.Time, asks []Ask, claims []claim) {
	missing := false
	for i := range claims {
		switch c := &claims[i]; {
		case c.shard != nil:
			c.shard.advance(now)
			c.bucket = c.shard.buckets[string(boundKey(asks[i].Key))]
			missing = missing || c.bucket == nil
		case c.quota != nil:
			c.quota.advance(now)
			c.tally, c.overflow, c.created = c.quota.admit(boundKey(asks[i].Key), asks[i].Guest)
		}
	}
	if !missing {
		return
	}
	for i := range claims {
		if c := &claims[i]; c.shard != nil && c.bucket == nil {
			c.bucket, c.overflow = c.shard.admit(boundKey(asks[i].Key), claims)
		}
	}
}

// judge answers every ask and reports whether all are allowed.
func judge(now time.Time, asks []Ask, claims []claim, results []Result) bool {
	all := true
	for i, c := range claims {
		earlier := 0
		for j := range i {
			if results[j].Allowed && claims[j].same(c) {
				earlier += asks[j].N
			}
		}
		switch {
		case c.shard != nil:
			results[i] = c.shard.judge(now, c.bucket, earlier, asks[i].N)
		case c.quota != nil:
			results[i] = c.quota.judge(now, c.tally, earlier, asks[i].N)
		default:
			results[i] = Result{RetryAfter: Never}
		}
		results[i].Overflow = c.overflow
		all = all && results[i].Allowed
	}
	return all
}

// release gives back the places of tallies that a refused step made, the last
// first: who spends nothing takes no place.
func release(claims []claim) {
	for _, c := range slices.Backward(claims) {
		if c.created {
			c.quota.withdraw()
		}
	}
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
	if len(guards) > 1 {
		slices.SortFunc(guards, func(a, b *guard) int { return strings.Compare(a.rank, b.rank) })
		guards = slices.Compact(guards)
	}
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
