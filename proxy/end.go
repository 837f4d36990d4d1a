package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"go.uber.org/zap"

	"github.com/sidewarden/sidewarden/policy"
)

// end finishes what is known and tells the observer, exactly once, whatever fails
// on the way. A cut connection, such as by http.ErrAbortHandler after a broken
// copy, is cut afterwards.
func (x *exchange) end() {
	cut := x.survive(recover())
	defer x.release()
	x.guard("finish the request body", func() { x.finishBody(cut) })
	x.guard("finish the response", func() { x.finishResponse(cut) })
	x.outcome.Disposition = x.disposition(cut)
	x.outcome.Status = x.w.status
	x.outcome.Sent = x.w.bytes
	x.outcome.Overhead = x.overhead
	x.outcome.Elapsed = x.h.options.Now().Sub(x.request.Time)
	x.outcome.Policy = x.policy.Digest
	x.outcome.Coded = policy.Coded(x.request.Header)
	x.guard("observe", func() { x.h.options.Observer.Observe(x.request, x.decision, x.outcome) })
	if cut {
		panic(http.ErrAbortHandler)
	}
}

// survive answers after a panic where no answer began. It reports whether the
// client's connection must be cut instead.
func (x *exchange) survive(panicked any) (cut bool) {
	if panicked == nil {
		return false
	}
	if panicked == http.ErrAbortHandler { //nolint:errorlint // a panic value, not an error chain
		return true
	}
	x.h.options.Log.Error("a request panicked", zap.String("type", fmt.Sprintf("%T", panicked)),
		zap.String("decision_id", x.request.ID), zap.Stack("stack"))
	if x.w.status != 0 {
		return true
	}
	x.guard("answer", func() { x.fail(http.StatusInternalServerError) })
	return false
}

// guard runs one step of finishing: a panic in it must neither keep the observer
// from the request nor memory from the others.
func (x *exchange) guard(stage string, step func()) {
	defer x.recoverStage(stage, func(error) {})
	step()
}

// release gives the copies and the connection back.
func (x *exchange) release() {
	x.unpace()
	for _, t := range []*tee{x.in, x.out} {
		if t != nil {
			t.release()
		}
	}
}

func (x *exchange) disposition(cut bool) policy.Disposition {
	switch {
	case x.blocked:
		return policy.Blocked
	case x.failed, cut:
		return policy.Failed
	}
	if d := x.decision.Disposition(); d != policy.Blocked {
		return d
	}
	// It was forwarded, so nobody may call it blocked.
	return policy.WouldBlock
}

// finishBody judges a body that streamed through, unless that was done beside the
// answer. The client's answer is flushed first: its time must not depend on our
// inspection. An answer that is cut short is not: what net/http still buffers
// would go out as if it were the whole answer.
func (x *exchange) finishBody(cut bool) {
	switch {
	case x.in == nil:
		return
	case x.held:
		if p := x.in.seal(); p.ended {
			x.request.Body.Size = p.size // also of what was forwarded without being held
		}
		return
	}
	if x.plan.In != nil {
		x.flush(cut)
	}
	if x.judging.Wait(); !x.judged {
		x.judge()
	}
}

// flush sends what net/http still buffers of the client's answer.
func (x *exchange) flush(cut bool) {
	if cut || x.w.status == 0 || x.w.hijacked {
		return
	}
	x.guard("flush", func() {
		_ = http.NewResponseController(x.w).Flush() // a client that went away does not matter here
	})
}

// finishResponse fills the response facts that are known only at the end, and
// judges an answer that streamed through, after the client has it.
func (x *exchange) finishResponse(cut bool) {
	resp := x.request.Response
	if resp == nil {
		return
	}
	if x.out != nil {
		p := x.out.seal()
		resp.Body.Bytes, resp.Body.Whole = p.bytes, p.whole
		if p.ended || resp.Body.Size < 0 && x.plan.MaxOut > 0 && p.size > x.plan.MaxOut {
			resp.Body.Size = p.size
		}
		if p.err != nil && !errors.Is(p.err, context.Canceled) {
			resp.Aborted, x.failed = true, true
		}
	}
	if !x.answerDone {
		if x.plan.Out != nil && len(resp.Body.Bytes) > 0 {
			x.flush(cut)
		}
		x.inspectAnswer(resp.Body.Bytes, resp.Body.Size, resp.Body.Whole)
		x.decision = x.policy.Extend(context.Background(), x.request, x.decision, policy.ResponsePhase)
	}
	if resp.Body.Schema.Reason == policy.NotInspected {
		x.h.counts.partial.Add(1)
	}
	x.outcome.BackendStatus = resp.Status
	x.outcome.Class = policy.ClassOf(x.request, x.policy.Hints)
	if x.outcome.Class == policy.ClassSoftDeny {
		x.outcome.SoftFamily, _ = policy.SoftDenialOf(x.request, x.policy.Hints)
	}
}
