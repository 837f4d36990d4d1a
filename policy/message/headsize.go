package message

import (
	"context"
	"strconv"

	"github.com/sidewarden/sidewarden/policy"
)

// HeadSize judges for in.size the head of a request: request line and header fields
// together are not larger than a bound, and there are not more fields than another. It
// counts what is forwarded, so it says of HTTP/1 and HTTP/2 the same: a field is its name,
// its value and four bytes more, as in a line of HTTP/1 (RFC 9112 section 5), and a field
// that was sent several times counts as often.
type HeadSize struct {
	// MaxBytes is the largest head that is permitted, in bytes, and MaxFields the most
	// fields. Zero denies every head.
	MaxBytes, MaxFields int
}

var _ policy.Check = HeadSize{}

// Check implements [policy.Check]. It denies with header-too-large, or with
// header-too-many-fields where only their number is over; the detail is the bound.
func (c HeadSize) Check(_ context.Context, r *policy.Request) policy.Verdict {
	size, fields := HeadOf(r)
	switch {
	case size > c.MaxBytes:
		return policy.Denied(policy.HeaderTooLarge, "limit "+strconv.Itoa(c.MaxBytes))
	case fields > c.MaxFields:
		return policy.Denied(policy.HeaderTooManyFields, "limit "+strconv.Itoa(c.MaxFields))
	}
	return policy.Permitted()
}

// HeadOf returns how many bytes the head of a request has and how many header fields, as
// [HeadSize] counts them. Host, which is no part of Header, is one of them.
func HeadOf(r *policy.Request) (size, fields int) {
	const line = 4 // colon, space and the end of the line
	size = len(r.Method) + len(r.Target) + len(r.Proto) + line
	if r.Host != "" {
		size, fields = size+len("Host")+len(r.Host)+line, 1
	}
	for name, values := range r.Header {
		fields += len(values)
		for _, v := range values {
			size += len(name) + len(v) + line
		}
	}
	return size, fields
}
