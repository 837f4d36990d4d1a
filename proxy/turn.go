package proxy

import (
	"container/list"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// turnsPerProcessor is how many requests of HTTP/2 are worked on at once, for each
	// processor: enough to keep it busy, few enough to be done soon.
	turnsPerProcessor = 32
	// shortTurn is how long a request is in its turn while the process keeps up: one that
	// still is there waits for its backend or its client, and keeps no processor from
	// others. longTurn is how long it is where the process does not keep up.
	shortTurn = 5 * time.Millisecond
	longTurn  = 100 * time.Millisecond
	// tooBusy is how long a goroutine that could run waits for a processor where the process
	// does not keep up.
	tooBusy = 2 * time.Millisecond
)

// turns let the requests of HTTP/2 take turns, connection by connection. One connection
// of HTTP/1 asks one thing at a time; one of HTTP/2 asks all at once (RFC 9113 section 5).
// Begun all together, the requests of a few connections make everybody's wait, their own
// first: for a processor, and for a backend that got as many new connections.
//
// Waiting is all that happens here: no request is refused, none waits for one that is slow
// for longer than longTurn, and none waits whose connection has no other. It is safe for
// concurrent use.
type turns struct {
	limit int
	// behind reports whether the process does not keep up with its work.
	behind func() bool
	waited atomic.Uint64

	mu       sync.Mutex
	working  list.List // of the *turn that are not over, the one that began first in front
	lanes    list.List // of the *lane with requests that wait, whose turn is next in front
	watching bool      // somebody ends the turns that are long
}

// lane is what one connection has of turns, which guard it.
type lane struct {
	working int
	waiting []*turn
}

// turn is that of one request.
type turn struct {
	turns *turns
	lane  *lane
	began time.Time
	place *list.Element // nil when it is over
	ready chan struct{} // closed when it begins; nil of one that did not wait
}

func newTurns() *turns {
	return &turns{limit: turnsPerProcessor * runtime.GOMAXPROCS(0), behind: behind}
}

// behind measures how long a goroutine waits that could run.
func behind() bool {
	before := time.Now()
	runtime.Gosched()
	return time.Since(before) > tooBusy
}

// take returns when it is the turn of a request of a connection.
func (t *turns) take(l *lane) *turn {
	u := &turn{turns: t, lane: l}
	t.mu.Lock()
	if t.working.Len() < t.limit || l.working+len(l.waiting) == 0 {
		t.begin(u)
		t.mu.Unlock()
		return u
	}
	u.ready = make(chan struct{})
	if l.waiting = append(l.waiting, u); len(l.waiting) == 1 {
		t.lanes.PushBack(l)
	}
	if !t.watching {
		t.watching = true
		go t.watch()
	}
	t.mu.Unlock()
	t.waited.Add(1)
	<-u.ready
	return u
}

// end ends the turn of a request that is done.
func (u *turn) end() {
	u.turns.mu.Lock()
	defer u.turns.mu.Unlock()
	u.turns.over(u)
}

// begin requires that mu is held, as do over and endLong.
func (t *turns) begin(u *turn) {
	u.lane.working++
	u.began, u.place = time.Now(), t.working.PushBack(u)
}

// over ends a turn, if it is not over yet, and begins those that it made room for.
func (t *turns) over(u *turn) {
	if u.place == nil {
		return
	}
	t.working.Remove(u.place)
	u.place = nil
	u.lane.working--
	for t.working.Len() < t.limit && t.lanes.Len() > 0 {
		l := t.lanes.Remove(t.lanes.Front()).(*lane) //nolint:errcheck // the list holds nothing else
		next := l.waiting[0]
		if l.waiting = slices.Delete(l.waiting, 0, 1); len(l.waiting) > 0 {
			t.lanes.PushBack(l)
		}
		t.begin(next)
		close(next.ready)
	}
}

// watch ends the turns of requests that last, while others wait.
func (t *turns) watch() {
	for {
		time.Sleep(shortTurn)
		lasting := shortTurn
		if t.behind() {
			lasting = longTurn
		}
		if !t.endLong(lasting) {
			return
		}
	}
}

// endLong ends the turns that have lasted for a time, and reports whether requests wait.
func (t *turns) endLong(lasting time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.lanes.Len() > 0 {
		first := t.working.Front().Value.(*turn) //nolint:errcheck // the list holds nothing else
		if time.Since(first.began) < lasting {
			return true
		}
		t.over(first)
	}
	t.watching = false
	return false
}
