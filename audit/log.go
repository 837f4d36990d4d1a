package audit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/sidewarden/sidewarden/policy"
)

const (
	defaultCapacity = 4096
	batchBytes      = 64 << 10
)

// Class sorts records by how much their loss would hurt.
type Class string

// The classes.
const (
	ClassAllowed Class = "allowed" // allowed, and every control passes
	ClassDenied  Class = "denied"  // a control objects or could not decide
	ClassFailed  Class = "failed"  // the request failed
)

// Class returns the class of the record.
func (r *Record) Class() Class {
	switch {
	case r.Disposition == policy.Failed.String():
		return ClassFailed
	case r.Disposition == policy.Allowed.String() && len(r.Findings) == 0 && len(r.Observations) == 0:
		return ClassAllowed
	}
	return ClassDenied
}

// Log writes records as lines of JSON behind a bounded queue. Enqueue never waits
// for the writer: a record that does not fit is dropped and counted. Plain allowed
// records may fill only three quarters of the queue; the rest is kept for those
// that tell of a denial, a leak or a failure.
type Log struct {
	w     io.Writer
	queue chan *Record

	// mu guards closed, drops, and every send, so that the reserve is exact.
	mu     sync.Mutex
	closed bool
	drops  Drops

	written, failed atomic.Uint64
	lastErr         atomic.Pointer[error]

	// Of Run's goroutine alone.
	batch []byte
	lines uint64
	torn  bool // the last write ended within a line
}

// NewLog returns a log that writes to w once Run is called. Capacity is the number
// of records that may wait, about 3 KB each; 0 or less means 4096. The caller
// keeps w and closes it after Run has returned.
func NewLog(w io.Writer, capacity int) *Log {
	if capacity <= 0 {
		capacity = defaultCapacity
	}
	return &Log{w: w, queue: make(chan *Record, capacity)}
}

// OpenFile opens a log file for appending, readable by its owner alone, and makes
// its folder if there is none. The caller closes it.
func OpenFile(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("audit file: make its folder: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audit file: %w", err)
	}
	return f, nil
}

// Enqueue puts a record into the queue and reports whether it was taken. It never
// blocks. What it took, Run writes, unless the writer fails; after the end of Run
// nothing is taken.
func (l *Log) Enqueue(r *Record) bool {
	c := r.Class()
	l.mu.Lock()
	defer l.mu.Unlock()
	room := cap(l.queue)
	if c == ClassAllowed {
		room -= room / 4
	}
	// Only senders, who hold mu, make the queue longer.
	if l.closed || len(l.queue) >= room {
		l.drops.add(c)
		return false
	}
	l.queue <- r
	return true
}

// Run writes records until ctx ends, then takes no more, writes what waits, and
// returns. Whenever the queue is empty everything is handed to the writer, so a
// record waits for no timer; under load, lines are written in batches of 64 KiB. A
// failed write is counted and Run goes on with the next, since disks get space
// again. The error tells, at the end, how many records could not be written, and
// wraps the last cause. Run is called once; it returns late if the writer blocks.
func (l *Log) Run(ctx context.Context) error {
	for {
		select {
		case r := <-l.queue:
			l.add(r)
			l.drain()
		case <-ctx.Done():
			l.mu.Lock()
			l.closed = true
			l.mu.Unlock()
			l.drain()
			if err := l.lastErr.Load(); err != nil {
				return fmt.Errorf("audit log: %d records could not be written, last: %w", l.failed.Load(), *err)
			}
			return nil
		}
	}
}

// drain writes until the queue is empty.
func (l *Log) drain() {
	for {
		select {
		case r := <-l.queue:
			l.add(r)
		default:
			l.flush()
			return
		}
	}
}

func (l *Log) add(r *Record) {
	batch, err := r.AppendLine(l.batch)
	if err != nil {
		l.fail(1, err)
		return
	}
	l.batch = batch
	l.lines++
	if len(l.batch) >= batchBytes {
		l.flush()
	}
}

// flush writes the batch. After a write that ended within a line the next one
// begins with a line break, so that only the torn line is lost.
func (l *Log) flush() {
	if l.lines == 0 {
		return
	}
	out := l.batch
	extra := uint64(0)
	if l.torn {
		out, extra = append([]byte("\n"), out...), 1
	}
	n, err := l.w.Write(out)
	if err == nil && n < len(out) {
		err = io.ErrShortWrite
	}
	n = max(0, min(n, len(out)))
	whole := uint64(bytes.Count(out[:n], []byte("\n")))
	if whole > 0 {
		whole -= extra
	}
	l.written.Add(whole)
	if err != nil {
		l.fail(l.lines-whole, err)
	}
	if n > 0 {
		l.torn = out[n-1] != '\n'
	}
	l.batch, l.lines = l.batch[:0], 0
}

func (l *Log) fail(records uint64, err error) {
	l.failed.Add(records)
	l.lastErr.Store(&err)
}

// Drops counts records that found no room, by class.
type Drops struct{ Allowed, Denied, Failed uint64 }

func (d *Drops) add(c Class) {
	switch c {
	case ClassAllowed:
		d.Allowed++
	case ClassDenied:
		d.Denied++
	case ClassFailed:
		d.Failed++
	}
}

// LogStats are the counts of a log since its start.
type LogStats struct {
	// Queued is the number of records that wait now, Capacity the most that may.
	Queued, Capacity int
	// Written counts records that the writer took, Failed those that it refused.
	Written, Failed uint64
	Dropped         Drops
	// LastError is the last failure of the writer; nil if there was none.
	LastError error
}

// Stats returns the counts. It is safe to call at any time.
func (l *Log) Stats() LogStats {
	s := LogStats{
		Queued: len(l.queue), Capacity: cap(l.queue),
		Written: l.written.Load(), Failed: l.failed.Load(),
	}
	if err := l.lastErr.Load(); err != nil {
		s.LastError = *err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Dropped = l.drops
	return s
}
