package schema

import (
	"net/url"
	"path"
	"strings"
)

// A base without a scheme is the path of a file, not escaped, in a url.URL's Path.

// baseOf returns the base of a document by the key under which it was added.
func baseOf(key string) *url.URL {
	if hasScheme(key) {
		if u, err := url.Parse(key); err == nil {
			u.Fragment, u.RawFragment = "", ""
			return u
		}
	}
	return &url.URL{Path: cleanPath(key)}
}

// hasScheme reports whether a key begins with a scheme (RFC 3986, section 3.1). A
// single letter is a drive.
func hasScheme(key string) bool {
	scheme, _, found := strings.Cut(key, ":")
	if !found || len(scheme) < 2 {
		return false
	}
	for i := range len(scheme) {
		c := scheme[i] | 0x20
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", rune(scheme[i]))) {
			return false
		}
	}
	return true
}

// resolve returns the target of a reference without fragment (RFC 3986, section 5.2).
func resolve(base *url.URL, ref string) (*url.URL, error) {
	u, err := url.Parse(ref)
	if err != nil {
		return nil, err
	}
	switch {
	case base.Scheme != "" || u.Scheme != "":
		return base.ResolveReference(u), nil
	case u.Host != "" || u.User != nil:
		return u, nil // of a scheme that only a base could have
	case u.Path == "":
		return &url.URL{Path: base.Path, RawQuery: u.RawQuery}, nil
	case u.Path[0] == '/':
		return &url.URL{Path: cleanPath(u.Path), RawQuery: u.RawQuery}, nil
	}
	folder := base.Path[:strings.LastIndexByte(base.Path, '/')+1]
	return &url.URL{Path: cleanPath(folder + u.Path), RawQuery: u.RawQuery}, nil
}

// cleanPath removes dot segments, and keeps the slash at the end of a folder. Unlike the
// path of a URI (RFC 3986, section 5.2.4), a path may lead above the folder that all
// documents are told from; nothing else is mistaken for what is there.
func cleanPath(p string) string {
	if p == "" {
		return ""
	}
	clean := path.Clean(p)
	if last := p[strings.LastIndexByte(p, '/')+1:]; clean != "/" && (last == "" || last == "." || last == "..") {
		clean += "/"
	}
	return clean
}

// identity returns the text that equal URIs share (RFC 3986, section 6.2.2), without the
// fragment.
func identity(u *url.URL) string {
	plain := *u
	plain.Fragment, plain.RawFragment = "", ""
	if u.Scheme == "" {
		return plain.String()
	}
	plain.Host = strings.ToLower(u.Host)
	if plain.Host != "" && plain.Path == "" {
		plain.Path = "/"
	}
	return normalEscapes(plain.String())
}

// normalEscapes undoes what need not be escaped, and writes the rest in upper case.
func normalEscapes(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		high, low := -1, -1
		if s[i] == '%' && i+2 < len(s) {
			high, low = strings.IndexByte(hex, upper(s[i+1])), strings.IndexByte(hex, upper(s[i+2]))
		}
		if high < 0 || low < 0 {
			b.WriteByte(s[i])
			continue
		}
		if c := byte(high<<4 | low); unreserved(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[high], hex[low]})
		}
		i += 2
	}
	return b.String()
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'f' {
		return c - 'a' + 'A'
	}
	return c
}

// unreserved are the characters of RFC 3986, section 2.3.
func unreserved(c byte) bool {
	letter := 'a' <= c|0x20 && c|0x20 <= 'z'
	return letter || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
