package proxy

import (
	"cmp"
	"encoding/json"
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
	status := statusOf(f)
	answer := problem{Type: "about:blank", Title: http.StatusText(status), Status: status}
	header := w.Header()
	switch {
	case status == http.StatusUnauthorized:
		// No code and no detail: an oracle would tell an attacker which check to
		// work on. The record has the reason.
		challenge(header, p, r, f)
	case f.Verdict.Effect == policy.Deny:
		answer.Code, answer.Detail = string(f.Verdict.Reason), f.Verdict.Detail
	default:
		answer.Code = "undecided"
	}
	switch status {
	case http.StatusForbidden:
		if f.Verdict.Reason == policy.ScopeMissing && r.Auth.Challenge == "" {
			header.Set("WWW-Authenticate", schemeOf(p, r)+` error="insufficient_scope"`)
		}
	case http.StatusMethodNotAllowed:
		header.Set("Allow", strings.Join(r.Match.Allow, ", "))
	case http.StatusTooManyRequests:
		header.Set("Retry-After", retryAfter(f.Verdict.RetryAfter))
	case http.StatusRequestEntityTooLarge:
		header.Set("Connection", "close") // the rest of the body is not read
	}
	write(w, r, answer)
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
		w.Header().Set("Connection", "close") // nobody waits for the rest of the body
	}
	write(w, r, problem{Type: "about:blank", Title: http.StatusText(status), Status: status})
}

// write is the one place that writes an answer of ours.
func write(w http.ResponseWriter, r *policy.Request, p problem) {
	body, err := json.Marshal(p)
	if err != nil { // strings and a number always marshal
		body = []byte(`{"type":"about:blank"}`)
	}
	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", "no-store")
	header.Set(DecisionHeader, r.ID)
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that went away is seen by the outcome's byte count
	}
}
