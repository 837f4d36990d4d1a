package payload

import (
	"context"
	"strconv"

	"github.com/sidewarden/sidewarden/policy"
)

// Size is the check of in.size: the body is not larger than a bound. A declared
// length is judged without reading; an undeclared one when the body was counted.
// Without a body it does not apply.
type Size struct {
	// MaxBytes is the largest body that is permitted, in bytes. Zero denies every
	// body.
	MaxBytes int64
	// MaxInflation is how many times as long as the body its content may be, where
	// content codings are taken off: those of [Declared.Unpacking]. MaxBytes bounds the
	// content too. Zero where none are.
	MaxInflation int
}

var _ policy.Check = Size{}

// Check implements [policy.Check]. It denies with body-too-large, and with
// inflated-too-large where only the content is too large; the detail is the bound. It is
// undecided, not-inspected, while the length is not known.
func (c Size) Check(_ context.Context, r *policy.Request) policy.Verdict {
	if !r.HasBody() {
		return policy.Inapplicable()
	}
	switch n := sizeOf(&r.Body); {
	case n > c.MaxBytes:
		return policy.Denied(policy.BodyTooLarge, "limit "+strconv.FormatInt(c.MaxBytes, 10))
	case r.Body.Size < 0 && !r.Body.Whole:
		return policy.Undecided(policy.NotInspected, nil)
	case c.MaxInflation > 0 && isGzip(r.Header):
		return c.inflated(&r.Body)
	}
	return policy.Permitted()
}

// sizeOf returns the least size that the body is known to have.
func sizeOf(body *policy.Body) int64 { return max(body.Size, int64(len(body.Bytes))) }

// WellFormed is the check of in.wellformed: a body that is JSON, XML, a form or
// multipart is well-formed, and all parsers read it alike; a content coding that is taken
// off is what its name says. It judges the fact of the [Inspector]. Without a body, and
// for other types, it does not apply.
type WellFormed struct{}

var _ policy.Check = WellFormed{}

// Check implements [policy.Check]. It denies with a json-*, xml-*, form-* or
// multipart-* reason or coding-malformed, and is undecided by in.size or in.ctype, or
// not-inspected when the body was not read whole.
func (WellFormed) Check(_ context.Context, r *policy.Request) policy.Verdict {
	if !r.HasBody() {
		return policy.Inapplicable()
	}
	if v := r.Body.WellFormed; v.Reason != "" || v.Passes() {
		return v
	}
	if v, missing := r.Match.Missing(); missing {
		return v
	}
	return policy.Undecided(policy.NotInspected, nil)
}
