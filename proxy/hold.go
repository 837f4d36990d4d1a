package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// errWithheld tells the reverse proxy that the client has its answer already.
var errWithheld = errors.New("the answer was withheld")

// holdAnswer judges an answer before any of it is forwarded. What its head tells is
// judged at once; only an answer of which that leaves an enforcing rule undecided
// is read, up to the limit, and then the same bytes are forwarded. A withheld answer
// leaves nothing behind: its header fields, cookies among them, are not copied.
func (x *exchange) holdAnswer(resp *http.Response) error {
	x.judging.Wait() // the decision is ours from here on
	began := x.h.options.Now()
	x.inspectAnswer(nil, resp.ContentLength, false)
	found := x.policy.Evaluate(context.Background(), x.request, policy.ResponsePhase)
	x.tookSince(began)
	if found.Waits() && resp.ContentLength <= x.plan.MaxOut {
		return x.readAnswer(resp)
	}
	if _, blocks := x.decision.With(found).Blocking(); !blocks {
		x.copyAnswer(resp) // other rules judge it at its end
		return nil
	}
	x.conclude()
	return errWithheld
}

// readAnswer reads the answer up to its limit, judges it, and leaves the same bytes
// to be forwarded.
func (x *exchange) readAnswer(resp *http.Response) error {
	// Reading to the end fills in the trailer, before it is due.
	announced := make(http.Header, len(resp.Trailer))
	for name := range resp.Trailer {
		announced[name] = nil
	}
	limit := x.plan.MaxOut + 1 // one byte more than the limit tells that there is more
	x.out = newTee(resp.Body, limit, resp.ContentLength, &x.h.held)
	resp.Body = x.out
	if err := x.await(limit); err != nil {
		x.request.Response.Aborted = true
		return err
	}
	p := x.out.seal()
	began := x.h.options.Now()
	size := p.size
	if !p.ended {
		size = max(size, resp.ContentLength)
	}
	whole := p.whole && p.size <= x.plan.MaxOut
	var bytes []byte
	if whole {
		bytes = p.bytes
	}
	x.inspectAnswer(bytes, size, whole)
	x.conclude()
	x.tookSince(began)
	switch {
	case x.done:
		return errWithheld
	case int64(len(p.bytes)) != p.size:
		// The copy was given up for want of memory, and nothing blocked that: an
		// exception or insecure_fail_open covers it. What is gone cannot be sent.
		x.fail(http.StatusServiceUnavailable)
		return errWithheld
	}
	trailer := resp.Trailer
	if len(announced) == 0 {
		announced = nil
	}
	resp.Trailer = announced
	resp.Body = &heldAnswer{
		unsent: p.bytes, out: x.out, whole: whole, ended: func() { resp.Trailer = trailer },
	}
	return nil
}

// await reads up to n bytes of the answer within the time for it.
func (x *exchange) await(n int64) error {
	late := func() bool { return false }
	if d := x.h.options.AnswerTimeout; d > 0 {
		// Closing the body from beside ends a read of it.
		timer := time.AfterFunc(d, func() { _ = x.out.Close() })
		late = func() bool { return !timer.Stop() }
	}
	_, err := io.Copy(io.Discard, io.LimitReader(x.out, n))
	if late() && err != nil {
		return context.DeadlineExceeded
	}
	return err
}

// inspectAnswer takes the facts of the answer's body and runs the inspector of
// answers over a copy of it.
func (x *exchange) inspectAnswer(b []byte, size int64, whole bool) {
	resp := x.request.Response
	resp.Body.Bytes, resp.Body.Size, resp.Body.Whole = b, size, whole
	if x.plan.Out != nil && resp.Status != 0 {
		x.h.counts.inspected.Add(uint64(len(b)))
		resp.Body = x.runInspector(x.plan.Out, b, size, whole)
		resp.Body.Bytes, resp.Body.Whole, resp.Body.Inspected = b, whole, int64(len(b)) // also after a panic
	}
}

// conclude evaluates the Response phase for good, and withholds the answer if that
// blocks.
func (x *exchange) conclude() {
	x.answerDone = true
	x.decision = x.policy.Extend(context.Background(), x.request, x.decision, policy.ResponsePhase)
	x.block()
}

// heldAnswer is an answer that was judged before it is forwarded: the bytes that
// were held, then what was not read. A whole one keeps its bytes to the end, which
// is near, for its class; the memory of another is given back when its last held
// byte is on its way.
type heldAnswer struct {
	unsent []byte
	out    *tee
	whole  bool
	ended  func() // told of the end, when the trailer is due
}

// Read gives the held bytes out and then goes on with the answer itself.
func (a *heldAnswer) Read(p []byte) (int, error) {
	if len(a.unsent) == 0 {
		n, err := a.out.Read(p)
		if errors.Is(err, io.EOF) {
			a.ended()
		}
		return n, err
	}
	n := copy(p, a.unsent)
	if a.unsent = a.unsent[n:]; len(a.unsent) == 0 && !a.whole {
		a.unsent = nil
		a.out.release()
	}
	return n, nil
}

// Close closes the body.
func (a *heldAnswer) Close() error { return a.out.Close() }
