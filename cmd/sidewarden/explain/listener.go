package explain

import (
	"net"
	"sync"
)

// listener has one connection, whose other end is client.
type listener struct {
	client net.Conn
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newListener() *listener {
	client, server := net.Pipe()
	l := &listener{client: client, conns: make(chan net.Conn, 1), closed: make(chan struct{})}
	l.conns <- local{server}
	return l
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements [net.Listener].
func (*listener) Addr() net.Addr { return loopback() }

// local is a connection in memory that comes from the loopback address, so that
// limits by peer have one.
type local struct{ net.Conn }

// RemoteAddr implements [net.Conn].
func (local) RemoteAddr() net.Addr { return loopback() }

func loopback() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
