package proxy

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// TakeListener wraps the listener below everything else, and cuts off clients that do not
// take what is written to them: an answer that nobody reads holds memory, a connection to
// the backend and one of ours. One write, which is some 32 KiB of an answer, has Timeout to
// be taken into the buffers of the system. An answer that has nothing to write, such as an
// event stream, may rest, and one of any length may take as long as it needs.
type TakeListener struct {
	net.Listener
	Timeout time.Duration // zero sets no bound
	Now     func() time.Time

	cut atomic.Uint64
}

// Cut returns how many connections were cut off.
func (l *TakeListener) Cut() uint64 { return l.cut.Load() }

// Accept returns the next connection, wrapped.
func (l *TakeListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil || l.Timeout <= 0 {
		return c, err
	}
	return &takeConn{Conn: c, listener: l}, nil
}

// takeConn sets a deadline for each write. A deadline that others set, such as that of the
// last words of TLS, holds as well.
type takeConn struct {
	net.Conn
	listener *TakeListener

	mu    sync.Mutex
	asked time.Time // the deadline of others; zero for none
	late  bool
}

// Write writes within the time for it.
func (c *takeConn) Write(b []byte) (int, error) {
	if err := c.limit(); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(b)
	if err != nil && isTimeout(err) {
		c.tooLate()
	}
	return n, err
}

func (c *takeConn) limit() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	until := c.listener.Now().Add(c.listener.Timeout)
	if !c.asked.IsZero() && c.asked.Before(until) {
		until = c.asked
	}
	return c.Conn.SetWriteDeadline(until)
}

// tooLate counts the connection, once.
func (c *takeConn) tooLate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.late && c.asked.IsZero() {
		c.late = true
		c.listener.cut.Add(1)
	}
}

// SetDeadline sets the deadlines of both directions.
func (c *takeConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetWriteDeadline sets a deadline for writes beside ours; the zero time takes it away.
func (c *takeConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = t
	return c.Conn.SetWriteDeadline(t)
}

// CloseWrite half-closes the connection, see the CloseWrite of a guard.
func (c *takeConn) CloseWrite() error { return closeWrite(c.Conn) }
