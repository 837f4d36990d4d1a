package proxy

import (
	"maps"
	"net/http"
	"slices"

	"github.com/sidewarden/sidewarden/policy"
)

// hopOf returns what the head says to the next hop alone. Of a chunked request net/http
// has moved the announced trailer fields out of the header.
func hopOf(req *http.Request) policy.Hop {
	hop := policy.Hop{Connection: req.Header["Connection"], Upgrade: req.Header["Upgrade"], Trailer: req.Header["Trailer"]}
	if len(req.Trailer) > 0 {
		hop.Trailer = slices.Sorted(maps.Keys(req.Trailer))
	}
	return hop
}

// strip takes away what the backend must not see. An exception lets its caller send it.
// The upgrade goes with the option that announces it, so that what follows the head is
// the next request of the connection and nothing else.
func (x *exchange) strip(out *http.Request) {
	if x.plan.Strip == nil {
		return
	}
	if found, judged := x.decision.Find(policy.InHdr); judged && found.Exception != "" {
		return
	}
	for _, name := range x.plan.Strip.Strip(x.request) {
		switch name {
		case "Upgrade":
			delete(out.Header, "Connection")
		case "Trailer":
			out.Trailer = nil
		}
		delete(out.Header, name)
		x.outcome.Stripped++
	}
}
