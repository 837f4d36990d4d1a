package message

import (
	"context"
	"net/http"
	"strings"

	"github.com/sidewarden/sidewarden/policy"
)

// Target is the check of in.path: everybody who reads the target of the request and the
// name of the host sees the same ones. A target is refused where a common server would
// decode, merge or cut it into another path than the one that is routed here, and one
// that is permitted is forwarded byte for byte as it was sent.
//
// What is another spelling of the same path stays: an escaped letter (RFC 3986 section
// 6.2.2.2), letters beyond ASCII in UTF-8, an empty query, a slash at the end. Whether
// the path with a slash at its end exists is a question of in.route.
type Target struct {
	// MaxBytes is the longest target, in bytes, whatever its form.
	MaxBytes int
	// Allow is what a path may have although servers read it differently.
	Allow Allowance
	// Hosts are the names of the hosts that are served.
	Hosts Hosts
}

// Allowance is what backends ask for that in.path denies for good reason. None of it
// allows a dot segment or a control byte, also not by means of what it allows.
type Allowance struct {
	// EncodedSlash allows %2F in a segment, not at its ends.
	EncodedSlash bool
	// Parameter allows a semicolon, plain or escaped.
	Parameter bool
	// EmptySegment allows several slashes in a row, not at the beginning.
	EmptySegment bool
}

// fault is why a target is refused, and the part that is meant where that could be any;
// the zero value is no fault.
type fault struct {
	reason policy.Reason
	part   string
}

// The parts that a detail names.
const (
	inPath  = "path"
	inQuery = "query"
)

// Check implements [policy.Check].
func (t Target) Check(_ context.Context, r *policy.Request) policy.Verdict {
	if len(r.Target) > t.MaxBytes {
		return policy.Denied(policy.TargetTooLong, "")
	}
	f := t.judge(r)
	if f.reason == "" {
		f.reason = t.Hosts.judge(r.Host)
	}
	if f.reason != "" {
		return policy.Denied(f.reason, f.part)
	}
	return policy.Permitted()
}

// judge finds what is wrong with the target.
func (t Target) judge(r *policy.Request) fault {
	if f := illegal(r.Target); f.reason != "" {
		return f
	}
	s, ok := split(r)
	if !ok {
		return fault{reason: policy.TargetForm}
	}
	if s.authority != "" || r.Header["Host"] != nil {
		if reason := authority(s.authority, r); reason != "" {
			return fault{reason: reason}
		}
	}
	if s.path == "*" {
		return fault{}
	}
	return fault{reason: t.Allow.path(s.path)}
}

// illegal finds bytes that no target has (RFC 3986 section 2, RFC 9112 section 3.2):
// servers cut there, take them for the end of the line, or read them in a code page of
// their own.
func illegal(target string) fault {
	part := inPath
	for i := range len(target) {
		switch c := target[i]; {
		case c <= ' ' || c >= 0x7f:
			return fault{policy.TargetControl, part}
		case c == '#':
			return fault{policy.TargetFragment, part}
		case c == '?':
			part = inQuery
		}
	}
	return fault{}
}

// parts are a target by its form (RFC 9112 section 3.2).
type parts struct {
	authority   string // with what stands before @; empty in origin form
	path, query string
}

// split parts a target, and reports whether its form is one that is forwarded as the
// text that was sent. A target of CONNECT without a path, which asks for a tunnel, is
// none: nothing behind a sidecar is a proxy.
func split(r *policy.Request) (parts, bool) {
	var s parts
	rest := r.Target
	switch scheme, after, absolute := strings.Cut(rest, "://"); {
	case strings.HasPrefix(rest, "/"):
	case rest == "*":
		return parts{path: rest}, r.Method == http.MethodOptions && r.Path == "*" && r.RawQuery == ""
	case !absolute || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https"),
		r.Method == http.MethodConnect, isHTTP2(r): // RFC 9113 section 8.3.1: a path or an asterisk
		return parts{}, false
	default:
		end := strings.IndexAny(after, "/?")
		if end < 0 {
			end = len(after)
		}
		if s.authority, rest = after[:end], after[end:]; s.authority == "" {
			return parts{}, false
		}
	}
	s.path, s.query, _ = strings.Cut(rest, "?")
	if s.path == "" {
		s.path = "/" // RFC 9112 section 3.2.1: what an absolute form without a path is sent on as
	}
	return s, s.path == r.Path && s.query == r.RawQuery
}

func isHTTP2(r *policy.Request) bool { return strings.HasPrefix(r.Proto, "HTTP/2") }

// authority compares what a request says of its host in two places. Of HTTP/1, net/http
// forgets the Host field where the target has an authority, so the connection tells it;
// of HTTP/2 the field stays beside :authority.
func authority(named string, r *policy.Request) policy.Reason {
	if strings.Contains(named, "@") {
		return policy.HostMalformed // RFC 9110 section 4.2.4
	}
	if named != "" && (!strings.EqualFold(named, r.Host) || r.Frame.Host != "" && !strings.EqualFold(named, r.Frame.Host)) {
		return policy.TargetForm // RFC 9112 section 3.2: they have to be the same
	}
	for _, host := range r.Header["Host"] {
		if !strings.EqualFold(host, r.Host) {
			return policy.HostMalformed // RFC 9113 section 8.3.1
		}
	}
	return ""
}
