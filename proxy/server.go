package proxy

import (
	"bytes"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/sidewarden/sidewarden/policy"
)

// Bounds protect the process in every mode; they are generous and not a policy.
type Bounds struct {
	// HeadBytes bounds request line and header together.
	HeadBytes int
	// Head bounds the time to read a head, Idle the time between two requests of a
	// connection. Idle must outlast the gateway's pool, so that it is always the
	// gateway that closes.
	Head, Idle time.Duration
}

// NewServer returns the server of the data listener.
func NewServer(h http.Handler, b Bounds, log *zap.Logger) *http.Server {
	errors, err := zap.NewStdLogAt(log, zap.DebugLevel)
	if err != nil {
		errors = zap.NewStdLog(zap.NewNop())
	}
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: b.Head,
		IdleTimeout:       b.Idle,
		MaxHeaderBytes:    b.HeadBytes,
		ErrorLog:          errors, // handshakes and resets of strangers: not our errors
		// "OPTIONS *" is a request like any other: it must be seen and forwarded.
		DisableGeneralOptionsHandler: true,
	}
}

// Refusals counts what net/http refused before a handler saw it.
type Refusals struct{ head, malformed, other atomic.Uint64 }

// Counts returns the refusals by reason, a closed set.
func (r *Refusals) Counts() map[string]uint64 {
	return map[string]uint64{
		"head-too-large": r.head.Load(),
		"malformed":      r.malformed.Load(),
		"other":          r.other.Load(),
	}
}

// RefusalListener wraps the data listener below net/http (and below TLS, whose
// bytes it cannot read). When net/http itself refuses a request it writes one
// fixed answer; the listener counts it and tells the observer of a failed request
// that nobody could read.
type RefusalListener struct {
	net.Listener
	Refusals *Refusals
	Observer policy.Observer
	Now      func() time.Time
	NewID    func() string
}

// Accept returns the next connection, wrapped.
func (l *RefusalListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &refusalConn{Conn: c, listener: l}, nil
}

type refusalConn struct {
	net.Conn
	listener *RefusalListener
}

// ownAnswer follows the status line of every answer that net/http writes by
// itself; an answer of a handler has a Date.
const ownAnswer = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"

// Write looks for the answers of net/http itself.
func (c *refusalConn) Write(b []byte) (int, error) {
	if len(b) > 12 && (b[9] == '4' || b[9] == '5') && bytes.HasPrefix(b, []byte("HTTP/1.1 ")) {
		if end := bytes.IndexByte(b, '\r'); end > 0 && bytes.HasPrefix(b[end:], []byte(ownAnswer)) {
			c.listener.refused(c.RemoteAddr().String(), string(b[9:12]))
		}
	}
	return c.Conn.Write(b)
}

func (l *RefusalListener) refused(remote, status string) {
	switch status {
	case "431":
		l.Refusals.head.Add(1)
	case "400":
		l.Refusals.malformed.Add(1)
	default:
		l.Refusals.other.Add(1)
	}
	code, err := strconv.Atoi(status)
	if err != nil {
		code = http.StatusBadRequest
	}
	r := &policy.Request{ID: l.NewID(), Time: l.Now(), Peer: peerOf(remote), Header: http.Header{}}
	l.Observer.Observe(r, policy.Decision{}, policy.Outcome{
		Disposition: policy.Failed, Status: code, Class: policy.ClassNone,
	})
}
