package proxy

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/sidewarden/sidewarden/policy"
)

// Options are what a Handler needs; every field is required unless it says
// otherwise.
type Options struct {
	Policy   *policy.Policy
	Observer policy.Observer
	// Backend is the scheme and host that requests are forwarded to.
	Backend *url.URL
	// PathPrefix is put before the path of every forwarded request, byte for byte: ""
	// or a path without a slash at its end.
	PathPrefix string
	// Transport sends requests to the backend; NewTransport makes it.
	Transport http.RoundTripper
	// Listen is the TLS of the data listener; nil where it is plain.
	Listen *ListenTLS
	// InstanceHeader names the response header in which a backend instance names
	// itself. Optional.
	InstanceHeader string
	// MaxHeldBytes bounds the body bytes that are held or copied at one time, over
	// all requests.
	MaxHeldBytes int64
	// BodyTimeout is how long a body may come more slowly than MinBodyRate, in bytes per
	// second: bytes that come earn the time back. One that is held, or that goes to an
	// operation of which something enforces, is then answered 408; the copy of any other
	// one is given up, which costs its inspection and not the request. A rate of zero
	// earns nothing back, a time of zero sets no bound.
	BodyTimeout time.Duration
	MinBodyRate int64
	// AnswerTimeout bounds, in the same way, the time from the head of an answer to
	// the end of one that is held or copied to be judged: a held one that is not there
	// by then is answered 504. Zero sets no bound.
	AnswerTimeout time.Duration
	// Now is the clock, NewID mints decision ids.
	Now   func() time.Time
	NewID func() string
	Log   *zap.Logger
}

// Handler serves the data listener. It is safe for concurrent use.
type Handler struct {
	policy  atomic.Pointer[policy.Policy]
	options Options
	held    budget
	flying  inflight
	buffers *bufferPool
	counts  counts
	turns   *turns
	asked   connectionAuth
	quiet   *log.Logger
}

// New returns a handler that serves by the policy in o.
func New(o Options) *Handler {
	h := &Handler{
		options: o,
		held:    budget{limit: o.MaxHeldBytes},
		buffers: &bufferPool{pool: sync.Pool{New: func() any { return new([bufferBytes]byte) }}},
		turns:   newTurns(),
		quiet:   log.New(io.Discard, "", 0),
	}
	h.policy.Store(o.Policy)
	return h
}

// Apply makes p the policy of every request that begins from now on. A request
// is decided by the one policy that was current when it began.
func (h *Handler) Apply(p *policy.Policy) { h.policy.Store(p) }

// Policy returns the current policy.
func (h *Handler) Policy() *policy.Policy { return h.policy.Load() }

// ServeHTTP decides one request and forwards it or answers it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	h.flying.enter()
	defer h.flying.leave()
	arrived, c := h.options.Now(), connectionOf(req.Context())
	var waited time.Duration
	if req.ProtoMajor == 2 {
		turn := h.turns.take(&c.lane)
		defer turn.end()
		waited = turn.waited
	}
	x := h.begin(w, req, c, arrived)
	x.overhead = waited
	defer x.end()
	// A request of our own, whose body is replaced: by the body of its own net/http tells
	// whether the connection can be used again.
	req = req.WithContext(req.Context())
	x.decideHead(req.Context())
	if x.settleFraming(); x.blocked {
		return
	}
	if x.takeBody(req); x.done {
		return
	}
	x.forward(req)
}

// Wait returns when every request that began has been observed, or with the error
// of ctx. It is for after the server has stopped: http.Server does not wait for
// tunnels (101), which end when the context that the server gave them does.
func (h *Handler) Wait(ctx context.Context) error { return h.flying.wait(ctx) }

// Stats are counters since start and the bytes held now.
type Stats struct {
	InspectedBytes     uint64
	PartialInspections uint64
	HeldBytes          int64
	// ConnectionAuth counts answers in which the backend asks for authentication that is
	// bound to a connection, by scheme: "ntlm" and "negotiate".
	ConnectionAuth map[string]uint64
}

type counts struct {
	inspected, partial atomic.Uint64
}

// Stats returns the handler's counters.
func (h *Handler) Stats() Stats {
	return Stats{
		InspectedBytes:     h.counts.inspected.Load(),
		PartialInspections: h.counts.partial.Load(),
		HeldBytes:          h.held.used.Load(),
		ConnectionAuth:     h.asked.counts(),
	}
}

// Waited counts the requests of HTTP/2 that waited for their turn, and returns how long all
// of them together did.
func (h *Handler) Waited() (waits uint64, waited time.Duration) {
	return h.turns.waits.Load(), time.Duration(h.turns.waited.Load())
}

const bufferBytes = 32 << 10

// bufferPool lends copy buffers to the reverse proxies of all requests.
type bufferPool struct{ pool sync.Pool }

func (b *bufferPool) Get() []byte {
	return b.pool.Get().(*[bufferBytes]byte)[:] //nolint:errcheck // the pool holds nothing else
}

func (b *bufferPool) Put(p []byte) { b.pool.Put((*[bufferBytes]byte)(p)) }
