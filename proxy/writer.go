package proxy

import (
	"bufio"
	"net"
	"net/http"
)

// answerWriter remembers what the client got.
type answerWriter struct {
	http.ResponseWriter
	status   int
	bytes    int64
	hijacked bool // the connection is a tunnel now: nothing more can be written or flushed here
	guard    *guard
}

// WriteHeader remembers the first final status; an informational one may precede it.
func (w *answerWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write counts the bytes of the body.
func (w *answerWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Hijack hands the connection over. ReverseProxy does so for an upgrade that it
// accepts, and then writes the 101 itself.
func (w *answerWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.hijacked, w.status = true, http.StatusSwitchingProtocols
		// What net/http has read ahead belongs to the tunnel, and ReverseProxy reads on
		// from the connection.
		ahead, _ := rw.Reader.Peek(rw.Reader.Buffered()) // as many as are there
		if w.guard != nil {
			w.guard.release(ahead)
			_, _ = rw.Reader.Discard(len(ahead)) // the same
		}
	}
	return c, rw, err
}

// Unwrap lets http.ResponseController reach flushing and deadlines.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
