package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/sidewarden/sidewarden/policy"
)

// exchange is one request on its way through. The handler's goroutine owns it;
// only the tees are shared with the transport, and some facts are lent to
// judgeBeside.
type exchange struct {
	h      *Handler
	policy *policy.Policy
	plan   *policy.Operation
	w      *answerWriter
	conn   *guard // of the connection; nil without one

	request  *policy.Request
	decision policy.Decision
	outcome  policy.Outcome

	in, out *tee           // what the request and the response body go through; nil when there is none
	pacing  *pacedBody     // what the request body comes through at a pace; nil without one
	judging sync.WaitGroup // judgeBeside at work
	tunnel  io.Closer      // the connection to a backend that answered 101

	overhead    time.Duration
	forwardedAt time.Time
	blocked     bool // we answered because a finding blocks
	failed      bool // no whole answer of the backend
	done        bool // the client has its answer, or nobody to give it to
	held        bool // the body was read and judged before it was forwarded
	judged      bool // the Body phase was evaluated
	answerDone  bool // the Response phase was evaluated
}

func (h *Handler) begin(w http.ResponseWriter, req *http.Request, c *connection, arrived time.Time) *exchange {
	g := c.guard
	x := &exchange{h: h, policy: h.policy.Load(), w: &answerWriter{ResponseWriter: w, guard: g}, conn: g}
	path, query := targetOf(req)
	x.request = &policy.Request{
		ID:       h.options.NewID(),
		Time:     arrived,
		Peer:     peerOf(req.RemoteAddr),
		Method:   req.Method,
		Target:   req.RequestURI,
		Path:     path,
		RawQuery: query,
		Host:     req.Host,
		Proto:    req.Proto,
		Query:    policy.ParseQuery(query),
		Header:   forwardedHeader(req.Header),
		Frame:    frameOf(g, req),
		Hop:      hopOf(req),
		Body:     policy.Body{Size: req.ContentLength},
	}
	x.request.Source = sourceOf(x.policy, x.request.Peer.Addr, req.Header)
	x.request.Peer.Certificate = certificateOf(req.TLS)
	x.request.Peer.TLS = h.options.Listen.peer(req.TLS, &c.shown, x.request.Time)
	x.outcome.Class = policy.ClassNone // until it is forwarded
	return x
}

func peerOf(remote string) policy.Peer {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		return policy.Peer{}
	}
	return policy.Peer{Addr: addr.Addr().Unmap()}
}

// sourceOf returns the address of the client. It reads the header as it came: what a hop
// wrote for us is not undone by a client that names the field in Connection.
func sourceOf(p *policy.Policy, peer netip.Addr, h http.Header) netip.Addr {
	if p.Sourcer == nil {
		return peer
	}
	return p.Sourcer.Source(peer, h)
}

// certificateOf returns the client certificate of a TLS connection: the handshake, or
// that of the session which it resumed, proved that the client has its key (RFC 8446
// section 4.4.3, RFC 5246 section 7.4.8), whoever signed it.
func certificateOf(state *tls.ConnectionState) []byte {
	if state == nil || len(state.PeerCertificates) == 0 {
		return nil
	}
	return state.PeerCertificates[0].Raw
}

// decideHead runs match, authenticate, spend and the phases Head and Limit. Both
// phases are evaluated before the first look at what blocks.
func (x *exchange) decideHead(ctx context.Context) {
	start := x.h.options.Now()
	x.match()
	x.plan = x.policy.Plan(x.request)
	if x.plan.ID == policy.HealthID { // nobody asks who checks the health, and nobody counts it
		x.tookSince(start)
		return
	}
	x.authenticate(ctx)
	x.decision = x.policy.Evaluate(ctx, x.request, policy.HeadPhase)
	x.spend(ctx)
	x.decision = x.policy.Extend(ctx, x.request, x.decision, policy.LimitPhase)
	x.block()
	x.tookSince(start)
}

// tookSince adds what was done since start to the overhead.
func (x *exchange) tookSince(start time.Time) { x.overhead += x.h.options.Now().Sub(start) }

// block answers the request if a finding blocks it.
func (x *exchange) block() {
	f, blocks := x.decision.Blocking()
	if !blocks {
		return
	}
	x.blocked, x.done = true, true
	x.hasten()
	writeBlocked(x.w, x.policy, x.request, x.decision, f)
}

func (x *exchange) match() {
	defer x.recoverStage("match", func(err error) { x.request.Match = policy.Match{Err: err} })
	x.request.Match = x.policy.Matcher.Match(x.request)
}

func (x *exchange) authenticate(ctx context.Context) {
	defer x.recoverStage("authenticate", func(err error) {
		x.request.Auth = policy.Authentication{Proof: policy.Undecided(policy.InternalError, err)}
	})
	x.request.Auth = x.policy.Authenticator.Authenticate(ctx, x.request)
}

func (x *exchange) spend(ctx context.Context) {
	defer x.recoverStage("spend", func(error) { x.request.Spent = nil })
	x.request.Spent = x.policy.Spender.Spend(ctx, x.request, x.decision)
}

// inspect runs the inspector over a copy of the request body and evaluates the
// Body phase.
func (x *exchange) inspect(ctx context.Context, b []byte, size int64, whole bool) {
	x.judged = true
	x.request.Frame.Body = x.conn.bodyFault()
	if x.plan.In != nil {
		x.h.counts.inspected.Add(uint64(len(b)))
		if !whole {
			x.h.counts.partial.Add(1)
		}
		x.request.Body = x.runInspector(x.plan.In, b, size, whole)
		x.request.Body.Inspected = int64(len(b))
	} else {
		x.request.Body.Size = size
	}
	x.decision = x.policy.Extend(ctx, x.request, x.decision, policy.BodyPhase)
}

func (x *exchange) runInspector(in policy.Inspector, b []byte, size int64, whole bool) (body policy.Body) {
	defer x.recoverStage("inspect", func(err error) {
		undecided := policy.Undecided(policy.InternalError, err)
		body = policy.Body{Size: size, WellFormed: undecided, Schema: undecided}
	})
	return in.Inspect(x.request, b, size, whole)
}

// recoverStage turns a panic of a stage into facts that are undecided. It must be
// deferred directly.
func (x *exchange) recoverStage(stage string, undecided func(error)) {
	p := recover()
	if p == nil {
		return
	}
	// The type only: a panic value may hold what a client sent.
	err := fmt.Errorf("%s panicked: %T", stage, p)
	x.h.options.Log.Error("a stage panicked", zap.String("stage", stage), zap.String("type", fmt.Sprintf("%T", p)),
		zap.String("decision_id", x.request.ID), zap.Stack("stack"))
	undecided(err)
}
