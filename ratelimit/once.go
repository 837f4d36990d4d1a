package ratelimit

import (
	"container/heap"
	"crypto/rand"
	"errors"
	"strings"
	"time"
)

// ErrFull is the error of a use that cannot be remembered because the store is
// full of keys that have not expired. Whether the key was used before is not
// known; the caller fails closed.
var ErrFull = errors.New("the single-use store is full of live keys; raise its bound of keys")

// ErrPast is the error of a use that would already be forgotten: its time is
// not after the latest one that the store has seen. Whether the key was used
// before is not known; the caller fails closed.
var ErrPast = errors.New("the key of a single use is already past its time and cannot be remembered")

// Once remembers keys, each until its own time, and tells the first use from
// the others. It is bounded, and safe for concurrent use. It has one lock
// rather than shards, so that it is full only when every place is taken by a
// key that has not expired. A nil or zero Once is always full; use [NewOnce].
//
// Its clock never goes back, because a key that was forgotten must not become
// first again. If the wall clock jumps ahead and is set back, uses are answered
// with ErrPast until it has caught up.
type Once struct {
	guard
	maxKeys int
	clock   time.Time // the latest time seen; never goes back
	keys    map[string]*memory
	expiry  byExpiry

	expired uint64
	full    uint64
}

// NewOnce returns an empty store of at most maxKeys keys. With a bound below 1
// it is always full. A key takes about 150 bytes and its own length.
func NewOnce(maxKeys int) *Once {
	return &Once{guard: guard{rank: rand.Text()}, maxKeys: maxKeys, keys: make(map[string]*memory)}
}

// Use is a single use of a key, which is remembered until the given time. Times
// are compared by the wall clock, since Until usually comes from a token.
type Use struct {
	Once  *Once
	Key   string
	Until time.Time
}

// UseResult is the answer to a [Use].
type UseResult struct {
	// First says that the key was not in use at the given time, nor by an
	// earlier use of the same step.
	First bool
	// Err is ErrFull or ErrPast if that could not be decided; First is then
	// false.
	Err error
}

// Use remembers the key until the given time and reports whether it was not
// remembered before. Of concurrent uses of one key exactly one is first. A use
// that is not first does not prolong the memory. The error is ErrFull or
// ErrPast. [TakeOnce] does the same together with limits.
func (o *Once) Use(now time.Time, key string, until time.Time) (first bool, err error) {
	var result [1]UseResult
	take(now, nil, []Use{{Once: o, Key: key, Until: until}}, nil, result[:])
	return result[0].First, result[0].Err
}

// OnceStats tells how full a Once is.
type OnceStats struct {
	// Keys is the number of keys held now. Expired ones that were not yet
	// dropped are among them.
	Keys uint64
	// Expired counts the keys that were dropped after their time.
	Expired uint64
	// Full counts the uses that were answered with ErrFull.
	Full uint64
}

// Stats returns the counts since NewOnce.
func (o *Once) Stats() OnceStats {
	if !o.usable() {
		return OnceStats{}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return OnceStats{Keys: uint64(len(o.keys)), Expired: o.expired, Full: o.full}
}

// usable reports whether the store was made by NewOnce.
func (o *Once) usable() bool { return o != nil && o.keys != nil }

// judgeUses answers every use and reports whether all are first. The guards of
// the stores are held.
func judgeUses(now time.Time, uses []Use, results []UseResult) bool {
	all := true
	for i := range uses {
		results[i] = uses[i].judge(now, uses[:i], results[:i])
		all = all && results[i].First
	}
	return all
}

// judge tells whether a use is the first one after the earlier uses of the
// step. It remembers nothing.
func (u Use) judge(now time.Time, earlier []Use, results []UseResult) UseResult {
	o := u.Once
	if !o.usable() {
		return UseResult{Err: ErrFull}
	}
	key := boundText(u.Key)
	o.advance(now)
	o.expire(key)
	pending := 0
	for i, e := range earlier {
		if e.Once != o || !results[i].First {
			continue
		}
		if boundText(e.Key) == key {
			return UseResult{}
		}
		pending++
	}
	switch {
	case o.keys[key] != nil:
		return UseResult{}
	case !u.Until.After(o.clock):
		return UseResult{Err: ErrPast}
	case len(o.keys)+pending >= o.maxKeys:
		o.full++
		return UseResult{Err: ErrFull}
	}
	return UseResult{First: true}
}

// advance moves the clock of the store to now, unless it is already later: a
// key that was forgotten must not become first again when the clock goes back.
func (o *Once) advance(now time.Time) {
	if now = now.Round(0); now.After(o.clock) { // without the monotonic reading
		o.clock = now
	}
}

// expire drops the key if its time has passed, and some others for which
// that is so. If there is any such key, at least one is dropped.
func (o *Once) expire(key string) {
	if m := o.keys[key]; m != nil && !m.until.After(o.clock) {
		heap.Remove(&o.expiry, m.index)
		o.forget(m)
	}
	for range sweepMost {
		if len(o.expiry) == 0 || o.expiry[0].until.After(o.clock) {
			return
		}
		o.forget(heap.Pop(&o.expiry).(*memory)) //nolint:errcheck // the heap holds nothing else
	}
}

// forget drops what was taken out of the expiry heap.
func (o *Once) forget(m *memory) {
	delete(o.keys, m.key)
	o.expired++
}

// remember records a use that was judged to be first.
func (o *Once) remember(u Use) {
	m := &memory{key: strings.Clone(boundText(u.Key)), until: u.Until.Round(0)}
	o.keys[m.key] = m
	heap.Push(&o.expiry, m)
}

// memory is one remembered key.
type memory struct {
	key   string
	until time.Time
	index int // in the heap
}

// byExpiry is a heap, the earliest expiry on top.
type byExpiry []*memory

func (h byExpiry) Len() int           { return len(h) }
func (h byExpiry) Less(i, j int) bool { return h[i].until.Before(h[j].until) }

func (h byExpiry) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements [heap.Interface].
func (h *byExpiry) Push(x any) {
	m := x.(*memory) //nolint:errcheck // as above
	m.index = len(*h)
	*h = append(*h, m)
}

// Pop implements [heap.Interface].
func (h *byExpiry) Pop() any {
	last := len(*h) - 1
	m := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return m
}
