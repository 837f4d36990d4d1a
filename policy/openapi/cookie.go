package openapi

import (
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/sidewarden/sidewarden/policy"
)

// cookiesPlain reports whether all cookies of a request are written as a client has to
// write them (RFC 6265, 4.2.1). Of others, servers make different cookies: some part them
// at commas or white space too, some let a semicolon stand between quotes, some stop or
// leave out what they cannot read, and names with a dollar sign in front were attributes
// (RFC 2109, 4.3.4).
func (j *Judge) cookiesPlain(r *policy.Request) bool {
	for _, line := range r.Header["Cookie"] {
		line = strings.TrimSuffix(trimmed(line), ";") // an end as in Set-Cookie parts nothing
		if line == "" {
			continue
		}
		for pair := range strings.SplitSeq(line, ";") {
			name, value, found := strings.Cut(trimmed(pair), "=")
			if !found || !isCookieName(name) || !isCookieValue(value, "") && !isCookieValue(value, j.cookieMarks(name)) {
				return false
			}
		}
	}
	return true
}

// cookieMarks are the signs that the value of a cookie may have although none should: those
// by which the contract says that it is written.
func (j *Judge) cookieMarks(name string) string {
	for i := range j.parameters {
		switch p := &j.parameters[i]; {
		case p.in != openapi3.ParameterInCookie || p.name != name:
		case p.document:
			return `,"\`
		case p.schema != nil && !p.scalar:
			return ","
		}
	}
	return ""
}

// isCookieName reports whether the name is a token (RFC 9110, 5.6.2) and no attribute.
func isCookieName(name string) bool {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return name != "" && name[0] != '$'
}

// isCookieValue reports whether the value has only octets of a cookie, in quotes or not,
// and the marks.
func isCookieValue(value, marks string) bool {
	value = unquoted(value)
	for i := range len(value) {
		c := value[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`",;\`, c) >= 0 && strings.IndexByte(marks, c) < 0 {
			return false
		}
	}
	return true
}
