package payload

import (
	"errors"
	"strconv"

	"github.com/sidewarden/sidewarden/policy"
)

// fault is why a body is not well-formed. Its detail names a bound or a place by
// its offset in bytes, never what was sent.
type fault struct {
	reason policy.Reason
	detail string
}

func (f *fault) Error() string { return string(f.reason) + " " + f.detail }

// verdictOf returns the verdict of in.wellformed for the result of reading.
func verdictOf(err error) policy.Verdict {
	if err == nil {
		return policy.Permitted()
	}
	if f, ok := errors.AsType[*fault](err); ok {
		return policy.Denied(f.reason, f.detail)
	}
	return policy.Undecided(policy.InternalError, err)
}

func limit(n int) string { return "limit " + strconv.Itoa(n) }

func offset(n int64) string { return "offset " + strconv.FormatInt(n, 10) }
