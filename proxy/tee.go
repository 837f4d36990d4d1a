package proxy

import (
	"errors"
	"io"
	"sync"
	"time"
)

// tee passes a body through and keeps a copy of up to limit bytes. The transport
// may read a request body from its own goroutine until after the handler has
// returned, so every field below mu is guarded by it; after seal nothing more is
// copied, and what passes is only counted.
type tee struct {
	body  io.ReadCloser
	limit int64
	first int64 // bytes that the copy begins with
	held  *budget

	mu     sync.Mutex
	copied []byte
	lent   int64
	size   int64 // bytes that went through
	eof    bool
	shed   bool  // the copy was given up: over the limit or the budget
	err    error // what ended the body, other than its end
	sealed bool
	expiry *expiry // gives a copy up whose body does not end; nil for none
}

// expiry is the time that the copy of a body waits for the rest of it.
type expiry struct {
	pace  pace
	now   func() time.Time
	timer *time.Timer
	left  time.Duration // of the grace, at since
	since time.Time
}

// came gives time for n bytes that came.
func (e *expiry) came(n int) {
	now := e.now()
	e.left, e.since = e.pace.after(e.left, now.Sub(e.since), n), now
	e.timer.Reset(e.left)
}

// A copy begins with the declared length, but with no more than firstCopy: it costs
// a client nothing to declare a length and then to send nothing. One of unknown
// length begins with unknownCopy.
const (
	firstCopy   = 8 << 10
	unknownCopy = 1 << 10
)

// newTee wraps body. Declared is the declared length, -1 when unknown; of a body
// that is declared longer than limit nothing is copied.
func newTee(body io.ReadCloser, limit, declared int64, held *budget) *tee {
	first := int64(unknownCopy)
	if declared > 0 {
		first = min(declared, firstCopy)
	}
	return &tee{body: body, limit: limit, first: first, held: held, shed: limit <= 0 || declared > limit}
}

// Read passes bytes through and copies them.
func (t *tee) Read(p []byte) (int, error) {
	n, err := t.body.Read(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.size += int64(n)
	if !t.sealed {
		t.keep(p[:n])
		if t.expiry != nil && !t.shed {
			t.expiry.came(n)
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		t.eof = true
	case err != nil:
		t.err = err
	}
	return n, err
}

// keep copies b. It requires that mu is held.
func (t *tee) keep(b []byte) {
	if t.shed || len(b) == 0 {
		return
	}
	need := int64(len(t.copied) + len(b))
	if need > t.limit {
		t.drop()
		return
	}
	if need > t.lent {
		next := max(need, min(max(2*t.lent, t.first), t.limit))
		if !t.held.take(next - t.lent) {
			t.drop()
			return
		}
		t.lent = next
		larger := make([]byte, len(t.copied), next)
		copy(larger, t.copied)
		t.copied = larger
	}
	t.copied = append(t.copied, b...)
}

// drop gives the copy up. It requires that mu is held.
func (t *tee) drop() {
	t.held.give(t.lent)
	t.copied, t.lent, t.shed = nil, 0, true
}

// Close closes the body.
func (t *tee) Close() error { return t.body.Close() }

// passed is what is known of a body after it went through.
type passed struct {
	bytes []byte
	size  int64
	whole bool
	ended bool // the body came to its end
	err   error
}

// expire gives the copy up if the body keeps it waiting for longer than the pace lets it;
// one without a grace never does.
func (t *tee) expire(p pace, now func() time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.grace <= 0 || t.shed {
		return
	}
	t.expiry = &expiry{pace: p, now: now, left: p.grace, since: now()}
	t.expiry.timer = time.AfterFunc(p.grace, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if !t.sealed && !t.eof {
			t.drop()
		}
	})
}

// atEnd reports whether the body came to its end.
func (t *tee) atEnd() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.eof
}

// failure returns what broke the body, if something did.
func (t *tee) failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// seal ends the copying and returns what passed. The bytes stay valid until
// release.
func (t *tee) seal() passed {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end()
	return passed{bytes: t.copied, size: t.size, whole: t.eof && !t.shed, ended: t.eof, err: t.err}
}

// release gives the copy back; nobody may use its bytes after that.
func (t *tee) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end()
	t.drop()
}

// end ends the copying. It requires that mu is held.
func (t *tee) end() {
	t.sealed = true
	if t.expiry != nil {
		t.expiry.timer.Stop()
	}
}
