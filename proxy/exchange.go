package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/sidewarden/sidewarden/policy"
)

// exchange is one request on its way through. The handler's goroutine owns it;
// only the tees are shared with the transport.
type exchange struct {
	h      *Handler
	policy *policy.Policy
	plan   *policy.Operation
	w      *answerWriter

	request  *policy.Request
	decision policy.Decision
	outcome  policy.Outcome

	in, out *tee // copies of the request and the response body; nil when none is taken

	overhead    time.Duration
	forwardedAt time.Time
	blocked     bool // we answered because a finding blocks
	failed      bool // no whole answer of the backend
	done        bool // the client has its answer, or nobody to give it to
	judged      bool // the Body phase was evaluated
}

func (h *Handler) begin(w http.ResponseWriter, req *http.Request) *exchange {
	x := &exchange{h: h, policy: h.policy.Load(), w: &answerWriter{ResponseWriter: w}}
	path, query := targetOf(req)
	x.request = &policy.Request{
		ID:       h.options.NewID(),
		Time:     h.options.Now(),
		Peer:     peerOf(req.RemoteAddr),
		Method:   req.Method,
		Path:     path,
		RawQuery: query,
		Host:     req.Host,
		Proto:    req.Proto,
		Query:    policy.ParseQuery(query),
		Header:   req.Header,
		Body:     policy.Body{Size: req.ContentLength},
	}
	return x
}

// targetOf returns the escaped path and the raw query exactly as they are
// forwarded. An origin-form target is taken as it stood in the request line,
// because net/url normalises some bytes of a path.
func targetOf(req *http.Request) (path, query string) {
	if isOrigin(req) {
		path, _, _ = strings.Cut(req.RequestURI, "?")
		return path, req.URL.RawQuery
	}
	return req.URL.EscapedPath(), req.URL.RawQuery
}

// isOrigin reports whether the target can be forwarded byte for byte through
// url.URL.Opaque: it is in origin form (RFC 9112 3.2.1) and does not begin with
// "//", which net/url would print as an authority.
func isOrigin(req *http.Request) bool {
	return strings.HasPrefix(req.RequestURI, "/") && !strings.HasPrefix(req.RequestURI, "//") &&
		req.Method != http.MethodConnect
}

func peerOf(remote string) policy.Peer {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		return policy.Peer{}
	}
	return policy.Peer{Addr: addr.Addr().Unmap()}
}

// decideHead runs match, authenticate, spend and the phases Head and Limit. Both
// phases are evaluated before the first look at what blocks.
func (x *exchange) decideHead(ctx context.Context) {
	defer x.clock()()
	x.match()
	x.plan = x.policy.Plan(x.request)
	x.authenticate(ctx)
	x.decision = x.policy.Evaluate(ctx, x.request, policy.HeadPhase)
	x.spend(ctx)
	x.decision = x.decision.With(x.policy.Evaluate(ctx, x.request, policy.LimitPhase))
	x.block()
}

// clock adds the time until the returned function is called to the overhead.
func (x *exchange) clock() func() {
	start := x.h.options.Now()
	return func() { x.overhead += x.h.options.Now().Sub(start) }
}

// block answers the request if a finding blocks it.
func (x *exchange) block() {
	f, blocks := x.decision.Blocking()
	if !blocks {
		return
	}
	x.blocked, x.done = true, true
	writeBlocked(x.w, x.request, f)
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
	if x.plan.In != nil {
		x.h.counts.inspected.Add(uint64(len(b)))
		if !whole {
			x.h.counts.partial.Add(1)
		}
		x.request.Body = x.runInspector(b, size, whole)
	} else {
		x.request.Body.Size = size
	}
	x.decision = x.decision.With(x.policy.Evaluate(ctx, x.request, policy.BodyPhase))
}

func (x *exchange) runInspector(b []byte, size int64, whole bool) (body policy.Body) {
	defer x.recoverStage("inspect", func(err error) {
		undecided := policy.Undecided(policy.InternalError, err)
		body = policy.Body{Size: size, WellFormed: undecided, Schema: undecided}
	})
	return x.plan.In.Inspect(x.request, b, size, whole)
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

// end finishes what is known and tells the observer, exactly once. A panic, such
// as http.ErrAbortHandler after a broken copy, goes on afterwards.
func (x *exchange) end() {
	panicked := recover()
	if panicked != nil && panicked != http.ErrAbortHandler { //nolint:errorlint // a panic value, not an error chain
		x.h.options.Log.Error("a request panicked", zap.String("type", fmt.Sprintf("%T", panicked)),
			zap.String("decision_id", x.request.ID), zap.Stack("stack"))
		panicked = http.ErrAbortHandler
		if x.w.status == 0 {
			panicked = nil
			x.fail(http.StatusInternalServerError)
		}
	}
	if x.plan == nil { // a panic before the plan was known
		x.plan = x.policy.Plan(x.request)
	}
	x.finishBody()
	x.finishResponse(panicked != nil)
	x.outcome.Disposition = x.disposition(panicked)
	x.outcome.Status = x.w.status
	x.outcome.Sent = x.w.bytes
	x.outcome.Overhead = x.overhead
	x.outcome.Elapsed = x.h.options.Now().Sub(x.request.Time)
	x.outcome.Policy = x.policy.Digest
	x.outcome.Coded = hasCoding(x.request.Header)
	x.observe()
	for _, t := range []*tee{x.in, x.out} {
		if t != nil {
			t.release()
		}
	}
	if panicked != nil {
		panic(panicked)
	}
}

func (x *exchange) disposition(panicked any) policy.Disposition {
	switch {
	case x.blocked:
		return policy.Blocked
	case x.failed, panicked != nil:
		return policy.Failed
	}
	if d := x.decision.Disposition(); d != policy.Blocked {
		return d
	}
	// It was forwarded, so nobody may call it blocked.
	return policy.WouldBlock
}

// finishBody judges a body that streamed through. The client's answer is flushed
// first: its time must not depend on our inspection.
func (x *exchange) finishBody() {
	if x.in == nil || x.judged {
		return
	}
	if x.w.status != 0 && x.plan.In != nil {
		_ = http.NewResponseController(x.w).Flush() // a client that went away does not matter here
	}
	p := x.in.seal()
	size := x.request.Body.Size
	if p.ended {
		size = p.size
	}
	if size < 0 && p.size > x.plan.MaxIn {
		size = p.size // not at its end, yet already too long
	}
	x.inspect(context.Background(), p.bytes, size, p.whole)
}

// finishResponse fills the response facts that are known only at the end.
func (x *exchange) finishResponse(panicked bool) {
	resp := x.request.Response
	if resp == nil {
		x.outcome.Class = policy.ClassNone
		return
	}
	if x.out != nil {
		p := x.out.seal()
		resp.Body.Bytes, resp.Body.Whole = p.bytes, p.whole
		if p.ended {
			resp.Body.Size = p.size
		}
		if p.err != nil && !errors.Is(p.err, context.Canceled) {
			resp.Aborted, x.failed = true, true
		}
	}
	if panicked && resp.Status == 0 {
		x.failed = true
	}
	x.decision = x.decision.With(x.policy.Evaluate(context.Background(), x.request, policy.ResponsePhase))
	x.outcome.BackendStatus = resp.Status
	x.outcome.Class = policy.ClassOf(x.request, x.policy.Hints)
	if x.outcome.Class == policy.ClassSoftDeny {
		x.outcome.SoftFamily, _ = policy.SoftDenialOf(x.request, x.policy.Hints)
	}
}

// observe shields the request from a fault of the observer.
func (x *exchange) observe() {
	defer x.recoverStage("observe", func(error) {})
	x.h.options.Observer.Observe(x.request, x.decision, x.outcome)
}

func hasCoding(h http.Header) bool {
	for _, v := range h["Content-Encoding"] {
		if v != "" && !strings.EqualFold(v, "identity") {
			return true
		}
	}
	return false
}
