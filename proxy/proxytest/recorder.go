package proxytest

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// Recorder is a backend that keeps every byte that it reads, request by request.
//
// It takes any target, also one that a server of net/http would refuse. A message that is
// cut, or of which it cannot tell where it ends, is kept as far as it came, and is not
// answered. Whoever expects to be told to go on is.
type Recorder struct {
	// Addr is where it listens.
	Addr string

	mu  sync.Mutex
	got []string
}

// Record starts a recorder that answers each request with the same bytes, whatever its
// method. The connection is kept; whoever wants it closed says so in the answer.
func Record(t testing.TB, answer string) *Recorder {
	t.Helper()
	r := &Recorder{}
	r.Addr = accept(t, func(c net.Conn) { r.serve(c, answer) })
	return r
}

// Requests returns the messages that came and were not taken, as bytes.
func (r *Recorder) Requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// Take returns what Requests does, and forgets it.
func (r *Recorder) Take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

func (r *Recorder) serve(c net.Conn, answer string) {
	var came bytes.Buffer
	in := bufio.NewReader(io.TeeReader(c, &came))
	for {
		whole := readRequest(c, in) == nil
		size := came.Len()
		if whole {
			size -= in.Buffered() // what was read ahead is of the next request
		}
		if size > 0 {
			r.keep(string(came.Next(size)))
		}
		if !whole {
			return
		}
		if _, err := io.WriteString(c, answer); err != nil {
			return
		}
		_ = c.SetDeadline(time.Now().Add(patience)) // a connection that has ended shows at the next read
	}
}

// keep adds a message before it is answered, so that who has the answer finds it.
func (r *Recorder) keep(message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, message)
}
