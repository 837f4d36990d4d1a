package proxy

import (
	"context"
	"io"
	"maps"
	"net/http"

	"go.uber.org/zap"
)

// takeBody judges the request body before it is forwarded where a Body rule
// enforces or where there is none, and else arranges for a copy. A chunked body
// counts as one even if it turns out to be empty: only waiting for it could tell.
func (x *exchange) takeBody(req *http.Request) {
	if req.Body == nil || req.Body == http.NoBody || req.ContentLength == 0 {
		start := x.h.options.Now()
		x.inspect(req.Context(), nil, 0, true)
		x.block()
		x.tookSince(start)
		return
	}
	req.Body = x.paced(req.Body)
	if x.plan.HoldIn {
		x.holdBody(req)
		return
	}
	limit := x.plan.MaxIn
	if x.plan.In == nil {
		limit = 0 // nobody reads the copy; the bytes are only counted
	}
	x.in = newTee(req.Body, limit, req.ContentLength, &x.h.held)
	x.in.expire(x.h.bodyPace(), x.h.options.Now)
	req.Body = x.in
}

// holdBody reads the body up to its limit, judges it, and leaves the same bytes
// to be forwarded. A body that is declared longer than its limit is judged
// without reading any of it.
func (x *exchange) holdBody(req *http.Request) {
	x.held = true
	limit := x.plan.MaxIn
	// Reading to the end fills in the trailer. A bare proxy announces it and then
	// sends none, and nobody has judged it.
	announced := maps.Clone(req.Trailer)
	x.in = newTee(req.Body, limit+1, req.ContentLength, &x.h.held)
	if req.ContentLength <= limit {
		// One byte more than the limit tells that there is more.
		if _, err := io.Copy(io.Discard, io.LimitReader(x.in, limit+1)); err != nil {
			x.refuseBody(err)
			return
		}
	}
	p := x.in.seal()
	start := x.h.options.Now()
	if p.whole && p.size <= limit {
		x.inspect(req.Context(), p.bytes, p.size, true)
	} else {
		x.inspect(req.Context(), nil, max(req.ContentLength, p.size), false)
	}
	x.block()
	x.tookSince(start)
	if x.done {
		return
	}
	if int64(len(p.bytes)) != p.size {
		// The copy was given up for want of memory, and nothing blocked that: an
		// exception or insecure_fail_open covers it. What is gone cannot be sent.
		x.fail(http.StatusServiceUnavailable)
		return
	}
	x.request.Body.Bytes = nil // heldBody gives the memory back before the request ends
	req.Body, req.Trailer = &heldBody{unsent: p.bytes, in: x.in}, announced
}

// refuseBody answers a request whose body could not be read: it came too slowly,
// its framing is broken or its client went away.
func (x *exchange) refuseBody(err error) {
	x.h.options.Log.Debug("the request body could not be read", zap.String("decision_id", x.request.ID), zap.Error(err))
	if isTimeout(err) {
		x.fail(http.StatusRequestTimeout)
		return
	}
	x.refuseBroken()
}

// heldBody is a body that was judged before it is forwarded: the bytes that were
// held, then what was not read. The memory is given back when the last held byte
// is on its way and not at the end of the answer, which may be a long stream.
type heldBody struct {
	unsent []byte
	in     *tee
}

// Read gives the held bytes out and then goes on with the body itself.
func (b *heldBody) Read(p []byte) (int, error) {
	if len(b.unsent) == 0 {
		return b.in.Read(p)
	}
	n := copy(p, b.unsent)
	if b.unsent = b.unsent[n:]; len(b.unsent) == 0 {
		b.unsent = nil
		b.in.release()
	}
	return n, nil
}

// Close closes the body.
func (b *heldBody) Close() error { return b.in.Close() }

// judgeBeside judges a body that went through whole while its answer is copied.
// The answer may be a long stream, for which no copy should be kept; and its head
// must not wait for our inspection, so the work is done beside it. Until
// x.judging is waited for, the decision and the body's facts belong to that work.
func (x *exchange) judgeBeside() {
	if x.in == nil || x.held || x.plan.In == nil || !x.in.atEnd() {
		return
	}
	x.judging.Go(func() { x.guard("judge", x.judge) })
}

// judge judges a body that streamed through, as far as it came, and gives its
// copy back.
func (x *exchange) judge() {
	p := x.in.seal()
	size := x.request.Body.Size
	if p.ended {
		size = p.size
	}
	if size < 0 && p.size > x.plan.MaxIn {
		size = p.size // not at its end, yet already too long
	}
	x.inspect(context.Background(), p.bytes, size, p.whole)
	x.request.Body.Bytes = nil
	x.in.release()
}
