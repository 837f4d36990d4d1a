package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"

	"go.uber.org/zap"

	"github.com/sidewarden/sidewarden/policy"
)

// answerCopyBytes is how much of an answer is copied to tell its class: an error
// envelope or an empty list is short.
const answerCopyBytes = 64 << 10

// takeBody judges the request body before it is forwarded where a Body rule
// enforces or where there is none, and else arranges for a copy.
func (x *exchange) takeBody(req *http.Request) {
	if req.Body == nil || req.Body == http.NoBody || req.ContentLength == 0 {
		defer x.clock()()
		x.inspect(req.Context(), nil, 0, true)
		x.block()
		return
	}
	if x.plan.HoldIn {
		x.holdBody(req)
		return
	}
	limit := x.plan.MaxIn
	if x.plan.In == nil {
		limit = 0 // nobody reads the copy; the bytes are only counted
	}
	x.in = newTee(req.Body, limit, req.ContentLength, &x.h.held)
	req.Body = x.in
}

// holdBody reads the body up to its limit, judges it, and leaves the same bytes
// to be forwarded. A body that is declared longer than its limit is judged
// without reading any of it.
func (x *exchange) holdBody(req *http.Request) {
	body, limit := req.Body, x.plan.MaxIn
	var p passed
	if req.ContentLength <= limit {
		// One byte more than the limit tells that there is more.
		x.in = newTee(body, limit+1, req.ContentLength, &x.h.held)
		_, err := io.Copy(io.Discard, io.LimitReader(x.in, limit+1))
		if p = x.in.seal(); err != nil {
			x.refuseBody(err)
			return
		}
	}
	stop := x.clock()
	if p.whole && p.size <= limit {
		x.inspect(req.Context(), p.bytes, p.size, true)
	} else {
		x.inspect(req.Context(), nil, max(req.ContentLength, p.size), false)
	}
	x.block()
	stop()
	if !x.done {
		x.passHeld(req, body, p)
	}
}

// passHeld puts the body together again: what was read, then what was not.
func (x *exchange) passHeld(req *http.Request, rest io.ReadCloser, p passed) {
	read := int64(len(p.bytes))
	switch {
	case read != p.size:
		// The copy was given up for want of memory, and nothing blocked that: an
		// exception or insecure_fail_open covers it. What is gone cannot be sent.
		x.fail(http.StatusServiceUnavailable)
	case p.ended && read == 0:
		req.Body, req.ContentLength, req.TransferEncoding = http.NoBody, 0, nil
	case p.ended:
		req.Body = io.NopCloser(bytes.NewReader(p.bytes))
		req.ContentLength, req.TransferEncoding = read, nil
	case read > 0:
		req.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(p.bytes), rest), rest}
	}
}

// refuseBody answers a request whose body could not be read: its framing is
// broken or its client went away.
func (x *exchange) refuseBody(err error) {
	x.h.options.Log.Debug("the request body could not be read", zap.String("decision_id", x.request.ID), zap.Error(err))
	x.judged = true // there is nothing to judge
	x.fail(http.StatusBadRequest)
}

// fail answers with a bare status problem; no finding is behind it.
func (x *exchange) fail(status int) {
	x.failed, x.done = true, true
	if x.w.status == 0 {
		writeFailure(x.w, x.request, status)
	}
}

// forward sends the request to the backend and its answer to the client. The
// reverse proxy is made per request, so that its hooks reach the exchange as
// arguments do and not through a context.
func (x *exchange) forward(req *http.Request) {
	x.forwardedAt = x.h.options.Now()
	x.request.Response = &policy.Response{}
	x.outcome.Instance = x.h.options.Backend.Host
	p := &httputil.ReverseProxy{
		Rewrite:        x.rewrite,
		ModifyResponse: x.answered,
		ErrorHandler:   x.unanswered,
		Transport:      x.h.options.Transport,
		BufferPool:     x.h.buffers,
		ErrorLog:       x.h.quiet, // what it would say is in the outcome
	}
	p.ServeHTTP(x.w, req)
}

// rewrite aims the request at the backend and puts back what ReverseProxy took
// away before calling it: forwarding headers and query pairs that net/url cannot
// parse.
func (x *exchange) rewrite(p *httputil.ProxyRequest) {
	backend := x.h.options.Backend
	p.Out.URL.Scheme, p.Out.URL.Host = backend.Scheme, backend.Host
	p.Out.Host = p.In.Host
	p.Out.URL.RawQuery, p.Out.URL.ForceQuery = p.In.URL.RawQuery, p.In.URL.ForceQuery
	if isOrigin(p.In) {
		p.Out.URL.Opaque = x.request.Path
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values, ok := p.In.Header[name]; ok && !namedByConnection(p.In.Header, name) {
			p.Out.Header[name] = values
		}
	}
}

// namedByConnection reports whether the client made a header hop-by-hop (RFC 9110
// 7.6.1), which removes it for every proxy.
func namedByConnection(h http.Header, name string) bool {
	for _, v := range h["Connection"] {
		for token := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(token), name) {
				return true
			}
		}
	}
	return false
}

// answered takes the facts of the backend's answer.
func (x *exchange) answered(resp *http.Response) error {
	x.outcome.Backend = x.h.options.Now().Sub(x.forwardedAt)
	for _, name := range []string{"Date", "Content-Type"} {
		if _, ok := resp.Header[name]; !ok {
			x.w.Header()[name] = nil // else net/http makes one up
		}
	}
	facts := x.request.Response
	facts.Status, facts.Header = resp.StatusCode, resp.Header
	facts.Body.Size = resp.ContentLength
	if name := x.h.options.InstanceHeader; name != "" {
		if instance := resp.Header.Get(name); instance != "" {
			x.outcome.Instance = instanceOf(instance)
		}
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		x.w.status = resp.StatusCode // it is written to the hijacked connection
		return nil                   // and its body is that connection
	}
	limit := int64(0)
	if telling(resp.Header) && x.request.Method != http.MethodHead {
		limit = answerCopyBytes
	}
	x.out = newTee(resp.Body, limit, resp.ContentLength, &x.h.held)
	resp.Body = x.out
	return nil
}

// telling reports whether a copy of the body can tell the class of the answer.
func telling(h http.Header) bool {
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return false
	}
	return media == "application/json" || strings.HasSuffix(media, "+json") || media == "text/html"
}

// instanceOf bounds what a backend may call itself in records and cells.
func instanceOf(name string) string {
	const longest = 64
	if len(name) > longest {
		return "invalid"
	}
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("._:-", c) >= 0:
		default:
			return "invalid"
		}
	}
	return name
}

// unanswered answers when the backend did not: 400 for a body that its client
// broke, 504 for a backend that was too slow, 502 for every other failure.
func (x *exchange) unanswered(_ http.ResponseWriter, req *http.Request, err error) {
	x.outcome.Backend = x.h.options.Now().Sub(x.forwardedAt)
	status := http.StatusBadGateway
	var timeout net.Error
	switch {
	case x.bodyBroke(req.Context()):
		status = http.StatusBadRequest
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		status = http.StatusGatewayTimeout
	}
	x.h.options.Log.Debug("the backend did not answer", zap.String("decision_id", x.request.ID), zap.Error(err))
	x.fail(status)
}

// bodyBroke reports whether the exchange failed because the client's body could
// not be read.
func (x *exchange) bodyBroke(ctx context.Context) bool {
	if x.in == nil || ctx.Err() != nil {
		return false
	}
	x.in.mu.Lock()
	defer x.in.mu.Unlock()
	return x.in.err != nil
}
