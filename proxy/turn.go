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
	// turnsPerProcessor, and leastTurns on few of them, are how many requests are in their turn
	// at once: enough to keep the processors busy, few enough to be done soon.
	turnsPerProcessor = 32
	leastTurns        = 64
	// shortTurn is how long a request that keeps others waiting is in its turn while the process
	// keeps up: one that is still there waits for its backend or its client, and keeps no
	// processor from anybody. longTurn is how long it is where the process does not keep up,
	// and such a one cannot be told from others.
	shortTurn = 3 * time.Millisecond
	longTurn  = 60 * time.Millisecond
	// tooBusy is how long a goroutine that could run waits for a processor where the process
	// does not keep up.
	tooBusy = 2 * time.Millisecond
)

// turns let the requests of HTTP/2 take turns, connection by connection. One connection
// of HTTP/1 asks one thing at a time; one of HTTP/2 asks all at once (RFC 9113 section 5).
// Begun all together, the requests of a few connections make everybody's wait, their own
// first: for a processor, and for a backend that got as many new connections.
//
// One request of each connection is as one of HTTP/1: it waits for nobody, and keeps
// nobody waiting. The limit is on all further ones. Waiting is all that happens here: no
// request is refused. A client that goes away while its request waits changes nothing:
// else streams that are reset at once would need no turn. It is safe for concurrent use.
type turns struct {
	limit int
	// behind reports whether the process does not keep up with its work.
	behind func() bool
	waits  atomic.Uint64
	waited atomic.Int64 // nanoseconds, of all that waited together

	mu       sync.Mutex
	working  list.List // of the *turn that are not over, the one that began first in front
	further  int       // of these, how many are further ones of their connections
	lanes    list.List // of the *lane with requests that wait, whose turn is next in front
	watching bool      // somebody ends the turns that are long
}

// lane is what one connection has of turns, which guard it.
type lane struct {
	working int
	waiting []*turn
	place   *list.Element // among lanes; nil while nothing waits
}

// turn is that of one request.
type turn struct {
	turns  *turns
	lane   *lane
	waited time.Duration // until it began
	began  time.Time
	place  *list.Element // nil when it is over
	ready  chan struct{} // closed when it begins; nil of one that did not wait
}

func newTurns() *turns {
	return &turns{limit: max(leastTurns, turnsPerProcessor*runtime.GOMAXPROCS(0)), behind: behind}
}

// behind measures once how long a goroutine waits that could run.
func behind() bool {
	before := time.Now()
	runtime.Gosched()
	return time.Since(before) > tooBusy
}

// take returns when it is the turn of a request of a connection.
func (t *turns) take(l *lane) *turn {
	u := &turn{turns: t, lane: l}
	t.mu.Lock()
	if l.working == 0 || t.further < t.limit {
		t.begin(u)
		t.mu.Unlock()
		return u
	}
	u.ready = make(chan struct{})
	if l.waiting = append(l.waiting, u); l.place == nil {
		l.place = t.lanes.PushBack(l)
	}
	if !t.watching {
		t.watching = true
		go t.watch()
	}
	t.mu.Unlock()
	asked := time.Now()
	<-u.ready
	u.waited = time.Since(asked)
	t.waits.Add(1)
	t.waited.Add(int64(u.waited))
	return u
}

// end ends the turn of a request that is done.
func (u *turn) end() {
	u.turns.mu.Lock()
	defer u.turns.mu.Unlock()
	u.turns.over(u)
}

// begin requires that mu is held, as do next, over and endLong.
func (t *turns) begin(u *turn) {
	if u.lane.working++; u.lane.working > 1 {
		t.further++
	}
	u.began, u.place = time.Now(), t.working.PushBack(u)
}

// next begins the turn of that request of a connection which has waited longest.
func (t *turns) next(l *lane) {
	u := l.waiting[0]
	l.waiting = slices.Delete(l.waiting, 0, 1)
	t.lanes.Remove(l.place)
	if l.place = nil; len(l.waiting) > 0 {
		l.place = t.lanes.PushBack(l)
	}
	t.begin(u)
	close(u.ready)
}

// over ends a turn, if it is not over yet, and begins those that it made room for.
func (t *turns) over(u *turn) {
	if u.place == nil {
		return
	}
	t.working.Remove(u.place)
	u.place = nil
	l := u.lane
	if l.working--; l.working > 0 {
		t.further--
	} else if l.place != nil {
		t.next(l) // again the only one of its connection
	}
	for t.further < t.limit && t.lanes.Len() > 0 {
		t.next(t.lanes.Front().Value.(*lane)) //nolint:errcheck // the list holds nothing else
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
