package ratelimit

import "time"

// Shards returns the number of shards.
func (l *Limiter) Shards() int { return len(l.shards) }

// TokensAt returns what the bucket of the key holds, and whether it has one.
func (l *Limiter) TokensAt(now time.Time, key string) (float64, bool) {
	key = boundText(key)
	s := l.shardOf([]byte(key))
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Before(s.clock) {
		now = s.clock
	}
	b := s.buckets[key]
	if b == nil {
		return s.overflow.TokensAt(now), false
	}
	return b.TokensAt(now), true
}

// LongestKey returns the length of the longest key that is held.
func (l *Limiter) LongestKey() int {
	longest := 0
	for i := range l.shards {
		for key := range l.shards[i].buckets {
			longest = max(longest, len(key))
		}
	}
	return longest
}
