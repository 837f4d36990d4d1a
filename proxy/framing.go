package proxy

import (
	"net/http"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// frameOf returns what the connection tells of the framing of its next request. A
// request of HTTP/2, whose connection nobody has to follow, has no other framing than
// that of its frames. The preface of one is no request, although net/http hands it on.
func frameOf(g *guard, req *http.Request) policy.Frame {
	if (g == nil || g.speaksHTTP2()) && req.ProtoMajor >= 2 && req.Method != "PRI" {
		f := policy.Frame{Head: policy.Permitted(), Body: policy.Inapplicable()}
		if expect := req.Header["Expect"]; len(expect) > 0 && !strings.EqualFold(expect[0], "100-continue") {
			f.Head = policy.Denied(policy.FrameExpectation, "") // net/http itself refuses it in HTTP/1 alone
		}
		return f
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
		x.endUnfollowed()
	}
}

// endUnfollowed makes the answer the last of its connection where in.frame enforces for
// any operation: a gateway sends the requests of others over it, and of none could be
// said any more where it begins.
func (x *exchange) endUnfollowed() {
	if enforcesFraming(x.policy.Unmatched) || slices.ContainsFunc(x.policy.Operations, enforcesFraming) {
		endConnection(x.w.Header(), x.request)
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
	endConnection(x.w.Header(), x.request)
	x.fail(http.StatusBadRequest)
}
