package payload

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// maxKeptInflated bounds what an inflater keeps for the next body, in bytes.
const maxKeptInflated = 64 << 10

// isGzip reports whether a message has the content coding gzip (RFC 1952) and no
// other. Of the registered codings it is the one that every implementation reads alike:
// deflate is sent with and without its wrapper, and x-gzip is no name of today.
func isGzip(h http.Header) bool {
	sent := h["Content-Encoding"]
	return len(sent) == 1 && strings.EqualFold(strings.Trim(sent[0], " \t"), "gzip")
}

// unpacked reads the content of a body under its content coding, for inspection alone:
// what is forwarded stays as it was sent. Body gets the facts that in.size judges. The
// verdict is that of in.wellformed on the coding, or undecided by in.size when
// the content is over a bound, beyond which nothing of it was unpacked.
func (in *Inspector) unpacked(z *inflater, body *policy.Body) ([]byte, policy.Verdict) {
	size := Size{MaxBytes: in.options.MaxBytes, MaxInflation: in.options.Declared.maxInflation}
	content, err := z.inflate(body.Bytes, size.mostInflated(int64(len(body.Bytes))))
	body.Unpacked, body.Inflated = true, int64(len(content))
	switch {
	case size.inflated(body).Effect == policy.Deny:
		return nil, policy.UndecidedBy(policy.InSize)
	case err != nil:
		return nil, verdictOf(err)
	}
	return content, policy.Permitted()
}

// mostInflated is how long the content of a body may be.
func (c Size) mostInflated(sent int64) int64 {
	if limit := int64(c.MaxInflation); sent <= c.MaxBytes/limit {
		return sent * limit
	}
	return c.MaxBytes
}

// inflated judges the content of a body with a content coding.
func (c Size) inflated(body *policy.Body) policy.Verdict {
	switch {
	case !body.Unpacked:
		return policy.Undecided(policy.NotInspected, nil)
	case body.Inflated > c.MaxBytes:
		return policy.Denied(policy.InflatedTooLarge, limit(int(c.MaxBytes)))
	case body.Inflated > c.mostInflated(sizeOf(body)):
		return policy.Denied(policy.InflatedTooLarge, "ratio, "+limit(c.MaxInflation))
	}
	return policy.Permitted()
}

// inflater unpacks one body after another and keeps its memory. It is not safe for
// concurrent use.
type inflater struct {
	source  bytes.Reader
	reader  gzip.Reader
	content []byte
}

// inflate unpacks a body of coding gzip up to one byte more than most. It refuses what
// two implementations could read differently: a second member, or anything else,
// behind the first, and reserved flags. The content is valid until the next call.
func (z *inflater) inflate(b []byte, most int64) ([]byte, error) {
	z.content = z.content[:0]
	z.source.Reset(b)
	if err := z.reader.Reset(&z.source); err != nil {
		return nil, codingFault(err)
	}
	const flags, reserved = 3, 0xe0 // RFC 1952, section 2.3.1
	if b[flags]&reserved != 0 {
		return nil, &fault{policy.CodingMalformed, "header"}
	}
	z.reader.Multistream(false)
	z.content = slices.Grow(z.content, int(min(claimed(b), most)+1))
	for int64(len(z.content)) <= most {
		if len(z.content) == cap(z.content) {
			z.content = append(z.content, 0)[:len(z.content)]
		}
		end := min(int64(cap(z.content)), most+1)
		n, err := z.reader.Read(z.content[len(z.content):end])
		z.content = z.content[:len(z.content)+n]
		switch {
		case errors.Is(err, io.EOF) && z.source.Len() > 0:
			return z.content, &fault{policy.CodingMalformed, "trailing data"}
		case errors.Is(err, io.EOF):
			return z.content, nil
		case err != nil:
			return z.content, codingFault(err)
		}
	}
	return z.content, nil
}

// claimed returns how long the content is by the last word of the body (RFC 1952, section
// 2.3.1), which nobody has checked yet.
func claimed(b []byte) int64 {
	if len(b) < 4 {
		return 0
	}
	return int64(binary.LittleEndian.Uint32(b[len(b)-4:]))
}

// forget drops the body, and reports whether the inflater is worth keeping.
func (z *inflater) forget() bool {
	z.source.Reset(nil)
	return cap(z.content) <= maxKeptInflated
}

// codingFault turns an error of the decompressor into a fault.
func codingFault(err error) error {
	detail := "data"
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		detail = "truncated"
	case errors.Is(err, gzip.ErrHeader):
		detail = "header"
	case errors.Is(err, gzip.ErrChecksum):
		detail = "checksum"
	}
	return &fault{policy.CodingMalformed, detail}
}
