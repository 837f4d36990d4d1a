package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"strings"

	"go.uber.org/zap"

	"github.com/sidewarden/sidewarden/policy"
)

// answerCopyBytes is how much of an answer is copied to tell its class: an error
// envelope or an empty list is short.
const answerCopyBytes = 64 << 10

// fail answers with a bare status problem; no finding is behind it.
func (x *exchange) fail(status int) {
	x.failed, x.done = true, true
	if x.w.status == 0 {
		x.hasten()
		writeFailure(x.w, x.request, status)
	}
}

// forward sends the request to the backend and its answer to the client. The
// reverse proxy is made per request, so that its hooks reach the exchange as
// arguments do and not through a context.
func (x *exchange) forward(req *http.Request) {
	x.forwardedAt = x.h.options.Now()
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
	x.request.Response = &policy.Response{} // from here on what fails is the backend's, unless shown otherwise
	x.outcome.Instance = backend.Host
	p.Out.URL.Scheme, p.Out.URL.Host = backend.Scheme, backend.Host
	p.Out.Host = p.In.Host
	p.Out.URL.RawQuery, p.Out.URL.ForceQuery = p.In.URL.RawQuery, p.In.URL.ForceQuery
	switch prefix := x.h.options.PathPrefix; {
	case prefix != "" && p.In.Method != http.MethodConnect && strings.HasPrefix(x.request.Path, "/"):
		p.Out.URL.Opaque = prefix + x.request.Path
	case isOrigin(p.In):
		p.Out.URL.Opaque = x.request.Path
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values, ok := x.request.Header[name]; ok {
			p.Out.Header[name] = values
		}
	}
	x.strip(p.Out)
	x.introduce(p.Out)
}

// answered takes the facts of the backend's answer.
func (x *exchange) answered(resp *http.Response) error {
	x.outcome.Backend = x.h.options.Now().Sub(x.forwardedAt)
	// Without this net/http would guess a Content-Type. It may add a Date (RFC 9110
	// 6.6.1), by which a guard knows the answers of handlers.
	if _, ok := resp.Header["Content-Type"]; !ok {
		x.w.Header()["Content-Type"] = nil
	}
	if x.conn.bodyFault().Effect == policy.Deny {
		x.endUnfollowed()
	}
	facts := x.request.Response
	facts.Status, facts.Header = resp.StatusCode, resp.Header
	facts.TLS = backendHop(resp.TLS)
	x.h.seeConnectionAuth(resp.Header)
	facts.Body.Size = resp.ContentLength
	if name := x.h.options.InstanceHeader; name != "" {
		if instance := resp.Header.Get(name); instance != "" {
			x.outcome.Instance = instanceOf(instance)
		}
	}
	x.judgeBeside()
	if x.plan.HoldOut {
		return x.holdAnswer(resp)
	}
	x.copyAnswer(resp)
	return nil
}

// copyAnswer arranges for a copy of the answer while it streams through: what can
// tell its class, and what the inspector of answers can read. What passes a tunnel
// is not copied.
func (x *exchange) copyAnswer(resp *http.Response) {
	if resp.StatusCode == http.StatusSwitchingProtocols {
		x.tunnel = resp.Body
		x.unpace() // what follows is not HTTP, and the connection is the tunnel's
		return
	}
	limit := int64(0)
	if x.request.Method != http.MethodHead {
		media, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
		media = strings.ToLower(textproto.TrimString(media))
		json := media == "application/json" || strings.HasSuffix(media, "+json") || media == "text/json"
		if json || media == "text/html" {
			limit = answerCopyBytes
		}
		if x.plan.Out != nil && json && !policy.Coded(resp.Header) {
			limit = max(limit, x.plan.MaxOut)
		}
	}
	x.out = newTee(resp.Body, limit, resp.ContentLength, &x.h.held)
	if limit > answerCopyBytes {
		x.out.expire(pace{grace: x.h.options.AnswerTimeout}, x.h.options.Now)
	}
	resp.Body = x.out
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
// broke, 408 for one that came too slowly, 504 for a backend that was too slow, 502 for every other failure. What
// the client did is not put down to the backend: then there is no response, and a
// client that went away gets nothing.
func (x *exchange) unanswered(_ http.ResponseWriter, req *http.Request, err error) {
	if r := x.request.Response; r == nil || r.Status == 0 {
		x.outcome.Backend = x.h.options.Now().Sub(x.forwardedAt)
		if r != nil {
			r.TLS = backendFault(err)
		}
	}
	x.h.options.Log.Debug("the backend did not answer", zap.String("decision_id", x.request.ID), zap.Error(err))
	x.judging.Wait()
	switch {
	case x.done: // the answer was withheld
	case x.tunnel != nil:
		x.untunnelled(x.request.Response)
	case x.bodyBroke() && x.conn.bodyFault().Effect == policy.Deny:
		// The client is there. That its body ends with an error has ended the context.
		x.request.Response = nil
		x.refuseBroken()
	case x.bodyLate():
		x.request.Response = nil
		x.fail(http.StatusRequestTimeout)
	case req.Context().Err() != nil:
		x.request.Response = nil
		panic(http.ErrAbortHandler) // returning would answer 200 to a client that closed only its side
	case x.bodyBroke():
		x.request.Response = nil
		x.refuseBroken()
	case isTimeout(err):
		x.fail(http.StatusGatewayTimeout)
	default:
		x.fail(http.StatusBadGateway)
	}
}

// untunnelled ends an upgrade that the backend accepted and that came to nothing:
// nobody had asked for it, or the client went away before it was told.
func (x *exchange) untunnelled(facts *policy.Response) {
	_ = x.tunnel.Close() // ReverseProxy leaves it open
	if x.w.hijacked {
		x.failed, x.done, x.w.status = true, true, 0
		return
	}
	facts.Aborted = true
	x.fail(http.StatusBadGateway)
}

// bodyBroke reports whether the client's body could not be read.
func (x *exchange) bodyBroke() bool { return x.in != nil && x.in.failure() != nil }

// isTimeout reports whether an operation took longer than it may.
func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}
