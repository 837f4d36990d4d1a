package proxy

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// Listener is the data listener. Every connection of HTTP/1 that it accepts is followed
// by a guard, above TLS if there is any, which tells the handler of ambiguous framing and
// counts what net/http itself refuses. Handshakes happen beside Accept, so that a client
// that is slow at its own keeps nobody waiting. A connection that negotiated HTTP/2 is
// handed on as it is: its frames have lengths.
//
// The server that serves it is one of [NewServer]. With TLS, its TLSConfig must name h2
// in NextProtos for HTTP/2 to work.
type Listener struct {
	net.Listener
	// TLS is the configuration of the server side; nil without TLS. NextProtos says what
	// is negotiated.
	TLS *tls.Config
	// Handshake bounds the time of a handshake; zero sets no bound.
	Handshake time.Duration
	// HeadBytes is MaxHeaderBytes of the server.
	HeadBytes int
	// H2C reports that the server speaks HTTP/2 without TLS to clients that begin with it.
	// Their connections are not followed: their frames have lengths.
	H2C bool

	Refusals *Refusals
	Observer policy.Observer
	// Policy returns the policy in force. It says whether in.frame enforces for what
	// net/http refuses.
	Policy func() *policy.Policy
	Now    func() time.Time
	NewID  func() string

	once    sync.Once // starts accepting
	pending *handshakes
}

// mostHandshakes bounds the handshakes at one time. Beyond, the oldest is ended: of those
// that are under way, it is the slowest.
const mostHandshakes = 1024

// Accept returns the next connection that is ready to be served.
func (l *Listener) Accept() (net.Conn, error) {
	if l.TLS == nil {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		return l.guard(c), nil
	}
	l.begin()
	select {
	case a := <-l.pending.ready:
		return a.conn, a.err
	case <-l.pending.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close stops accepting, and ends the handshakes that are under way.
func (l *Listener) Close() error {
	err := l.Listener.Close()
	if l.TLS != nil {
		l.begin() // so that there is something to end
		l.pending.end()
		l.pending.running.Wait()
	}
	return err
}

// begin starts accepting.
func (l *Listener) begin() {
	l.once.Do(func() {
		ctx, end := context.WithCancel(context.Background())
		l.pending = &handshakes{ctx: ctx, end: end, ready: make(chan accepted), conns: list.New()}
		l.pending.running.Go(l.accept)
	})
}

// handshakes are those that are under way.
type handshakes struct {
	ctx     context.Context // ends with the listener
	end     context.CancelFunc
	ready   chan accepted
	running sync.WaitGroup

	mu    sync.Mutex
	conns *list.List // of net.Conn, the oldest first
}

// accepted is what Accept returns.
type accepted struct {
	conn net.Conn
	err  error
}

// accept takes connections and begins their handshakes, until the listener is closed.
func (l *Listener) accept() {
	for {
		c, err := l.Listener.Accept()
		if err == nil {
			l.pending.running.Go(func() { l.shake(c) })
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			l.pending.end()
			return
		}
		// Whoever calls Accept knows what is temporary, and waits before the next call.
		if !l.pending.hand(accepted{err: err}) {
			return
		}
	}
}

// hand gives a connection or an error to Accept, and reports whether somebody took it.
func (h *handshakes) hand(a accepted) bool {
	select {
	case h.ready <- a:
		return true
	case <-h.ctx.Done():
		return false
	}
}

// shake makes the handshake of a connection and hands it on.
func (l *Listener) shake(c net.Conn) {
	at := l.pending.enter(c)
	ctx, cancel := l.pending.ctx, context.CancelFunc(func() {})
	if l.Handshake > 0 {
		ctx, cancel = context.WithTimeout(ctx, l.Handshake)
	}
	defer cancel()
	secure := tls.Server(c, l.TLS)
	err := secure.HandshakeContext(ctx)
	l.pending.leave(at)
	if err != nil {
		// A client that says nothing, as a health check of the port, was refused nothing.
		if l.pending.ctx.Err() == nil && !errors.Is(err, io.EOF) {
			l.Refusals.handshake.Add(1)
			sayTLS(err)
		}
		_ = c.Close()
		return
	}
	ready := net.Conn(secure)
	if secure.ConnectionState().NegotiatedProtocol != "h2" {
		ready = &tlsGuard{guard: l.guard(secure), tls: secure}
	}
	if !l.pending.hand(accepted{conn: ready}) {
		_ = c.Close()
	}
}

// sayTLS answers a client that speaks HTTP to a listener of TLS, as net/http does.
func sayTLS(err error) {
	var header tls.RecordHeaderError
	if !errors.As(err, &header) || header.Conn == nil {
		return
	}
	switch string(header.RecordHeader[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		_, _ = io.WriteString(header.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
	}
}

// enter notes a handshake, and ends the oldest if there are too many.
func (h *handshakes) enter(c net.Conn) *list.Element {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conns.Len() >= mostHandshakes {
		oldest := h.conns.Front()
		if conn, is := h.conns.Remove(oldest).(net.Conn); is {
			_ = conn.Close()
		}
	}
	return h.conns.PushBack(c)
}

func (h *handshakes) leave(at *list.Element) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns.Remove(at) // nothing if it was ended
}
