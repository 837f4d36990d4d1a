package proxy

import (
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// targetOf returns the escaped path and the raw query exactly as they are
// forwarded. An origin-form target is taken as it stood in the request line,
// because net/url normalises some bytes of a path; of every other form it is what
// url.URL.RequestURI prints: the part behind the scheme where that is opaque, and
// "/" for an absolute form without a path.
func targetOf(req *http.Request) (path, query string) {
	u := req.URL
	switch {
	case isOrigin(req):
		path, _, _ = strings.Cut(req.RequestURI, "?")
		return path, u.RawQuery
	case u.Opaque != "":
		return u.Opaque, u.RawQuery
	case u.Path != "":
		return u.EscapedPath(), u.RawQuery
	case req.Method == http.MethodConnect:
		return req.Host, "" // the authority is the whole target (RFC 9112 3.2.3)
	}
	return "/", u.RawQuery
}

// isOrigin reports whether the target can be forwarded byte for byte through
// url.URL.Opaque: it is in origin form (RFC 9112 3.2.1) and does not begin with
// "//", which net/url would print as an authority. In HTTP/2 its path may have a space,
// which would end the target in the request line of HTTP/1.
func isOrigin(req *http.Request) bool {
	path, _, _ := strings.Cut(req.RequestURI, "?")
	return strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") &&
		req.Method != http.MethodConnect && strings.IndexByte(path, ' ') < 0
}

// forwardedHeader returns the header of a request without what ReverseProxy takes
// away before the backend sees it: the fields that Connection names and those that
// are hop-by-hop by definition (RFC 9110 7.6.1). A client must not be judged by an
// account or a credential that it keeps from the backend. The Connection field
// itself, of which controls know as [policy.Hop] alone, is no reason for a copy.
func forwardedHeader(h http.Header) http.Header {
	gone := []string{
		"Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade",
	}
	for _, v := range h["Connection"] {
		for token := range strings.SplitSeq(v, ",") {
			if token = textproto.TrimString(token); token != "" {
				gone = append(gone, http.CanonicalHeaderKey(token))
			}
		}
	}
	gone = slices.DeleteFunc(gone, func(name string) bool {
		_, present := h[name]
		return !present || name == "Connection" || restored(h, name)
	})
	if len(gone) == 0 {
		return h
	}
	forwarded := maps.Clone(h)
	for _, name := range gone {
		delete(forwarded, name)
	}
	return forwarded
}

// restored reports whether ReverseProxy puts a hop-by-hop field back: Upgrade in
// an upgrade, and Te for trailers.
func restored(h http.Header, name string) bool {
	switch name {
	case "Upgrade":
		return hasToken(h["Connection"], "upgrade")
	case "Te":
		return hasToken(h["Te"], "trailers")
	}
	return false
}

func hasToken(values []string, token string) bool {
	for _, v := range values {
		for t := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(textproto.TrimString(t), token) {
				return true
			}
		}
	}
	return false
}
