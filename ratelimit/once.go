package ratelimit

import (
	"container/heap"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"strings"
	"time"
)

// ErrFull is the error of a use that cannot be remembered because the store is
// full of keys that have not expired. Whether the key was used before is not
// known; the caller fails closed.
var ErrFull = errors.New("the store of used keys is full of live keys; raise its bound of keys")

// ErrPast is the error of a use that would already be forgotten: its time is
// not after the latest one that the store has seen. Whether the key was used
// before is not known; the caller fails closed.
var ErrPast = errors.New("the key of a use is already past its time and cannot be remembered")

// Once remembers keys, each until its own time, and tells the first use from
// the others, and those of the first owner from those of others. It is bounded,
// and safe for concurrent use. It has one lock rather than shards, so that it is
// full only when every place is taken by a key that has not expired. A nil or
// zero Once is always full; use [NewOnce].
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
// it is always full. A key takes about 160 bytes and its own length.
func NewOnce(maxKeys int) *Once {
	return &Once{guard: guard{rank: rand.Text()}, maxKeys: maxKeys, keys: make(map[string]*memory)}
}

// Owner tells those who use a key apart: a digest of whatever they are known by,
// so that it takes the same room whoever they are. The zero value is nobody in
// particular, who is never the same as anybody, not even as itself.
type Owner [sha256.Size]byte

// same reports whether two owners are known to be one.
func (o Owner) same(other Owner) bool { return o == other && o != Owner{} }

// Use is the use of a key by an owner. The first one binds the key to its owner
// until the given time. Times are compared by the wall clock, since Until usually
// comes from a token.
type Use struct {
	// Once is the store of a use that is part of a step of [TakeOnce].
	Once  *Once
	Key   string
	Owner Owner
	Until time.Time
	// Peek only asks: whose the key is is told as to any other use, and nothing is
	// remembered.
	Peek bool
}

// UseResult is the answer to a [Use].
type UseResult struct {
	// First says that the key was not in use at the given time, nor by an
	// earlier use of the same step that is to be remembered.
	First bool
	// Again says that the key was in use, by the same owner.
	Again bool
	// Err is why that could not be decided, ErrFull and ErrPast among others;
	// First and Again are then false.
	Err error
}

// Held reports whether the key is the owner's: by this use, or by an earlier one.
func (r UseResult) Held() bool { return r.First || r.Again }

// Hold binds the key of the use to its owner until its time, if nobody has it,
// and tells whose it is. Of concurrent uses of one key by several owners exactly
// one is first, and no other is held. A use that is not first does not prolong the
// memory. It does not wait; when ctx has ended before, its error is that of the
// result, else ErrFull or ErrPast. [TakeOnce] does the same together with limits.
func (o *Once) Hold(ctx context.Context, now time.Time, use Use) UseResult {
	if err := ctx.Err(); err != nil {
		return UseResult{Err: err}
	}
	if !o.usable() {
		return UseResult{Err: ErrFull}
	}
	use.Once = o
	o.mu.Lock()
	defer o.mu.Unlock()
	result := use.judge(now, nil, nil)
	if result.First && !use.Peek {
		o.remember(use)
	}
	return result
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

// judgeUses answers every use and reports whether all are held. The guards of
// the stores are held.
func judgeUses(now time.Time, uses []Use, results []UseResult) bool {
	all := true
	for i := range uses {
		results[i] = uses[i].judge(now, uses[:i], results[:i])
		all = all && results[i].Held()
	}
	return all
}

// judge tells whether a use is the first one after the earlier uses of the
// step, or again one of the same owner. It remembers nothing. The guard of the
// store is held.
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
		if e.Peek || e.Once != o || !results[i].First {
			continue
		}
		if boundText(e.Key) == key {
			return UseResult{Again: e.Owner.same(u.Owner)}
		}
		pending++
	}
	m := o.keys[key]
	switch {
	case m != nil:
		return UseResult{Again: m.owner.same(u.Owner)}
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
	m := &memory{key: strings.Clone(boundText(u.Key)), owner: u.Owner, until: u.Until.Round(0)}
	o.keys[m.key] = m
	heap.Push(&o.expiry, m)
}

// memory is one remembered key.
type memory struct {
	key   string
	owner Owner
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
