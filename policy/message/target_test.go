package message_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/message"
	"github.com/sidewarden/sidewarden/policy/policytest"
)

const maxTarget = 8 << 10

// asked is a request for a target in origin form, as the proxy fills its facts.
func asked(method, target string) *policy.Request {
	path, query, _ := strings.Cut(target, "?")
	return &policy.Request{
		Method: method, Target: target, Path: path, RawQuery: query, Host: "api.example.net", Proto: "HTTP/1.1", Header: http.Header{},
	}
}

func reasonOf(check message.Target, r *policy.Request) policy.Reason {
	return check.Check(context.Background(), r).Reason
}

func TestTargets(t *testing.T) {
	t.Parallel()
	all := message.Allowance{EncodedSlash: true, Parameter: true, EmptySegment: true}
	for _, row := range []struct {
		name, target  string
		want, allowed policy.Reason // with nothing allowed, and with all
	}{
		{"the root", "/", "", ""},
		{"a path", "/v1/orders/o-1", "", ""},
		{"a slash at the end", "/v1/orders/", "", ""},
		{"a query", "/v1?a=1&b=2", "", ""},
		{"an empty query", "/v1?", "", ""},
		{"a query of a question mark", "/v1??", "", ""},
		{"an escaped space", "/a%20b", "", ""},
		{"a letter beyond ASCII", "/caf%C3%A9", "", ""},
		{"one of four bytes", "/%F0%9F%98%80", "", ""},
		{"an escaped letter", "/%41dmin", "", ""},
		{"an escaped tilde", "/%7Euser", "", ""},
		{"an escaped dot in a name", "/report%2Epdf", "", ""},
		{"letters that servers take as they are", "/a:b@c!$&'()*+,=~_-.", "", ""},
		{"letters that no URI has and browsers send", `/a|b^c"d<e>{f}[g]` + "`", "", ""},
		{"a name that begins with a dot", "/.well-known/x", "", ""},
		{"three dots", "/a/.../b", "", ""},
		{"a name that ends with dots", "/a../b", "", ""},
		{"an escaped percent sign", "/50%25", "", ""},
		{"one before a letter", "/50%25off", "", ""},
		{"a space that is escaped twice", "/a%2520b", "", ""},
		{"an escaped question mark", "/what%3F", "", ""},
		{"an escaped number sign", "/C%23", "", ""},
		{"a path in the query", "/a?next=//b/../c;d=%2e%2f%00", "", ""},
		{"a backslash in the query", `/a?dir=C:\x`, "", ""},
		{"a broken escape in the query", "/a?%zz", "", ""},

		{"a dot segment", "/a/../b", policy.TargetDotSegment, policy.TargetDotSegment},
		{"at the end", "/a/..", policy.TargetDotSegment, policy.TargetDotSegment},
		{"at the beginning", "/../a", policy.TargetDotSegment, policy.TargetDotSegment},
		{"alone", "/..", policy.TargetDotSegment, policy.TargetDotSegment},
		{"a single dot", "/a/./b", policy.TargetDotSegment, policy.TargetDotSegment},
		{"at the end with a slash", "/a/./", policy.TargetDotSegment, policy.TargetDotSegment},
		{"before a query", "/a/..?b", policy.TargetDotSegment, policy.TargetDotSegment},
		{"escaped", "/a/%2e%2e/b", policy.TargetDotSegment, policy.TargetDotSegment},
		{"escaped in upper case", "/a/%2E%2E/b", policy.TargetDotSegment, policy.TargetDotSegment},
		{"half escaped", "/a/.%2e/b", policy.TargetDotSegment, policy.TargetDotSegment},
		{"a single one escaped", "/a/%2e/b", policy.TargetDotSegment, policy.TargetDotSegment},
		{"with a parameter", "/a/..;x=1/b", policy.TargetParameter, policy.TargetDotSegment},
		{"with an escaped parameter", "/a/%2e%2e%3bx/b", policy.TargetParameter, policy.TargetDotSegment},
		{"behind an encoded slash", "/a/b%2F..", policy.TargetEncodedSlash, policy.TargetDotSegment},
		{"between encoded slashes", "/a%2f..%2fb", policy.TargetEncodedSlash, policy.TargetDotSegment},
		{"before an encoded slash", "/a/..%2Fb", policy.TargetEncodedSlash, policy.TargetDotSegment},
		{"behind empty segments", "/a//../b", policy.TargetEmptySegment, policy.TargetDotSegment},

		{"an empty segment", "/a//b", policy.TargetEmptySegment, ""},
		{"two of them", "/a///b", policy.TargetEmptySegment, ""},
		{"at the end", "/a//", policy.TargetEmptySegment, ""},
		{"at the beginning", "//a/b", policy.TargetEmptySegment, policy.TargetEmptySegment},
		{"nothing else", "//", policy.TargetEmptySegment, policy.TargetEmptySegment},
		{"an encoded slash at the beginning", "/%2Fa", policy.TargetEncodedSlash, policy.TargetEmptySegment},
		{"a parameter alone at the beginning", "/;a/b", policy.TargetParameter, policy.TargetEmptySegment},

		{"an encoded slash", "/a/b%2Fc", policy.TargetEncodedSlash, ""},
		{"in lower case", "/a/b%2fc", policy.TargetEncodedSlash, ""},
		{"two", "/a%2Fb%2Fc", policy.TargetEncodedSlash, ""},
		{"a backslash", `/a\b`, policy.TargetBackslash, policy.TargetBackslash},
		{"an escaped one", "/a%5Cb", policy.TargetBackslash, policy.TargetBackslash},
		{"one with dots", "/a/..%5c..%5cb", policy.TargetBackslash, policy.TargetBackslash},
		{"a parameter", "/a;b=c", policy.TargetParameter, ""},
		{"an escaped one", "/a%3Bb", policy.TargetParameter, ""},
		{"one before a slash", "/a;/b", policy.TargetParameter, ""},

		{"an escaped NUL", "/a%00", policy.TargetControl, policy.TargetControl},
		{"an escaped line feed", "/a%0a", policy.TargetControl, policy.TargetControl},
		{"an escaped DEL", "/a%7F", policy.TargetControl, policy.TargetControl},
		{"the last control byte", "/a%1f", policy.TargetControl, policy.TargetControl},
		{"a raw space", "/a b", policy.TargetControl, policy.TargetControl},
		{"a raw tab in the query", "/a?b\tc", policy.TargetControl, policy.TargetControl},
		{"a raw DEL", "/a\x7f", policy.TargetControl, policy.TargetControl},
		{"raw UTF-8", "/é", policy.TargetControl, policy.TargetControl},
		{"raw UTF-8 in the query", "/a?é", policy.TargetControl, policy.TargetControl},
		{"a fragment", "/a#/admin", policy.TargetFragment, policy.TargetFragment},
		{"one behind a query", "/a?b#c", policy.TargetFragment, policy.TargetFragment},
		{"an empty one", "/a#", policy.TargetFragment, policy.TargetFragment},

		{"a percent sign alone", "/50%", policy.TargetEscape, policy.TargetEscape},
		{"half an escape", "/a%4", policy.TargetEscape, policy.TargetEscape},
		{"no hexadecimal digits", "/a%zz", policy.TargetEscape, policy.TargetEscape},
		{"one of four digits", "/a%u002e", policy.TargetEscape, policy.TargetEscape},
		{"an overlong slash", "/a%c0%af", policy.TargetEscape, policy.TargetEscape},
		{"an overlong dot", "/a/%c0%ae%c0%ae/b", policy.TargetEscape, policy.TargetEscape},
		{"one of three bytes", "/a%e0%80%af", policy.TargetEscape, policy.TargetEscape},
		{"no letter at all", "/a%ff", policy.TargetEscape, policy.TargetEscape},
		{"a letter of Latin-1", "/caf%e9", policy.TargetEscape, policy.TargetEscape},
		{"a surrogate", "/a%ed%a0%80", policy.TargetEscape, policy.TargetEscape},
		{"a letter that is cut", "/a%e2%82", policy.TargetEscape, policy.TargetEscape},
		{"a slash that is escaped twice", "/a%252fb", policy.TargetEscape, policy.TargetEscape},
		{"dots that are escaped twice", "/a/%252e%252e/b", policy.TargetEscape, policy.TargetEscape},
		{"one that comes together", "/a/%25%32%66b", policy.TargetEscape, policy.TargetEscape},
		{"a backslash that is escaped twice", "/a%255cb", policy.TargetEscape, policy.TargetEscape},
		{"a parameter that is", "/a%253bb", policy.TargetEscape, policy.TargetEscape},
		{"a question mark that is", "/a%253Fb", policy.TargetEscape, policy.TargetEscape},
		{"a fragment that is", "/a%2523b", policy.TargetEscape, policy.TargetEscape},
		{"a NUL that is", "/a%2500", policy.TargetEscape, policy.TargetEscape},
		{"a slash whose escape comes together when it is read again", "/a%25%2532fb", policy.TargetEscape, policy.TargetEscape},
		{"one of four digits that does", "/a%25%2575002fb", policy.TargetEscape, policy.TargetEscape},
		{"a slash that is escaped three times", "/a%25252fb", policy.TargetEscape, policy.TargetEscape},
		{"one of four digits that is", "/a%25u002fb", policy.TargetEscape, policy.TargetEscape},
		{"an overlong slash that is", "/a%25c0%25af", policy.TargetEscape, policy.TargetEscape},
	} {
		for _, mode := range []struct {
			allow message.Allowance
			want  policy.Reason
		}{{message.Allowance{}, row.want}, {all, row.allowed}} {
			check := message.Target{MaxBytes: maxTarget, Allow: mode.allow}
			assert.Equal(t, mode.want, reasonOf(check, asked(http.MethodGet, row.target)), "%s: %s, %+v", row.name, row.target, mode.allow)
		}
	}
}

func TestFormsOfTargets(t *testing.T) {
	t.Parallel()
	check := message.Target{MaxBytes: maxTarget}
	for _, row := range []struct {
		name, method, target, path, query, host string
		want                                    policy.Reason
	}{
		{"absolute", "GET", "http://api.example.net/a?b", "/a", "b", "api.example.net", ""},
		{"absolute in another case", "GET", "HTTPS://API.example.net/a", "/a", "", "api.example.net", ""},
		{"absolute with a port", "GET", "http://h:8080/a", "/a", "", "h:8080", ""},
		{"absolute without a path", "GET", "http://h", "/", "", "h", ""},
		{"absolute with a query alone", "GET", "http://h?a", "/", "a", "h", ""},
		{"absolute for another host", "GET", "http://other/a", "/a", "", "h", policy.TargetForm},
		{"absolute for another port", "GET", "http://h:8080/a", "/a", "", "h", policy.TargetForm},
		{"absolute with a user", "GET", "http://u@h/a", "/a", "", "h", policy.HostMalformed},
		{"absolute without a host", "GET", "http:///a", "/a", "", "h", policy.TargetForm},
		{"absolute by another scheme", "GET", "ftp://h/a", "/a", "", "h", policy.TargetForm},
		{"absolute with a dot segment", "GET", "http://h/a/../b", "/a/../b", "", "h", policy.TargetDotSegment},
		{"absolute with an empty segment", "GET", "http://h//a", "//a", "", "h", policy.TargetEmptySegment},
		{"forwarded as another text", "GET", `http://h/a"b`, "/a%22b", "", "h", policy.TargetForm},
		{"forwarded with another query", "GET", "/a?b", "/a", "", "h", policy.TargetForm},
		{"a scheme and no authority", "GET", "http:admin", "admin", "", "h", policy.TargetForm},
		{"some scheme", "GET", "x:%2fadmin", "%2fadmin", "", "h", policy.TargetForm},
		{"no form at all", "GET", "admin", "admin", "", "h", policy.TargetForm},
		{"nothing", "GET", "", "", "", "h", policy.TargetForm},
		{"an asterisk", "OPTIONS", "*", "*", "", "h", ""},
		{"an asterisk of another method", "GET", "*", "*", "", "h", policy.TargetForm},
		{"an asterisk and more", "OPTIONS", "*/a", "*/a", "", "h", policy.TargetForm},
		{"an asterisk with a query", "OPTIONS", "*?a", "*", "a", "h", policy.TargetForm},
		{"a tunnel", "CONNECT", "h:443", "h:443", "", "h:443", policy.TargetForm},
		{"a tunnel by a URL", "CONNECT", "http://h/", "/", "", "h", policy.TargetForm},
		{"an authority of another method", "GET", "h:443", "443", "", "h", policy.TargetForm},
		{"CONNECT to a path, which in.method judges", "CONNECT", "/a", "/a", "", "h", ""},
	} {
		r := &policy.Request{Method: row.method, Target: row.target, Path: row.path, RawQuery: row.query, Host: row.host, Proto: "HTTP/1.1"}
		assert.Equal(t, row.want, reasonOf(check, r), "%s: %s %s", row.name, row.method, row.target)
	}
}

func TestTheHostOfAnAbsoluteTargetIsTheHostOfTheRequest(t *testing.T) {
	t.Parallel()
	check := message.Target{MaxBytes: maxTarget}
	for field, want := range map[string]policy.Reason{"": "", "h": "", "H": "", "other": policy.TargetForm, "h:80": policy.TargetForm} {
		r := &policy.Request{Method: "GET", Target: "http://h/a", Path: "/a", Host: "h", Proto: "HTTP/1.1", Frame: policy.Frame{Host: field}}
		assert.Equal(t, want, reasonOf(check, r), "Host: %s", field)
	}
	r := asked("GET", "/a")
	r.Frame.Host = "other"
	assert.Empty(t, reasonOf(check, r), "a path has no authority beside the field")
}

func TestTargetsOfHTTP2(t *testing.T) {
	t.Parallel()
	check := message.Target{MaxBytes: maxTarget}
	for _, row := range []struct {
		name, target, path string
		field              []string
		want               policy.Reason
	}{
		{"a path", "/a", "/a", nil, ""},
		{"a Host field that says the same", "/a", "/a", []string{"API.example.net"}, ""},
		{"another Host field", "/a", "/a", []string{"other"}, policy.HostMalformed},
		{"a second Host field", "/a", "/a", []string{"api.example.net", "other"}, policy.HostMalformed},
		{"an absolute form in :path", "http://api.example.net/a", "/a", nil, policy.TargetForm},
	} {
		r := asked("GET", row.target)
		r.Path, r.Proto = row.path, "HTTP/2.0"
		if row.field != nil {
			r.Header["Host"] = row.field
		}
		assert.Equal(t, row.want, reasonOf(check, r), row.name)
	}
}

func TestTheLengthOfATargetHasABound(t *testing.T) {
	t.Parallel()
	check := message.Target{MaxBytes: 20}
	for target, want := range map[string]policy.Reason{
		"/" + strings.Repeat("a", 19):          "",
		"/" + strings.Repeat("a", 20):          policy.TargetTooLong,
		"/?" + strings.Repeat("a", 18):         "",
		"/?" + strings.Repeat("a", 19):         policy.TargetTooLong,
		"/../" + strings.Repeat("a", 1<<20):    policy.TargetTooLong,
		"http://api.example.net/" + "a" + "/b": policy.TargetTooLong,
	} {
		assert.Equal(t, want, reasonOf(check, asked("GET", target)), "%.40s", target)
	}
	assert.Equal(t, http.StatusRequestURITooLong, policy.TargetTooLong.Status())
	assert.Equal(t, http.StatusMisdirectedRequest, policy.HostUnknown.Status())
	assert.Zero(t, policy.TargetForm.Status(), "the others are answered as the control is")
	assert.Equal(t, policy.TargetTooLong, reasonOf(message.Target{}, asked("GET", "/")), "the zero value takes no target")
}

func TestDetailsNameThePart(t *testing.T) {
	t.Parallel()
	check := message.Target{MaxBytes: maxTarget}
	for target, want := range map[string]policy.Verdict{
		"/a\x01":     policy.Denied(policy.TargetControl, "path"),
		"/a?b\x01":   policy.Denied(policy.TargetControl, "query"),
		"/a#b?c":     policy.Denied(policy.TargetFragment, "path"),
		"/a?b#c":     policy.Denied(policy.TargetFragment, "query"),
		"/a/../b":    policy.Denied(policy.TargetDotSegment, ""),
		"/a%0acanar": policy.Denied(policy.TargetControl, ""),
	} {
		assert.Equal(t, want, check.Check(t.Context(), asked("GET", target)), "%q", target)
	}
}

func TestTargetKeepsTheRulesOfChecks(t *testing.T) {
	t.Parallel()
	hosts, err := message.NewHosts([]string{"api.example.net", "*.tenants.example.net"})
	require.NoError(t, err)
	elsewhere, malformed := asked("GET", "/a"), asked("GET", "/a")
	elsewhere.Host, malformed.Host = "other.example", "a@b"
	absolute := asked("GET", "/a")
	absolute.Target = "http://api.example.net/a"
	absolute.Frame.Host = "other"
	policytest.Run(t, message.Target{MaxBytes: maxTarget, Hosts: hosts},
		asked("GET", "/a/b?c=d"), asked("GET", "/a%20b"), asked("GET", "/a/%2e%2e/b"), asked("GET", "/a%252f"), asked("OPTIONS", "*"),
		asked("GET", "/"+strings.Repeat("a", maxTarget)), elsewhere, malformed, absolute)
}

func TestAPlainTargetCostsNothing(t *testing.T) {
	hosts, err := message.NewHosts([]string{"api.example.net"})
	require.NoError(t, err)
	check, r, ctx := message.Target{MaxBytes: maxTarget, Hosts: hosts}, asked("GET", "/v1/accounts/acct-1/orders/o-1?limit=2"), t.Context()
	require.Equal(t, policy.Permit, check.Check(ctx, r).Effect)
	assert.Zero(t, testing.AllocsPerRun(100, func() { check.Check(ctx, r) }))
}
