package proxy

import (
	"net/http"
	"slices"

	"github.com/sidewarden/sidewarden/policy"
)

// frameOf returns what the connection tells of the framing of its next request. A
// request of HTTP/2, whose connection nobody has to follow, has no other framing than
// that of its frames. The preface of one is no request, although net/http hands it on.
func frameOf(g *guard, req *http.Request) policy.Frame {
	if (g == nil || g.speaksHTTP2()) && req.ProtoMajor >= 2 && req.Method != "PRI" {
		return policy.Frame{Head: policy.Permitted(), Body: policy.Inapplicable()}
	}
	return g.frame()
}

// settleFraming tells the connection what the policy says of the framing of a request. A
// head at fault that passes all the same, by an exception or by the mode of its
// operation, is the last of its connection unless that can be followed further.
func (x *exchange) settleFraming() {
	head := x.request.Frame.Head
	refused := false
	if x.blocked {
		f, blocks := x.decision.Blocking()
		refused = blocks && f.Rule.Control == policy.InFrame
	}
	x.conn.judged(head, refused, enforcesFraming(x.plan))
	if head.Effect == policy.Deny && !x.blocked && x.conn.lost() {
		x.endConnection()
	}
}

// endConnection makes the answer the last of its connection where in.frame enforces for
// any operation: a gateway sends the requests of others over it, and of none could be
// said any more where it begins.
func (x *exchange) endConnection() {
	if enforcesFraming(x.policy.Unmatched) || slices.ContainsFunc(x.policy.Operations, enforcesFraming) {
		x.w.Header().Set("Connection", "close")
	}
}

// enforcesFraming reports whether in.frame enforces by a plan.
func enforcesFraming(plan *policy.Operation) bool {
	for _, rule := range plan.Rules {
		if rule.Control == policy.InFrame {
			return rule.Mode == policy.Enforce
		}
	}
	return false
}

// refuseBroken answers a request whose body could not be read to its end. Where that is
// so because it broke its framing, the policy judges it first.
func (x *exchange) refuseBroken() {
	if x.conn.bodyFault().Effect == policy.Deny && !x.judged {
		x.judge()
		if f, blocks := x.decision.Blocking(); blocks && f.Rule.Control == policy.InFrame {
			x.blocked, x.done = true, true
			writeBlocked(x.w, x.policy, x.request, x.decision, f)
			return
		}
	}
	// Where a body ends that could not be read, the next request may not begin.
	x.w.Header().Set("Connection", "close")
	x.fail(http.StatusBadRequest)
}
