package explain

import (
	"net"
	"net/netip"
	"sync"
)

// listener has one connection, whose other end is client.
type listener struct {
	client net.Conn
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// newListener returns a listener whose connection comes from an address.
func newListener(from netip.Addr) *listener {
	client, server := net.Pipe()
	l := &listener{client: client, conns: make(chan net.Conn, 1), closed: make(chan struct{})}
	l.conns <- local{server, from}
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
func (*listener) Addr() net.Addr { return tcpAddr(loopback()) }

// local is a connection in memory that comes from an address, so that limits by peer
// have one.
type local struct {
	net.Conn
	from netip.Addr
}

// RemoteAddr implements [net.Conn].
func (c local) RemoteAddr() net.Addr { return tcpAddr(c.from) }

// loopback is the peer of a request of which nobody says where it comes from.
func loopback() netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, 1}) }

func tcpAddr(a netip.Addr) net.Addr { return net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, 0)) }
