package policy_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/sidewarden/sidewarden/policy"
)

// shape is everything of an answer but its status.
type shape struct {
	name    string
	method  string
	request http.Header
	header  http.Header
	body    policy.Body
	json    bool // the operation answers JSON
	aborted bool
	hints   policy.Hints
}

// answer is a request whose answer has the shape and the status.
func (s shape) answer(status int) *policy.Request {
	return &policy.Request{
		Method:   s.method,
		Header:   s.request,
		Match:    policy.Match{Operation: &policy.Operation{AnswersJSON: s.json}},
		Response: &policy.Response{Status: status, Header: s.header, Body: s.body, Aborted: s.aborted},
	}
}

// whole is a body that was inspected in full.
func whole(s string) policy.Body {
	return policy.Body{Bytes: []byte(s), Size: int64(len(s)), Whole: true}
}

func header(name, value string) http.Header { return http.Header{name: {value}} }

var (
	softHints  = policy.Hints{SoftDenials: []policy.SoftDenial{{Pointer: "/success", Equals: "false"}}}
	loginHints = policy.Hints{LoginPaths: []string{"/sso/login"}}
	loginPage  = `<form><input TYPE="password" name="p"></form>`
)

// shapes are the shapes of an answer between which the classes differ.
func shapes() []shape {
	object := whole(`{"success":true,"port":7}`)
	cut := policy.Body{Bytes: []byte(`{"succ`), Size: 4096}
	return []shape{
		{name: "GET, JSON object", method: "GET", json: true, body: object},
		{name: "GET, no body", method: "GET", json: true},
		{name: "GET, empty list", method: "GET", json: true, body: whole(`[]`)},
		{name: "GET, empty list, coded", method: "GET", body: whole(`[]`), header: header("Content-Encoding", "gzip")},
		{name: "POST, empty list", method: "POST", json: true, body: whole(`[]`)},
		{name: "POST, JSON object", method: "POST", json: true, body: object},
		{name: "HEAD", method: "HEAD", json: true, body: policy.Body{Size: 4096}},
		{name: "GET on a condition", method: "GET", request: header("If-None-Match", `"v7"`), body: object},
		{name: "PUT on a condition", method: "PUT", request: header("If-Match", `"v7"`), body: object},
		{
			name: "redirect to a login page", method: "GET", hints: loginHints,
			header: header("Location", "https://idp.example/sso/login?next=%2F"), body: object,
		},
		{
			name: "redirect elsewhere", method: "GET", hints: loginHints,
			header: header("Location", "/v2/sso/login"), body: object,
		},
		{
			name: "HTML login page of a JSON operation", method: "GET", json: true,
			header: header("Content-Type", "text/html; charset=utf-8"), body: whole(loginPage),
		},
		{
			name: "HTML login page of an HTML operation", method: "GET",
			header: header("Content-Type", "text/html; charset=utf-8"), body: whole(loginPage),
		},
		{name: "job handle", method: "POST", header: header("Operation-Location", "/jobs/7"), body: object},
		{name: "soft denials known, none here", method: "GET", body: object, hints: softHints},
		{name: "soft denials known, one here", method: "GET", body: whole(`{"success":false}`), hints: softHints},
		{name: "soft denials known, body cut", method: "GET", body: cut, hints: softHints},
		{name: "soft denials known, no body", method: "GET", hints: softHints},
		{
			name: "soft denials known, coded body", method: "GET", body: whole(`{"success":false}`), hints: softHints,
			header: header("Content-Encoding", "br"),
		},
		{name: "soft denials known, HEAD", method: "HEAD", body: policy.Body{Size: 4096}, hints: softHints},
		{name: "aborted", method: "GET", body: object, aborted: true},
	}
}

func TestClassOfReadsTheDetailsThatDecide(t *testing.T) {
	password := func(body string) shape {
		return shape{json: true, header: header("Content-Type", "text/html"), body: whole(body)}
	}
	location := func(l string) shape {
		return shape{header: header("Location", l), hints: loginHints}
	}
	tests := []struct {
		rule   string
		shape  shape
		status int
		want   policy.ResponseClass
	}{
		{"a request that was forwarded without an answer aborted", shape{}, 0, policy.ClassAbort},
		{"an abort wins over any status", shape{aborted: true}, 401, policy.ClassAbort},
		{"410 says what 404 says", shape{}, 410, policy.Class404},
		{"a status without a name is some refusal", shape{}, 417, policy.Class4xx},
		{"a status of a proxy in between is some fault", shape{}, 520, policy.Class500},
		{"a password field may be quoted singly", password(`<input type='password'>`), 200, policy.ClassLogin},
		{"a password field may be unquoted", password(`<INPUT TYPE=PASSWORD>`), 200, policy.ClassLogin},
		{"HTML without a password field is no login page", password(`<p>password</p>`), 200, policy.ClassOK},
		{"a JSON answer is no login page", shape{json: true, header: header("Content-Type", "application/json"), body: whole(`{"html":"<input type=password>"}`)}, 200, policy.ClassOK},
		{"an answer without a type is no login page", shape{json: true, body: whole(loginPage)}, 200, policy.ClassOK},
		{"a login path is compared decoded", location("/sso/log%69n"), 302, policy.ClassLogin},
		{"a login path is compared whole", location("/sso/login/help"), 302, policy.ClassRedir},
		{"a broken location leads to no login page", location("http://[::1/sso/login"), 302, policy.ClassRedir},
		{"a redirect without a location is only a redirect", shape{hints: loginHints}, 302, policy.ClassRedir},
		{"identity is no coding", shape{method: "GET", header: header("Content-Encoding", "Identity"), body: whole(`[]`)}, 200, policy.ClassEmpty},
		{"an empty coding is no coding", shape{method: "GET", header: header("Content-Encoding", ""), body: whole(`[]`)}, 200, policy.ClassEmpty},
		{"a later coding counts", shape{method: "GET", header: http.Header{"Content-Encoding": {"identity", "gzip"}}, body: whole(`[]`)}, 200, policy.ClassOK},
		{"a part of a list is not an empty list", shape{method: "GET", body: whole(`[]`)}, 206, policy.ClassOK},
		{"an empty list that was not read whole is not known to be empty", shape{method: "GET", body: policy.Body{Bytes: []byte(`[]`), Size: -1}}, 200, policy.ClassOK},
		{"a soft denial wins over a job handle", shape{hints: softHints, header: header("Operation-Location", "/jobs/7"), body: whole(`{"success":false}`)}, 202, policy.ClassSoftDeny},
		{"a body of unknown length may hold a soft denial", shape{hints: softHints, body: policy.Body{Size: -1}}, 200, policy.ClassOpaque},
		{"no content cannot hold a soft denial", shape{hints: softHints, body: policy.Body{Size: -1}}, 204, policy.ClassOK},
	}
	for _, name := range []string{"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range"} {
		tests = append(tests, struct {
			rule   string
			shape  shape
			status int
			want   policy.ResponseClass
		}{name + " is a condition", shape{method: "GET", request: header(name, "x")}, 304, policy.ClassAfter})
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			assert.Equal(t, tt.want, policy.ClassOf(tt.shape.answer(tt.status), tt.shape.hints))
		})
	}
}

func TestARequestThatWasNotForwardedHasClassNone(t *testing.T) {
	assert.Equal(t, policy.ClassNone, policy.ClassOf(&policy.Request{}, softHints))
}

func TestAnAnswerToAnUnmatchedRequestIsNoLoginPage(t *testing.T) {
	r := shape{header: header("Content-Type", "text/html"), body: whole(loginPage)}.answer(200)
	r.Match.Operation = nil
	assert.Equal(t, policy.ClassOK, policy.ClassOf(r, policy.Hints{}))
}

func TestWhatAnEmptyAnswerIs(t *testing.T) {
	tests := []struct {
		body string
		want policy.ResponseClass
	}{
		{` null `, policy.ClassEmpty},
		{`[]`, policy.ClassEmpty},
		{"\t[ ]\r\n", policy.ClassEmpty},
		{`{"items":[]}`, policy.ClassEmpty},
		{`{"total": 0, "next": null, "items" : [ ] }`, policy.ClassEmpty},
		{``, policy.ClassOK},
		{`   `, policy.ClassOK},
		{`0`, policy.ClassOK},
		{`""`, policy.ClassOK},
		{`false`, policy.ClassOK},
		{`nullx`, policy.ClassOK},
		{`[null]`, policy.ClassOK},
		{`[`, policy.ClassOK},
		{`[] []`, policy.ClassOK},
		{`{}`, policy.ClassOK},
		{`{`, policy.ClassOK},
		{`{"total":0}`, policy.ClassOK},
		{`{"items":[1]}`, policy.ClassOK},
		{`{"items":[],"page":{}}`, policy.ClassOK},
		{`{"items":[],"errors":[]}`, policy.ClassOK},
		{`{"items":[],"port":null}`, policy.ClassEmpty},
	}
	for _, tt := range tests {
		t.Run(tt.body, func(t *testing.T) {
			assert.Equal(t, tt.want, policy.ClassOf(shape{method: "GET", body: whole(tt.body)}.answer(200), policy.Hints{}))
		})
	}
}

func TestEveryAnswerHasExactlyOneClass(t *testing.T) {
	assert.Len(t, slices.Compact(slices.Sorted(slices.Values(policy.Classes()))), len(policy.Classes()), "classes are distinct")

	reached := make(map[policy.ResponseClass]bool)
	reached[policy.ClassOf(&policy.Request{}, policy.Hints{})] = true
	for _, s := range shapes() {
		for status := range 1000 {
			reached[policy.ClassOf(s.answer(status), s.hints)] = true
		}
	}
	assert.Len(t, reached, len(policy.Classes()), "every class has an answer")

	rapid.Check(t, func(t *rapid.T) {
		s := anyShape().Draw(t, "shape")
		status := rapid.IntRange(100, 999).Draw(t, "status")
		class := policy.ClassOf(s.answer(status), s.hints)
		if !slices.Contains(policy.Classes(), class) {
			t.Fatalf("class %q is not one of Classes()", class)
		}
		if again := policy.ClassOf(s.answer(status), s.hints); again != class {
			t.Fatalf("class %q became %q", class, again)
		}
		if class == policy.ClassNone {
			t.Fatal("an answer was read as not forwarded")
		}
	})
}

func anyShape() *rapid.Generator[shape] {
	bodies := []string{
		``, `null`, `[]`, `{"items":[]}`, `{"items":[1]}`, `{"success":false}`, `{"success":true}`, `{"success":fal`,
		loginPage, "\x00\xff", `{"a":null}`,
	}
	headers := []http.Header{
		nil, header("Content-Encoding", "gzip"), header("Content-Type", "text/html"), header("Location", "/sso/login"),
		header("Location", ":"), header("Operation-Location", "/jobs/7"), header("Retry-After", "7"),
	}
	return rapid.Custom(func(t *rapid.T) shape {
		body := whole(rapid.OneOf(rapid.SampledFrom(bodies), rapid.String()).Draw(t, "body"))
		body.Whole = rapid.Bool().Draw(t, "whole")
		if rapid.Bool().Draw(t, "undeclared") {
			body.Size = -1
		}
		s := shape{
			method:  rapid.SampledFrom([]string{"GET", "HEAD", "POST", "DELETE", ""}).Draw(t, "method"),
			request: rapid.SampledFrom([]http.Header{nil, header("If-Match", "*")}).Draw(t, "request"),
			header:  rapid.SampledFrom(headers).Draw(t, "header"),
			body:    body,
			json:    rapid.Bool().Draw(t, "json"),
			aborted: rapid.Bool().Draw(t, "aborted"),
		}
		if rapid.Bool().Draw(t, "login paths") {
			s.hints.LoginPaths = loginHints.LoginPaths
		}
		if rapid.Bool().Draw(t, "soft denials") {
			s.hints.SoftDenials = softHints.SoftDenials
		}
		return s
	})
}

// FuzzClassOf: whatever the backend's answer is, it has one of the classes, and
// the whole, plain body is all that can make it soft or empty.
func FuzzClassOf(f *testing.F) {
	f.Add(200, "application/json", "", []byte(`{"a":null,"items":[]}`), true)
	f.Add(302, "", "/sso/login", []byte(nil), true)
	f.Add(200, "text/html", "", []byte(loginPage), false)
	f.Add(200, "text/html;=", "%", []byte(`{"success":false}`), true)
	f.Fuzz(func(t *testing.T, status int, media, location string, body []byte, read bool) {
		if len(body) > 64<<10 {
			return
		}
		s := shape{
			method: "GET", json: true, body: policy.Body{Bytes: body, Size: int64(len(body)), Whole: read},
			header: http.Header{"Content-Type": {media}, "Location": {location}},
			hints:  policy.Hints{LoginPaths: loginHints.LoginPaths, SoftDenials: softHints.SoftDenials},
		}
		class := policy.ClassOf(s.answer(status), s.hints)
		assert.Contains(t, policy.Classes(), class)
		if class == policy.ClassSoftDeny || class == policy.ClassEmpty {
			assert.True(t, read)
			assert.True(t, status >= 200 && status < 300)
		}
	})
}
