package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy/frame"
)

// guard is a connection of HTTP/1 that is followed on its way to net/http: by its bytes
// it tells where each request begins and ends, and what of that is ambiguous. It changes
// no byte and delivers all of them, except behind a message that is at fault and was
// refused for it. A read never goes beyond the end of a message, so that the facts and
// the requests of net/http are the same in number and order.
//
// One goroutine at a time reads and one writes, as net/http and a tunnel do. What both,
// and the handler, use is atomic or guarded by mu.
type guard struct {
	net.Conn
	listener *Listener

	surplus []byte // what came behind the end of a message, for the next read
	failure error  // what the connection said when the surplus came

	through atomic.Bool // nobody follows it any more
	tunnel  atomic.Bool // what passes is no HTTP of ours
	stopped atomic.Bool // nothing that follows is a request
	closing atomic.Bool
	// answering reports that a handler has the request at hand: until all of its answer is
	// written, whatever is written is not net/http's own.
	answering atomic.Bool

	mu      sync.Mutex
	preface int // how much of the preface of HTTP/2 came; -1 where none can come
	scanner frame.Scanner
	heads   [2]policy.Frame // of requests that the handler has not taken yet, the first first
	queued  int
	body    policy.Verdict // of the message at hand; a denial once its body broke its framing
	blind   bool           // requests come whose facts nobody has
	strict  bool           // a body that breaks its framing is not read on
}

// tlsGuard is a guard above TLS. net/http takes the state of the connection from it.
type tlsGuard struct {
	*guard
	tls *tls.Conn
}

// ConnectionState tells net/http what was negotiated.
func (g *tlsGuard) ConnectionState() tls.ConnectionState { return g.tls.ConnectionState() }

// seeState tells a guard that the answer of a handler is written. net/http says so of a
// connection that goes on, before it reads the next request.
func seeState(c net.Conn, state http.ConnState) {
	if state != http.StateIdle {
		return
	}
	switch g := c.(type) {
	case *guard:
		g.answering.Store(false)
	case *tlsGuard:
		g.answering.Store(false)
	}
}

func (l *Listener) guard(c net.Conn) *guard {
	g := &guard{Conn: c, listener: l, preface: -1}
	if l.H2C {
		g.preface = 0
	}
	g.scanner.Reset(l.HeadBytes + headSlack)
	return g
}

// headSlack is how much more than MaxHeaderBytes net/http may read of a head: the
// buffer that it allows for by design, and what it had read before it began to count.
const headSlack = 2*4096 + 16

// errBroken ends a body that broke its framing where that is enforced.
var errBroken = errors.New("the framing of the body is broken")

// Read delivers bytes up to the end of a message.
func (g *guard) Read(p []byte) (int, error) {
	for {
		switch {
		case g.stopped.Load():
			return 0, io.EOF
		case g.through.Load(), len(p) == 0:
			return g.take(p)
		case g.broken():
			return 0, errBroken
		}
		n, err := g.take(p)
		if n == 0 {
			return 0, err
		}
		delivered := g.follow(p[:n])
		if delivered < n {
			g.keep(p[delivered:n], err)
			err = nil
		}
		if delivered > 0 {
			return delivered, err
		}
	}
}

// keep puts bytes back that the next read is to deliver, and what the connection said
// with them.
func (g *guard) keep(b []byte, err error) {
	// A copy: b is the reader's.
	g.surplus = append(append(make([]byte, 0, len(b)+len(g.surplus)), b...), g.surplus...)
	if err != nil {
		g.failure = err
	}
}

// take returns the surplus first, and then what comes.
func (g *guard) take(p []byte) (int, error) {
	if len(g.surplus) > 0 && len(p) > 0 {
		n := copy(p, g.surplus)
		if g.surplus = g.surplus[n:]; len(g.surplus) == 0 {
			g.surplus = nil
		}
		return n, nil
	}
	if err := g.failure; err != nil {
		g.failure = nil
		return 0, err
	}
	return g.Conn.Read(p)
}

// follow looks at the next bytes and returns how many of them may be delivered now.
func (g *guard) follow(b []byte) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if taken, all := g.seePreface(b); all {
		return taken
	}
	return g.scan(b)
}

// scan lets the scanner look at bytes and returns how many of them may be delivered now.
// It requires that mu is held.
func (g *guard) scan(b []byte) int {
	if g.through.Load() {
		return len(b)
	}
	n := 0
	for {
		k, e := g.scanner.Scan(b[n:])
		n += k
		switch e {
		case frame.Head:
			g.push(policy.Frame{Head: policy.Permitted(), Host: g.scanner.Host()})
		case frame.BadHead:
			g.push(policy.Frame{Head: g.scanner.Fault(), Host: g.scanner.Host()})
			if !g.scanner.Following() {
				g.through.Store(true)
				return n
			}
		case frame.BadBody:
			g.body = g.scanner.Fault()
			return n
		case frame.Lost: // net/http reads no such head either, and answers 431
			g.through.Store(true)
			g.blind = true
			return len(b)
		case frame.More, frame.End:
			return n
		}
	}
}

// push queues the fact of a head for the handler. There are never more than two: the
// request at work and one whose head came before the handler asked. It requires that mu
// is held.
func (g *guard) push(head policy.Frame) {
	if g.queued == len(g.heads) {
		g.through.Store(true) // it cannot be said any more which fact is whose
		g.goBlind()
		return
	}
	g.heads[g.queued] = head
	g.queued++
}

// frame takes the fact of the request that the handler has now.
func (g *guard) frame() policy.Frame {
	f := policy.Frame{Head: policy.Undecided(policy.FrameBlind, nil), Body: policy.Inapplicable()}
	if g == nil {
		return f
	}
	g.answering.Store(true)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.queued > 0 {
		f.Head, f.Host = g.heads[0].Head, g.heads[0].Host
		g.heads[0] = g.heads[1]
		g.queued--
	}
	return f
}

// lost reports whether nobody follows the connection any more.
func (g *guard) lost() bool { return g != nil && g.through.Load() }

// broken reports whether the body at hand broke its framing and may not be read on. If
// it may, nobody follows the connection any more.
func (g *guard) broken() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.body.Effect != policy.Deny {
		return false
	}
	if g.strict {
		return true
	}
	g.through.Store(true)
	g.goBlind()
	return false
}

// goBlind counts a connection that goes on although nobody can follow it. It requires
// that mu is held.
func (g *guard) goBlind() {
	if !g.blind {
		g.blind = true
		g.listener.Refusals.blind.Add(1)
	}
}

// bodyFault returns the fault of the body at hand; it does not apply if there is none.
func (g *guard) bodyFault() policy.Verdict {
	if g == nil {
		return policy.Inapplicable()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.body.Effect == policy.Deny {
		return g.body
	}
	return policy.Inapplicable()
}

// judged tells the guard what the policy says of the request at hand: whether its head
// is refused, so that nothing behind it is read as a request, and whether its body may
// not break its framing.
func (g *guard) judged(head policy.Verdict, refused, strict bool) {
	if g == nil {
		return
	}
	if refused {
		g.stopped.Store(true)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.strict = strict
	if head.Effect == policy.Deny && g.through.Load() {
		g.goBlind()
	}
}

// release makes the guard transparent: what follows is no HTTP of ours. It begins with
// the bytes that net/http has read ahead. Nobody reads at that time.
func (g *guard) release(ahead []byte) {
	if len(ahead) > 0 {
		g.keep(ahead, nil)
	}
	g.tunnel.Store(true)
	g.through.Store(true)
}

// Write looks for the answers of net/http itself, and gives another one where the policy
// refuses what net/http did.
func (g *guard) Write(b []byte) (int, error) {
	if g.tunnel.Load() {
		return g.Conn.Write(b)
	}
	status := statusCode(b)
	head, bodiless, own := g.refusal(b, status)
	if !own {
		return g.Conn.Write(b)
	}
	answer := g.listener.refused(refusal{peer: g.RemoteAddr().String(), status: status, head: head, bodiless: bodiless})
	if answer == nil {
		return g.Conn.Write(b)
	}
	g.stopped.Store(true)
	if _, err := g.Conn.Write(answer); err != nil {
		return 0, err
	}
	return len(b), nil
}

// refusal reports whether b is an answer of net/http itself, what in.frame then says of
// the head that it refused, and whether an answer to that has no body.
func (g *guard) refusal(b []byte, status string) (head policy.Verdict, bodiless, own bool) {
	if status == "" || g.answering.Load() {
		return policy.Verdict{}, false, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	waiting := g.queued > 0
	switch {
	case !waiting && !g.scanner.Pending() && !g.through.Load():
		return policy.Verdict{}, false, false // a handler has the request
	case ownAnswer(b, status):
	case status == "417" && waiting:
		// Without keep-alive it looks like the answer of a handler, which takes the fact of
		// its request before it answers.
	default:
		return policy.Verdict{}, false, false
	}
	bodiless = g.scanner.Bodiless()
	switch {
	case status == "431":
		return policy.Verdict{}, bodiless, true // a bound of the transport and no fault
	case waiting:
		head = g.heads[g.queued-1].Head
	case g.through.Load():
		return policy.Undecided(policy.FrameBlind, nil), bodiless, true
	}
	if head.Effect != policy.Deny {
		head = g.scanner.Partial()
	}
	if head.Effect != policy.Deny {
		head = policy.Denied(policy.FrameRefused, "")
	}
	return head, bodiless, true
}

// CloseWrite half-closes the connection. net/http needs that to end an answer to a
// request that it did not read whole, and ReverseProxy to pass a half-close through a
// tunnel.
func (g *guard) CloseWrite() error { return closeWrite(g.Conn) }

func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// What is read and thrown away before a connection with a refused request is closed: a
// kernel that has unread bytes resets the connection, and the answer may be lost with it.
const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 256 << 10
)

// Close closes the connection, once the client has had the time to read why. A second
// call does not wait.
func (g *guard) Close() error {
	if g.closing.Swap(true) || !g.stopped.Load() {
		return g.Conn.Close()
	}
	if g.CloseWrite() == nil && g.Conn.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, g.Conn, lingerBytes) // whatever ends it
	}
	return g.Conn.Close()
}
