// Package ratelimit counts what callers may still do: keyed token buckets
// on golang.org/x/time/rate, totals of calendar periods, and a store of things
// that may happen once. Everything is in memory, and time is always an argument.
//
// A [Limiter] is one limit with a bucket for each key. A [Quota] is one total
// with a tally for each key, which starts anew with every calendar period in
// UTC. A [Once] remembers keys until a given time, and who used them first, which
// is what replay detection needs. [Take] and [TakeOnce] ask several of them in one atomic step:
// either every answer is yes and all is spent, or nothing is. Each answer is
// that of its own limit alone, so that one limit's denial does not hide what the
// others say.
//
// # Bounded, without amnesty
//
// A limiter holds at most Limit.MaxKeys buckets. A bucket is forgotten only
// when it has refilled completely, since then it equals a new one; a flood of
// new keys can therefore never turn an exhausted bucket into a fresh one. At
// the bound, a new key makes its shard look at up to 16 buckets, in turn, and
// drop the full ones. If none is full, the key shares the overflow bucket of
// its shard, which has the same rate and burst as any other bucket; this is
// said in the result and counted. A key that gets its own bucket later
// starts with no more than the overflow bucket holds at that time, so that
// coming out of overflow is no second burst either. The price is paid by
// newcomers during a flood: make MaxKeys larger than the real population
// and watch Stats.Overflowed.
//
// The guarantee, per key and at every moment: no more than burst plus rate
// times the time since the first ask is ever allowed.
//
// A quota holds at most Allowance.MaxKeys tallies, and forgets none before its
// period ends: no flood turns a used-up quota into a fresh one. At the bound, new
// keys share one overflow tally for the rest of the period. Guests, who proved
// nothing, get at most half of the places and share an overflow tally of their
// own, so that a flood of them takes no quota from anybody else. Tallies do not
// outlive the process: after a restart a key has its whole quota again, so that
// a period with n restarts allows at most n+1 quotas.
//
// # Time
//
// Callers pass the time of the request, with its monotonic reading if it has
// one. Times may come out of order: a shard never goes back, and an earlier
// time counts as the latest one seen. A clock that jumps back grants nothing
// and forgets nothing. Periods of a quota go by the wall clock, and a period that
// was left is never entered again.
//
// # Misuse denies
//
// A nil or zero Limiter or Quota, or an ask for less than one event, is denied.
// A nil or zero Once is always full. There is nothing to close, and no goroutine.
//
// Keys longer than 256 bytes are replaced by their SHA-256, so that
// memory is bounded by the number of keys alone. What a key means, and that
// two kinds of key do not collide in one limiter, is left to the caller.
package ratelimit

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Never is the RetryAfter of an ask that no waiting can help, such as one for
// more events than the burst.
const Never time.Duration = rate.InfDuration

const (
	maxShards    = 64
	keysPerShard = 256 // fewer would make the fill of the shards too uneven
)

// Limit describes one keyed limit.
type Limit struct {
	// Name says in errors which limit is meant.
	Name string
	// Rate is what a bucket regains, in events per second.
	Rate float64
	// Burst is the size of a bucket in events.
	Burst int
	// MaxKeys is the hard bound of the number of buckets. A bucket takes
	// about 200 bytes plus its key.
	MaxKeys int
}

// validate reports every problem of the limit at once.
func (l Limit) validate() error {
	var problems []error
	if r := l.Rate; !(r > 0) || r >= float64(rate.Inf) {
		problems = append(problems, fmt.Errorf("limit %q: rate is %v events per second; give a finite number above zero", l.Name, r))
	}
	if l.Burst < 1 || l.Burst > math.MaxInt32 {
		problems = append(problems, fmt.Errorf("limit %q: burst is %d; give 1 to %d", l.Name, l.Burst, math.MaxInt32))
	}
	if l.MaxKeys < 1 {
		problems = append(problems, fmt.Errorf("limit %q: the bound of keys is %d; give at least 1", l.Name, l.MaxKeys))
	}
	return errors.Join(problems...)
}

// Limiter is one limit with a bucket for each key. It is asked through
// [Take] and [TakeOnce], and is safe for concurrent use. The zero value
// denies everything; use [New].
type Limiter struct {
	limit  Limit
	seed   maphash.Seed // random, so that nobody outside can aim keys at one shard
	shards []shard      // a power of two

	keys       atomic.Int64
	swept      atomic.Uint64
	overflowed atomic.Uint64
}

// New returns a limiter without any bucket yet. The error names every problem
// of the limit: a rate that is not a finite number above zero, a burst outside
// 1 to 2^31-1, or a bound of keys below 1.
func New(limit Limit) (*Limiter, error) {
	if err := limit.validate(); err != nil {
		return nil, err
	}
	n := 1
	for n < maxShards && 2*n*keysPerShard <= limit.MaxKeys {
		n *= 2
	}
	l := &Limiter{limit: limit, seed: maphash.MakeSeed(), shards: make([]shard, n)}
	for i := range l.shards {
		s := &l.shards[i]
		s.rank = rand.Text()
		s.limiter = l
		s.buckets = make(map[string]*rate.Limiter)
		s.overflow = rate.NewLimiter(rate.Limit(limit.Rate), limit.Burst)
	}
	return l, nil
}

// Limit returns what the limiter was made from. Of a nil or zero limiter it is
// the zero Limit.
func (l *Limiter) Limit() Limit {
	if l == nil {
		return Limit{}
	}
	return l.limit
}

// Stats tells how full a limiter is.
type Stats struct {
	// Keys is the number of buckets held now, overflow buckets apart.
	Keys uint64
	// Swept counts the buckets that were forgotten because they had refilled.
	Swept uint64
	// Overflowed counts the asks that were answered by an overflow bucket.
	Overflowed uint64
}

// Stats returns the counts since New. The fields are read one after the other.
func (l *Limiter) Stats() Stats {
	if l == nil {
		return Stats{}
	}
	return Stats{
		Keys:       uint64(l.keys.Load()),
		Swept:      l.swept.Load(),
		Overflowed: l.overflowed.Load(),
	}
}

// shardOf returns the shard of a key, or nil if the limiter was not made by
// New.
func (l *Limiter) shardOf(key []byte) *shard {
	if l == nil || len(l.shards) == 0 {
		return nil
	}
	return &l.shards[maphash.Bytes(l.seed, key)&uint64(len(l.shards)-1)]
}

// reserve claims room for one more bucket and reports whether there was any.
func (l *Limiter) reserve() bool {
	for {
		held := l.keys.Load()
		if held >= int64(l.limit.MaxKeys) {
			return false
		}
		if l.keys.CompareAndSwap(held, held+1) {
			return true
		}
	}
}
