package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// pace is how slowly the bytes of a body may come. Waiting for them uses up the grace,
// and each byte earns back what it may take at the rate, up to the whole grace. So a body
// that keeps the rate takes as long as it needs, none stands still for longer than the
// grace, and one of n bytes is there, or too late, after grace + n/rate. That is unlike
// one deadline for the whole, which fails an honest upload over a slow line, and unlike
// a mean, which lets who sent much at once stand still for as long.
type pace struct {
	grace time.Duration // zero sets no bound
	rate  int64         // bytes per second; zero earns nothing back
}

// after returns what is left of the grace when n bytes came within a time of waiting. It
// may be negative.
func (p pace) after(left, waited time.Duration, n int) time.Duration {
	left -= waited
	if p.rate > 0 {
		left += time.Duration(n) * time.Second / time.Duration(p.rate)
	}
	return min(left, p.grace)
}

// pacedBody reads the body of a request at a pace. Only the time within Read counts: a
// backend that takes the bytes slowly is not put down to the client. The deadlines are
// those of the connection, or of the stream with HTTP/2, so nobody may set one after the
// request has ended, when the connection is somebody else's.
type pacedBody struct {
	body     io.ReadCloser
	pace     pace
	now      func() time.Time
	deadline func(time.Time) error
	left     time.Duration // owned by whoever reads, one at a time

	mu    sync.Mutex
	until time.Time // the deadline that stands; zero for none
	ended bool
}

func newPacedBody(body io.ReadCloser, p pace, now func() time.Time, deadline func(time.Time) error) *pacedBody {
	return &pacedBody{body: body, pace: p, now: now, deadline: deadline, left: p.grace}
}

// Read reads within the time that is left. After a failure the deadline stays: net/http
// must not wait for the rest either.
func (b *pacedBody) Read(p []byte) (int, error) {
	began := b.now()
	b.set(began.Add(b.left))
	n, err := b.body.Read(p)
	b.left = b.pace.after(b.left, b.now().Sub(began), n)
	if err == nil || errors.Is(err, io.EOF) {
		b.set(time.Time{})
	}
	return n, err
}

// Close closes the body.
func (b *pacedBody) Close() error { return b.body.Close() }

// end ends the setting of deadlines.
func (b *pacedBody) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
}

func (b *pacedBody) set(t time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended {
		b.until = t
		_ = b.deadline(t) // a writer without deadlines is not one of net/http's server
	}
}

// late reports whether the time for the body is over. It asks the clock and not the
// reader: net/http tells of a failed read by the end of the request's context first.
func (b *pacedBody) late() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.until.IsZero() && !b.now().Before(b.until)
}

// bodyPace is the pace of the bodies of requests.
func (h *Handler) bodyPace() pace {
	return pace{grace: h.options.BodyTimeout, rate: h.options.MinBodyRate}
}

// paced returns the body of the request, at a pace where something enforces. In shadow a
// body takes as long as it takes.
func (x *exchange) paced(body io.ReadCloser) io.ReadCloser {
	p := x.h.bodyPace()
	if p.grace <= 0 || !x.plan.HoldIn && !x.plan.Paced {
		return body
	}
	x.pacing = newPacedBody(body, p, x.h.options.Now, http.NewResponseController(x.w).SetReadDeadline)
	return x.pacing
}

// bodyLate reports whether the request's body came too slowly.
func (x *exchange) bodyLate() bool { return x.pacing != nil && x.pacing.late() }

// unpace leaves the deadlines of the connection alone from here on.
func (x *exchange) unpace() {
	if x.pacing != nil {
		x.pacing.end()
	}
}

// hasten bounds the time in which net/http reads what is left of a body that an answer of
// ours does not wait for. It does so before the answer and after it, up to 256 KiB each,
// without a bound of its own.
func (x *exchange) hasten() {
	unread := x.request.Body.Size != 0
	if x.bodyLate() {
		return // the deadline is there, and behind us
	}
	if x.in != nil {
		unread = !x.in.atEnd() && x.in.failure() == nil
	}
	if grace := x.h.options.BodyTimeout; grace > 0 && unread {
		_ = http.NewResponseController(x.w).SetReadDeadline(x.h.options.Now().Add(grace)) // as above
	}
}
