package ratelimit

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
)

// usageChunk bounds the tallies that are looked at under the lock of a quota in
// one go, so that who looks does not hold up requests.
const usageChunk = 1024

// Usage tells how far a limiter or a quota is used up at one moment.
type Usage struct {
	// Keys is the number of keys with a bucket or tally of their own. Buckets that
	// have refilled and were not dropped yet are among them.
	Keys int
	// Exhausted is the number of those that have nothing left.
	Exhausted int
	// Overflowed counts the asks that the overflow bucket or tally answered, since
	// the limiter or quota was made.
	Overflowed uint64
	// Ends is when the period of a quota ends and all keys start anew; zero for a
	// limiter.
	Ends time.Time
	// Fullest are the keys that used most, the fullest first, without those that
	// used nothing.
	Fullest []KeyUsage
}

// KeyUsage is how much one key has used: of its burst, or of its quota in the
// period.
type KeyUsage struct {
	// Key is the key as it was asked for, or a hash if that was long. It may name a
	// person, and is not for a log.
	Key  string
	Used int64
}

// Usage looks at every bucket, one shard after the other, and returns at most
// fullest keys. It spends nothing. A time before the latest one that a shard has
// seen counts as that one.
func (l *Limiter) Usage(now time.Time, fullest int) Usage {
	if l == nil {
		return Usage{}
	}
	u := Usage{Overflowed: l.overflowed.Load()}
	for i := range l.shards {
		l.shards[i].addTo(&u, now, fullest)
	}
	return u
}

func (s *shard) addTo(u *Usage, now time.Time, fullest int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Before(s.clock) {
		now = s.clock
	}
	burst := float64(s.limiter.limit.Burst)
	for _, e := range s.ring {
		left := e.bucket.TokensAt(now)
		u.add(KeyUsage{Key: e.key, Used: int64(math.Ceil(burst - max(left, 0)))}, left < 1, fullest)
	}
}

// Usage looks at every tally and returns at most fullest keys. It spends nothing.
// Requests go on meanwhile; when the period ends, it starts again with the new one.
// A quota whose period has ended by now is told as unused.
func (q *Quota) Usage(now time.Time, fullest int) Usage {
	if !q.usable() {
		return Usage{}
	}
	var u Usage
	for from, ends := 0, (time.Time{}); ; {
		if from == 0 {
			u = Usage{}
		}
		next, then, done := q.addTo(&u, now, fullest, from, ends)
		if done {
			return u
		}
		from, ends = next, then
	}
}

// addTo adds the tallies from a place on, up to usageChunk of them, and returns
// where to go on: at 0 if the period is not the one that ends then.
func (q *Quota) addTo(u *Usage, now time.Time, fullest, from int, then time.Time) (next int, ends time.Time, done bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if from > 0 && !q.ends.Equal(then) {
		return 0, q.ends, false
	}
	u.Overflowed = q.overflowed
	if !now.Before(q.ends) {
		_, u.Ends = q.allowance.Period.around(now)
		return 0, q.ends, true
	}
	u.Ends = q.ends
	next = min(from+usageChunk, len(q.ring))
	for _, t := range q.ring[min(from, next):next] {
		u.add(KeyUsage{Key: t.key, Used: t.used}, t.used >= q.allowance.Count, fullest)
	}
	return next, q.ends, next == len(q.ring)
}

// add counts one key.
func (u *Usage) add(k KeyUsage, exhausted bool, fullest int) {
	u.Keys++
	if exhausted {
		u.Exhausted++
	}
	if k.Used <= 0 || fullest <= 0 || len(u.Fullest) == fullest && byUse(k, u.Fullest[fullest-1]) > 0 {
		return
	}
	at, _ := slices.BinarySearchFunc(u.Fullest, k, byUse)
	if len(u.Fullest) == fullest {
		u.Fullest = u.Fullest[:fullest-1]
	}
	u.Fullest = slices.Insert(u.Fullest, at, k)
}

// byUse puts the fuller key first, and equally full ones in the order of keys.
func byUse(a, b KeyUsage) int {
	return cmp.Or(cmp.Compare(b.Used, a.Used), strings.Compare(a.Key, b.Key))
}
