package ratelimit

import (
	"math"
	"time"

	"golang.org/x/time/rate"
)

// sweepMost bounds the entries that one call looks at to make room.
const sweepMost = 16

// shard is a part of a limiter with its own lock. All its fields and buckets
// are used only while the lock is held.
type shard struct {
	guard
	limiter  *Limiter
	clock    time.Time // the latest time seen; never goes back
	buckets  map[string]*rate.Limiter
	ring     []entry // the same buckets, in the order in which they are swept
	hand     int
	overflow *rate.Limiter
}

type entry struct {
	key    string
	bucket *rate.Limiter
}

// advance moves the clock of the shard to now, unless it is already later.
// rate.Limiter alone would take an earlier time as its new starting point and
// then grant the interval between the two a second time.
func (s *shard) advance(now time.Time) {
	if now.After(s.clock) {
		s.clock = now
	}
}

// admit returns the bucket of a key: its own, a new one, or the overflow
// bucket. Buckets that are claimed by the same step are not swept.
func (s *shard) admit(key []byte, claims []claim) (bucket *rate.Limiter, overflow bool) {
	if b := s.buckets[string(key)]; b != nil {
		return b, false
	}
	if !s.limiter.reserve() {
		freed := s.sweep(claims)
		if freed == 0 {
			s.limiter.overflowed.Add(1)
			return s.overflow, true
		}
		// One of the freed places is kept, so that no other shard can take it.
		s.limiter.keys.Add(int64(1 - freed))
	}
	b := s.fresh()
	own := string(key)
	s.buckets[own] = b
	s.ring = append(s.ring, entry{key: own, bucket: b})
	return b, false
}

// fresh returns a new bucket. It holds no more than the overflow bucket,
// because the key may have been spending from there.
func (s *shard) fresh() *rate.Limiter {
	limit := s.limiter.limit
	b := rate.NewLimiter(rate.Limit(limit.Rate), limit.Burst)
	missing := float64(limit.Burst) - s.overflow.TokensAt(s.clock)
	if n := min(int(math.Ceil(missing)), limit.Burst); n > 0 {
		b.ReserveN(s.clock, n)
	}
	return b
}

// sweep drops buckets that have refilled completely, and returns how many.
// It looks at no more than sweepMost, starting where the last sweep ended, and
// does not give their places back to the limiter.
func (s *shard) sweep(claims []claim) int {
	freed := 0
	for range min(sweepMost, len(s.ring)) {
		if s.hand >= len(s.ring) {
			s.hand = 0
		}
		e := s.ring[s.hand]
		if e.bucket.TokensAt(s.clock) < float64(s.limiter.limit.Burst) || claimed(claims, e.bucket) {
			s.hand++
			continue
		}
		last := len(s.ring) - 1
		s.ring[s.hand], s.ring[last] = s.ring[last], entry{}
		s.ring = s.ring[:last]
		delete(s.buckets, e.key)
		freed++
	}
	s.limiter.swept.Add(uint64(freed))
	return freed
}

// judge tells whether the bucket has n events left after the earlier asks of
// the same step. It spends nothing.
func (s *shard) judge(now time.Time, bucket *rate.Limiter, earlier, n int) Result {
	limit := s.limiter.limit
	if n > limit.Burst-earlier {
		return Result{RetryAfter: Never}
	}
	lack := float64(earlier+n) - bucket.TokensAt(s.clock)
	wait := lack / float64(limit.Rate) * float64(time.Second)
	// Time has whole nanoseconds, so that less than one is rounding error: it
	// is allowed, as rate.Limiter does, and the bucket stays in debt for it. The
	// bound lies above the half that rounding RetryAfter leaves, and below the
	// one that is really missing a nanosecond early.
	if wait < 0.75 {
		return Result{Allowed: true}
	}
	behind := s.clock.Sub(now)
	if wait >= float64(Never-behind) {
		return Result{RetryAfter: Never}
	}
	return Result{RetryAfter: behind + time.Duration(math.Round(wait))}
}
