package proxy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sidewarden/sidewarden/policy"
)

// DecisionHeader carries the decision id of an answer that we made, so that the
// bodies of all 401 answers can be equal.
const DecisionHeader = "Sidewarden-Decision-Id"

// problem is the body of an answer that we made (RFC 9457). It names the status,
// a stable code and a structural detail, and nothing internal.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// statusOf returns the HTTP status of an answer to a finding that blocks.
func statusOf(f policy.Finding) int {
	if f.Verdict.Effect == policy.Deny {
		if entry, ok := policy.Lookup(f.Rule.Control); ok {
			return cmp.Or(f.Verdict.Reason.Status(), entry.Status)
		}
	}
	if f.Verdict.Reason == policy.InternalError {
		return http.StatusInternalServerError
	}
	return http.StatusServiceUnavailable
}

// answerTo returns the finding that the answer names. A control that could not
// decide because another one denies says nothing of its own: a token of a wrong
// issuer is the client's fault, a 401, in whatever mode the issuer is judged.
func answerTo(d policy.Decision, f policy.Finding) policy.Finding {
	if f.Verdict.Effect != policy.Indeterminate || f.Verdict.Cause == "" {
		return f
	}
	if root, ok := d.Find(f.Verdict.Cause); ok && root.Verdict.Effect == policy.Deny {
		return root
	}
	return f
}

// writeBlocked answers a request that the finding f of the decision d, by the policy
// p, blocks.
func writeBlocked(w http.ResponseWriter, p *policy.Policy, r *policy.Request, d policy.Decision, f policy.Finding) {
	f = answerTo(d, f)
	answer := problemOf(f)
	header := w.Header()
	if f.Rule.Control == policy.InFrame {
		endConnection(header, r) // where the next request begins is a guess
	}
	switch answer.Status {
	case http.StatusUnauthorized:
		challenge(header, p, r, f)
	case http.StatusForbidden:
		if f.Verdict.Reason == policy.ScopeMissing && r.Auth.Challenge == "" {
			header.Set("WWW-Authenticate", schemeOf(p, r)+` error="insufficient_scope"`)
		}
	case http.StatusMethodNotAllowed:
		header.Set("Allow", strings.Join(r.Match.Allow, ", "))
	case http.StatusTooManyRequests:
		header.Set("Retry-After", retryAfter(f.Verdict.RetryAfter))
	case http.StatusRequestEntityTooLarge:
		endConnection(header, r) // the rest of the body is not read
	}
	write(w, r, answer)
}

// problemOf returns the answer to a finding that blocks. Of a 401 it has no code and no
// detail: an oracle would tell an attacker which check to work on. The record has the
// reason.
func problemOf(f policy.Finding) problem {
	status := statusOf(f)
	p := problem{Type: "about:blank", Title: http.StatusText(status), Status: status}
	switch {
	case status == http.StatusUnauthorized:
	case f.Verdict.Effect == policy.Deny:
		p.Code, p.Detail = string(f.Verdict.Reason), f.Verdict.Detail
	default:
		p.Code = "undecided"
	}
	return p
}

// endConnection makes an answer the last of its connection. That of HTTP/2 goes on: other
// streams are on it, and its frames tell where a body ends that nobody reads.
func endConnection(header http.Header, r *policy.Request) {
	if !strings.HasPrefix(r.Proto, "HTTP/2") {
		header.Set("Connection", "close")
	}
}

// retryAfter is delay-seconds (RFC 9110, section 10.2.3), rounded up, at least a
// second and at most a day: a limit may say that waiting cannot help.
func retryAfter(d time.Duration) string {
	d = min(max(d, time.Second), 24*time.Hour)
	return strconv.FormatInt(int64(math.Ceil(d.Seconds())), 10)
}

// writeFailure answers a request that failed without a finding behind it.
func writeFailure(w http.ResponseWriter, r *policy.Request, status int) {
	if status == http.StatusRequestTimeout {
		endConnection(w.Header(), r) // nobody waits for the rest of the body
	}
	write(w, r, problem{Type: "about:blank", Title: http.StatusText(status), Status: status})
}

// write is the one place that writes an answer of ours through net/http.
func write(w http.ResponseWriter, r *policy.Request, p problem) {
	body := p.marshal()
	p.describe(w.Header(), r, body)
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that went away is seen by the outcome's byte count
	}
}

// marshal returns the body of the answer.
func (p problem) marshal() []byte {
	body, err := json.Marshal(p)
	if err != nil { // strings and a number always marshal
		return []byte(`{"type":"about:blank"}`)
	}
	return body
}

// describe sets the header fields of every answer of ours.
func (p problem) describe(header http.Header, r *policy.Request, body []byte) {
	header.Set("Content-Type", "application/problem+json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", "no-store")
	header.Set(DecisionHeader, r.ID)
}

// wire returns the whole answer, after which the connection ends, for a request that
// net/http does not hand to a handler.
func (p problem) wire(r *policy.Request, body []byte, now time.Time) []byte {
	header := http.Header{"Connection": {"close"}, "Date": {now.UTC().Format(http.TimeFormat)}}
	p.describe(header, r, body)
	var b bytes.Buffer
	_, _ = fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", p.Status, http.StatusText(p.Status))
	_ = header.Write(&b) // a buffer takes everything
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}
