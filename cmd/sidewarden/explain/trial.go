package explain

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/proxy"
)

// trialTime bounds one trial. Nothing in it waits for anybody but itself.
const trialTime = 30 * time.Second

// maxAnswer bounds what is read of an answer; ours are short.
const maxAnswer = 64 << 10

// trial is what became of the request under one policy.
type trial struct {
	// request has no method when the server refused the message before any control but
	// in.frame, and is nil when nobody looked.
	request   *policy.Request
	decision  policy.Decision
	forwarded bool
	// stripped are the header fields that were taken away before it was forwarded.
	stripped []string
	status   int
	header   http.Header
	body     []byte
}

// witness is the observer and the backend of one trial. The handler has ended when
// its fields are read.
type witness struct {
	policy    *policy.Policy
	request   *policy.Request
	decision  policy.Decision
	forwarded bool
	stripped  []string
}

// Observe implements [policy.Observer].
func (w *witness) Observe(r *policy.Request, d policy.Decision, o policy.Outcome) {
	w.request, w.decision = r, d
	if o.Stripped > 0 {
		w.stripped = w.policy.Plan(r).Strip.Strip(r)
	}
}

var errNoBackend = errors.New("no backend is asked")

// RoundTrip takes the whole request, as a backend does, and answers nothing.
func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	w.forwarded = true
	if r.Body != nil {
		_, err := io.Copy(io.Discard, r.Body)
		if err = errors.Join(err, r.Body.Close()); err != nil {
			return nil, err
		}
	}
	return nil, errNoBackend
}

// try sends the message to a handler with the policy p.
func try(ctx context.Context, m Message, p *policy.Policy, o Options) (trial, error) {
	w := &witness{policy: p}
	options := o.Proxy
	options.Policy, options.Observer, options.Transport = p, w, w
	options.Now = func() time.Time { return o.At }
	options.NewID = func() string { return "explained" }
	options.Log = zap.NewNop()
	options.BodyTimeout = 0 // the clock stands, and nobody sends slowly
	handler := proxy.New(options)
	server := proxy.NewServer(proxy.Certified(handler, o.Certificates), o.Bounds, options.Log)
	server.SetKeepAlivesEnabled(false) // what stands behind the message is not the one that is explained

	ctx, cancel := context.WithTimeout(ctx, trialTime)
	defer cancel()
	peer := o.Peer
	if !peer.IsValid() {
		peer = loopback()
	}
	listener := newListener(peer)
	var serving sync.WaitGroup
	guarded := &proxy.Listener{
		Listener: listener, HeadBytes: o.Bounds.HeadBytes, Refusals: &proxy.Refusals{}, Observer: w,
		Policy: handler.Policy, Now: options.Now, NewID: options.NewID,
	}
	serving.Go(func() { _ = server.Serve(guarded) }) // it ends with Close below
	t, err := exchange(ctx, listener.client, m)
	err = errors.Join(err, handler.Wait(ctx), server.Close(), listener.Close())
	serving.Wait()
	if err != nil {
		return trial{}, fmt.Errorf("the request could not be tried: %w", err)
	}
	t.request, t.decision, t.forwarded, t.stripped = w.request, requestPhases(w.decision), w.forwarded, w.stripped
	return t, nil
}

// requestPhases leaves out what is said of an answer, which there was not.
func requestPhases(d policy.Decision) policy.Decision {
	var kept policy.Decision
	for _, f := range d.Findings {
		if f.Rule.Phase != policy.ResponsePhase {
			kept.Findings = append(kept.Findings, f)
		}
	}
	return kept
}

// exchange sends a message and reads its final answer.
func exchange(ctx context.Context, c net.Conn, m Message) (trial, error) {
	var sending sync.WaitGroup
	defer sending.Wait()
	defer func() { _ = c.Close() }() // ends the sending of what the server does not read
	if deadline, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(deadline); err != nil {
			return trial{}, err
		}
	}
	sending.Go(func() { _, _ = c.Write(m.raw) }) // a server that answers early reads no further
	from := bufio.NewReader(io.LimitReader(c, maxAnswer))
	for {
		resp, err := http.ReadResponse(from, &http.Request{Method: m.method})
		if err != nil {
			return trial{}, err
		}
		body, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			return trial{}, err
		}
		if resp.StatusCode >= http.StatusOK { // not 100 Continue
			return trial{status: resp.StatusCode, header: resp.Header, body: body}, nil
		}
	}
}
