package proxy

import (
	"net/http"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"
)

// connectionAuth counts what a backend asks for and cannot get: NTLM, and often
// Negotiate, authenticate the connection and not the request (RFC 4559 section 6), while
// the connections to the backend are shared by all clients.
type connectionAuth struct {
	ntlm, negotiate atomic.Uint64
	warned          sync.Once
}

func (a *connectionAuth) counts() map[string]uint64 {
	return map[string]uint64{"ntlm": a.ntlm.Load(), "negotiate": a.negotiate.Load()}
}

// seeConnectionAuth looks at the challenges of an answer. It warns once: every answer to
// a client without credential has them.
func (h *Handler) seeConnectionAuth(header http.Header) {
	ntlm, negotiate := challenges(header["Www-Authenticate"])
	if ntlm {
		h.asked.ntlm.Add(1)
	}
	if negotiate {
		h.asked.negotiate.Add(1)
	}
	if ntlm || negotiate {
		h.asked.warned.Do(func() {
			h.options.Log.Warn("the backend asks for authentication that is bound to a connection; its connections are shared, so a client can be taken for another",
				zap.Bool("ntlm", ntlm), zap.Bool("negotiate", negotiate))
		})
	}
}

// challenges reports which of the two schemes the lines of WWW-Authenticate name (RFC
// 9110 section 11.6.1). What is behind a comma is another scheme or a parameter, which has
// an equals sign.
func challenges(lines []string) (ntlm, negotiate bool) {
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			scheme, _, _ := strings.Cut(textproto.TrimString(part), " ")
			ntlm = ntlm || strings.EqualFold(scheme, "NTLM")
			negotiate = negotiate || strings.EqualFold(scheme, "Negotiate")
		}
	}
	return ntlm, negotiate
}
