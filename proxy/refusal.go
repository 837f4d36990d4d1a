package proxy

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/sidewarden/sidewarden/policy"
)

// Refusals counts what was refused before a handler saw it, and what could not be
// followed.
type Refusals struct {
	head, malformed, expectation, handshake, other atomic.Uint64
	blind                                          atomic.Uint64
}

// Counts returns the refusals by reason, a closed set: "head-too-large" (431),
// "malformed" (400), "expectation" (417, an Expect other than 100-continue),
// "handshake" (of TLS, failed or too slow) and "other".
func (r *Refusals) Counts() map[string]uint64 {
	return map[string]uint64{
		"head-too-large": r.head.Load(),
		"malformed":      r.malformed.Load(),
		"expectation":    r.expectation.Load(),
		"handshake":      r.handshake.Load(),
		"other":          r.other.Load(),
	}
}

// Blind counts the connections that go on although nobody can tell any more where their
// requests begin and end.
func (r *Refusals) Blind() uint64 { return r.blind.Load() }

// count counts an answer of net/http itself.
func (r *Refusals) count(status string) {
	switch status {
	case "431":
		r.head.Add(1)
	case "400":
		r.malformed.Add(1)
	case "417":
		r.expectation.Add(1)
	default:
		r.other.Add(1)
	}
}

// refusal is an answer that net/http wants to give by itself.
type refusal struct {
	peer, status string
	// head is what in.frame says of what was refused; undecided without a reason if
	// that is none of its business.
	head policy.Verdict
	// bodiless reports that the answer may have no body.
	bodiless bool
}

// statusCode returns the three digits of a status line, or nothing.
func statusCode(b []byte) string {
	if len(b) > 12 && bytes.HasPrefix(b, []byte("HTTP/1.")) && b[8] == ' ' {
		return string(b[9:12])
	}
	return ""
}

// ownAnswer reports whether b is an answer that net/http writes without a handler.
// All but one have these two fields and no Date, which every answer of a handler
// has. The one, to an Expect that it does not know, has Connection before the
// Date; an answer of a handler that this proxy forwards has it behind.
func ownAnswer(b []byte, status string) bool {
	_, header, _ := bytes.Cut(b, []byte("\r\n"))
	switch {
	case status == "417":
		return bytes.HasPrefix(header, []byte("Connection: close\r\nDate: "))
	case strings.HasPrefix(status, "4"), strings.HasPrefix(status, "5"):
		return bytes.HasPrefix(header, []byte("Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"))
	}
	return false
}

// refused counts an answer of net/http itself and tells the observer of a request that
// no handler sees. Where in.frame enforces for requests that match nothing, it returns
// the answer to give in its place; nil else.
func (l *Listener) refused(f refusal) []byte {
	l.Refusals.count(f.status)
	status, err := strconv.Atoi(f.status)
	if err != nil {
		status = http.StatusBadRequest
	}
	r := &policy.Request{
		ID: l.NewID(), Time: l.Now(), Peer: peerOf(f.peer), Header: http.Header{},
		Frame: policy.Frame{Head: f.head, Body: policy.Inapplicable()},
	}
	r.Source = r.Peer.Addr
	outcome := policy.Outcome{Disposition: policy.Failed, Status: status, Class: policy.ClassNone}
	p := l.Policy()
	outcome.Policy = p.Digest
	decision := framing(p, f.head)
	finding, blocks := decision.Blocking()
	if !blocks {
		l.Observer.Observe(r, decision, outcome)
		return nil
	}
	outcome.Disposition, outcome.Status = policy.Blocked, statusOf(finding)
	answer := problemOf(finding)
	body := answer.marshal()
	if f.bodiless {
		body = nil
	}
	outcome.Sent = int64(len(body))
	l.Observer.Observe(r, decision, outcome)
	return answer.wire(r, body, l.Now())
}

// framing returns the decision about a request of which only its framing is known. No
// exception counts: there is nothing that could be forwarded.
func framing(p *policy.Policy, head policy.Verdict) policy.Decision {
	if head.Effect != policy.Deny {
		return policy.Decision{}
	}
	for _, rule := range p.Unmatched.Rules {
		if rule.Control == policy.InFrame && rule.Phase == policy.HeadPhase {
			return policy.Decision{Findings: []policy.Finding{{Rule: rule, Verdict: head}}}
		}
	}
	return policy.Decision{}
}
