package evidence

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// Bounds of what is known of the things that requests name.
const (
	maxThings    = 512 // of one operation
	maxWaiting   = 64  // masked answers of one operation that wait for their proof
	maxDeletions = 256 // of all operations together
)

// concealed is the signal of a masked answer about a thing that was proven to
// exist. It is a refusal like others, and needs their baseline.
const concealed policy.Signal = "concealed"

// tuple names a thing as a record does, by pseudonyms: the path with its
// parameters, and the accounts that the request names elsewhere. Its zero value
// is a thing that the record does not name in full.
type tuple struct {
	path, carrier string
	accounts      []string
}

func (n *tuple) named() bool { return n.path != "" }

// key is the tuple's keyed hash.
func (n *tuple) key(seed maphash.Seed) uint64 {
	const odd = 0x9e3779b97f4a7c15 // keeps the order of the parts
	h := maphash.String(seed, n.path)*odd + maphash.String(seed, n.carrier)
	for _, account := range n.accounts {
		h = h*odd + maphash.String(seed, account)
	}
	return h
}

// existence is when the things of one operation were last served to those whom
// the policy lets have them, and which masked answers wait to be explained by
// that. The operation's mu guards it.
type existence struct {
	index   map[uint64]int32 // of things, by key
	things  []thing          // a list in order of use, linked by index
	used    ends
	waiting []masked
}

type ends struct{ newest, oldest int32 }

// thing was served; times are Unix times in nanoseconds, 0 for never.
type thing struct {
	key uint64
	// served is the last success, filled the last one with contents that were
	// looked at: only that shows a list which is not empty.
	served, filled int64
	newer, older   int32 // -1 for none
	awaited        bool  // by a masked answer
}

// masked is one isolated violation that was answered as if nothing were there.
type masked struct {
	key        uint64
	at, before int64 // before is when the thing was served before the trial
	class      policy.ResponseClass
	timely     bool
	in         *position
	from       *baseline
	principal  uint64
}

// serve notes that a thing was served to somebody who may have it, and counts
// the masked answers that this proves.
func (x *existence) serve(e *epoch, t *trial, key uint64, stats *counters) {
	at := t.at.UnixNano()
	i, known := x.index[key]
	if !known {
		var lost int
		i, lost = x.enter(key)
		stats.existence.Add(uint64(lost)) //nolint:gosec // not negative
	}
	x.touch(i)
	it := &x.things[i]
	it.served = max(it.served, at)
	if t.filled {
		it.filled = max(it.filled, at)
	}
	if !it.awaited {
		return
	}
	it.awaited = false
	kept := x.waiting[:0]
	for _, m := range x.waiting {
		switch {
		case m.key != key:
			kept = append(kept, m)
		case at <= m.at, m.class == policy.ClassEmpty && !t.filled:
			kept, it.awaited = append(kept, m), true
		case e.deletions.between(&t.thing, m.before, at):
		case m.in.take(m.class, policy.Masked, false):
			m.prove(stats)
		}
	}
	clear(x.waiting[len(kept):])
	x.waiting = kept
}

// prove counts a masked answer as the refusal that it was.
func (m *masked) prove(stats *counters) {
	switch {
	case m.timely:
		m.in.effective(m.class, concealed, true, m.principal)
	case m.from.refuse(time.Unix(0, m.at), m.in, m.class, concealed, m.principal):
		stats.pending.Add(1)
	}
}

// wait keeps a masked answer until its thing is served again, provided that it
// was served before. It reports whether another one lost its chance.
func (x *existence) wait(m masked) (displaced bool) {
	i, known := x.index[m.key]
	if !known {
		return false
	}
	it := &x.things[i]
	if m.before = it.served; m.class == policy.ClassEmpty {
		m.before = it.filled
	}
	if m.before == 0 || m.before >= m.at {
		return false
	}
	if len(x.waiting) >= maxWaiting {
		x.waiting = slices.Delete(x.waiting, 0, 1)
		displaced = true
	}
	it.awaited = true
	x.waiting = append(x.waiting, m)
	return displaced
}

// enter makes room for a new thing, if need be that of the one that was not
// served for longest. It returns how many masked answers lost their chance.
func (x *existence) enter(key uint64) (i int32, lost int) {
	if x.index == nil {
		x.index, x.used = map[uint64]int32{}, ends{-1, -1}
	}
	if i = int32(len(x.things)); i < maxThings { //nolint:gosec // maxThings fits
		x.things = append(x.things, thing{key: key, newer: -1, older: -1})
		x.link(i)
	} else {
		i = x.used.oldest
		if old := &x.things[i]; old.awaited {
			n := len(x.waiting)
			x.waiting = slices.DeleteFunc(x.waiting, func(m masked) bool { return m.key == old.key })
			lost = n - len(x.waiting)
		}
		delete(x.index, x.things[i].key)
		old := x.things[i]
		x.things[i] = thing{key: key, newer: old.newer, older: old.older}
	}
	x.index[key] = i
	return i, lost
}

// touch makes a thing the newest.
func (x *existence) touch(i int32) {
	if x.used.newest == i {
		return
	}
	it := &x.things[i]
	x.things[it.newer].older = it.older // there is a newer one
	if it.older >= 0 {
		x.things[it.older].newer = it.newer
	} else {
		x.used.oldest = it.newer
	}
	x.link(i)
}

// link puts a thing that is in no place of the list to its newest end.
func (x *existence) link(i int32) {
	it := &x.things[i]
	it.newer, it.older = -1, x.used.newest
	if it.older >= 0 {
		x.things[it.older].newer = i
	} else {
		x.used.oldest = i
	}
	x.used.newest = i
}

// deletions are the requests that may have deleted something, whatever operation
// they were of: one that deletes an account deletes its ports. It has its own
// mutex, which is taken last.
type deletions struct {
	seed maphash.Seed

	mu   sync.Mutex
	ring []deletion
	next int
	// unknown is the time of the last one that is not in the ring, either because it
	// does not say what it deleted or because it had to make room.
	unknown int64
}

type deletion struct {
	path uint64
	at   int64
}

// add notes a deletion; an empty path may be anything. It reports whether an
// earlier one was forgotten.
func (d *deletions) add(path string, at time.Time) (forgot bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if path == "" {
		d.unknown = max(d.unknown, at.UnixNano())
		return false
	}
	entry := deletion{path: maphash.String(d.seed, strings.TrimSuffix(path, "/")), at: at.UnixNano()}
	if len(d.ring) < maxDeletions {
		d.ring = append(d.ring, entry)
		return false
	}
	d.unknown = max(d.unknown, d.ring[d.next].at)
	d.ring[d.next] = entry
	d.next = (d.next + 1) % maxDeletions
	return true
}

// between reports whether the thing, or what it is a part of, may have been
// deleted between two times.
func (d *deletions) between(n *tuple, from, to int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.unknown >= from {
		return true
	}
	if len(d.ring) == 0 {
		return false
	}
	path := strings.TrimSuffix(n.path, "/")
	for end := len(path); end > 0; end = strings.LastIndexByte(path[:end], '/') {
		h := maphash.String(d.seed, path[:end])
		for i := range d.ring {
			if at := d.ring[i].at; d.ring[i].path == h && at >= from && at <= to {
				return true
			}
		}
	}
	return false
}
