package proxy

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
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
	strangers, err := zap.NewStdLogAt(log, zap.DebugLevel)
	if err != nil {
		strangers = zap.NewStdLog(zap.NewNop())
	}
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: b.Head,
		IdleTimeout:       b.Idle,
		MaxHeaderBytes:    b.HeadBytes,
		ErrorLog:          strangers, // handshakes and resets of others: not our errors
		// "OPTIONS *" is a request like any other: it must be seen and forwarded.
		DisableGeneralOptionsHandler: true,
		HTTP2:                        http2Bounds(),
	}
}

// Refusals counts what net/http refused before a handler saw it.
type Refusals struct{ head, malformed, expectation, other atomic.Uint64 }

// Counts returns the refusals by reason, a closed set: "head-too-large" (431),
// "malformed" (400), "expectation" (417, an Expect other than 100-continue) and
// "other".
func (r *Refusals) Counts() map[string]uint64 {
	return map[string]uint64{
		"head-too-large": r.head.Load(),
		"malformed":      r.malformed.Load(),
		"expectation":    r.expectation.Load(),
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

// refusalConn is used by one goroutine at a time for writing, as net/http and a
// tunnel do.
type refusalConn struct {
	net.Conn
	listener *RefusalListener
	tunnel   bool // after a 101 the bytes are not HTTP of ours
}

// CloseWrite half-closes the connection. net/http needs that to end an answer to
// a request that it did not read whole, and ReverseProxy to pass a half-close
// through a tunnel.
func (c *refusalConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Write looks for the answers of net/http itself.
func (c *refusalConn) Write(b []byte) (int, error) {
	if !c.tunnel {
		status := statusCode(b)
		if c.tunnel = status == "101"; ownAnswer(b, status) {
			c.listener.refused(c.RemoteAddr().String(), status)
		}
	}
	return c.Conn.Write(b)
}

// statusCode returns the three digits of a status line, or nothing.
func statusCode(b []byte) string {
	if len(b) > 12 && bytes.HasPrefix(b, []byte("HTTP/1.")) && b[8] == ' ' {
		return string(b[9:12])
	}
	return ""
}

// ownAnswer reports whether b is an answer that net/http writes without a handler.
// All but one have these two fields and no Date, which every answer of a handler
// has. The one, to an Expect that it does not know, has Connection before the
// Date; an answer of a handler that this proxy forwards has it behind.
func ownAnswer(b []byte, status string) bool {
	_, header, _ := bytes.Cut(b, []byte("\r\n"))
	switch {
	case status == "417":
		return bytes.HasPrefix(header, []byte("Connection: close\r\nDate: "))
	case strings.HasPrefix(status, "4"), strings.HasPrefix(status, "5"):
		return bytes.HasPrefix(header, []byte("Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"))
	}
	return false
}

func (l *RefusalListener) refused(remote, status string) {
	switch status {
	case "431":
		l.Refusals.head.Add(1)
	case "400":
		l.Refusals.malformed.Add(1)
	case "417":
		l.Refusals.expectation.Add(1)
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
