package compile

import (
	"context"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/message"
	"github.com/sidewarden/sidewarden/policy/payload"
)

// size is the check of in.size: of the head first, then of the body. It is one check, so
// that a request has one verdict of the control.
type size struct {
	head message.HeadSize
	body payload.Size
}

// Check implements [policy.Check]. A head within its bounds says nothing by itself: then
// the verdict is that of the body.
func (s size) Check(ctx context.Context, r *policy.Request) policy.Verdict {
	if v := s.head.Check(ctx, r); v.Effect != policy.Permit {
		return v
	}
	return s.body.Check(ctx, r)
}

// sizeOf returns the check of in.size. What takes off a content coding is the inspector
// of an operation that declares a body.
func (c *compiler) sizeOf(p *planned) size {
	s := size{
		head: message.HeadSize{MaxBytes: int(c.cfg.Message.MaxHeaderBytes), MaxFields: c.cfg.Message.MaxHeaderFields},
		body: payload.Size{MaxBytes: p.operation.MaxIn},
	}
	if p.contract.BodyDeclared && c.unpacks() {
		s.body.MaxInflation = c.cfg.Payload.MaxInflation
	}
	return s
}
