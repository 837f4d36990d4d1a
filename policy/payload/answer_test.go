package payload_test

import (
	"iter"
	"net/http"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/payload"
	"github.com/sidewarden/sidewarden/policy/policytest"
)

// declares is a contract that declares status 200 with JSON objects and CSV.
type declares struct{}

func (declares) Head(status int, mediaType string, body bool) (policy.Verdict, bool) {
	switch {
	case status != http.StatusOK:
		return policy.Denied(policy.StatusUndeclared, ""), false
	case body && mediaType == "":
		return policy.Denied(policy.ContentTypeMissing, ""), false
	case body && mediaType == "application/json":
		return policy.Verdict{}, true
	case body && mediaType != "text/csv":
		return policy.Denied(policy.ContentTypeUndeclared, ""), false
	}
	return policy.Permitted(), false
}

func (declares) Document(_ int, _ string, tokens iter.Seq2[jsontext.Kind, []byte]) policy.Verdict {
	for kind := range tokens {
		if kind != jsontext.KindBeginObject {
			return policy.Denied(policy.SchemaMismatch, "type")
		}
		break
	}
	return policy.Permitted()
}

// answered is a request to a known operation with its answer, whose body is not
// known yet.
func answered(method string, status int, header ...string) *policy.Request {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	return &policy.Request{
		Method: method, Match: policy.Match{Operation: &policy.Operation{ID: "get"}},
		Response: &policy.Response{Status: status, Header: h, Body: policy.Body{Size: -1}},
	}
}

// allowed makes it an upgrade that was asked for and is allowed.
func allowed(r *policy.Request) *policy.Request {
	r.Hop.Upgrade, r.Match.Operation.Upgrade = []string{"websocket"}, []string{"websocket"}
	return r
}

const answerLimit = 64

func TestAnswerInspector(t *testing.T) {
	json := []string{"Content-Type", "application/json"}
	undecided := func(r policy.Reason) policy.Verdict { return policy.Undecided(r, nil) }
	na, ok := policy.Inapplicable(), policy.Permitted()
	for _, c := range []struct {
		name, method string
		status       int
		header       []string
		body         string
		want         policy.Verdict
	}{
		{"what is declared", "GET", 200, json, `{}`, ok},
		{"a charset", "GET", 200, []string{"Content-Type", "Application/JSON; charset=utf-8"}, `{}`, ok},
		{"another declared type is not read", "GET", 200, []string{"Content-Type", "text/csv"}, "{", ok},
		{"an empty body", "GET", 200, json, "", ok},
		{"an undeclared type", "GET", 200, []string{"Content-Type", "text/html"}, "x", policy.Denied(policy.ContentTypeUndeclared, "")},
		{"no type", "GET", 200, nil, "x", policy.Denied(policy.ContentTypeMissing, "")},
		{"two types", "GET", 200, []string{"Content-Type", "application/json", "Content-Type", "text/csv"}, "{}", policy.Denied(policy.ContentTypeDuplicate, "")},
		{"no type at all", "GET", 200, []string{"Content-Type", "json"}, "{}", policy.Denied(policy.ContentTypeMalformed, "")},
		{"an undeclared status", "GET", 500, json, "{}", policy.Denied(policy.StatusUndeclared, "")},
		{"a status without body", "GET", 204, nil, "", policy.Denied(policy.StatusUndeclared, "")},
		{"against the schema", "GET", 200, json, "[]", policy.Denied(policy.SchemaMismatch, "type")},
		{"not JSON", "GET", 200, json, "panic:", policy.Denied(policy.JSONSyntax, "offset 0")},
		{"a fault behind what is against the schema", "GET", 200, json, "[1", policy.Denied(policy.JSONSyntax, "offset 2")},
		{"our bound behind what is against the schema", "GET", 200, json, "[1e999]", undecided(policy.JSONNumber)},
		{"a member twice", "GET", 200, json, `{"a":1,"a":2}`, policy.Denied(policy.JSONDuplicateMember, "offset 7")},
		{"deeper than we read", "GET", 200, json, `{"a":[[[[]]]]}`, undecided(policy.JSONTooDeep)},
		{"a number that we do not read", "GET", 200, json, `{"a":1e999}`, undecided(policy.JSONNumber)},
		{"over the limit", "GET", 200, json, strings.Repeat(" ", answerLimit) + "{}", policy.UndecidedBy(policy.OutSize)},
		{"coded", "GET", 200, append([]string{"Content-Encoding", "gzip"}, json...), "x", undecided(policy.ContentCoding)},
		{"coded, of an undeclared status", "GET", 500, append([]string{"Content-Encoding", "br"}, json...), "x", undecided(policy.ContentCoding)},
		{"identity is no coding", "GET", 200, append([]string{"Content-Encoding", "identity"}, json...), "{}", ok},
		{"a part", "GET", 206, json, "{", undecided(policy.ContentPartial)},
		{"parts", "GET", 206, []string{"Content-Type", "multipart/byteranges; boundary=x"}, "--x", undecided(policy.ContentPartial)},
		{"not modified", "GET", 304, json, "", na},
		{"to HEAD", "HEAD", 404, json, "", na},
		{"an informational one", "GET", 103, nil, "", na},
		{"an upgrade that is not declared", "GET", 101, nil, "", policy.Denied(policy.StatusUndeclared, "")},
		{"no answer", "GET", 0, nil, "", na},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := payload.NewAnswerInspector(payload.AnswerOptions{MaxBytes: answerLimit, Sized: true, MaxDepth: 4, Schema: declares{}})
			r := answered(c.method, c.status, c.header...)
			body := in.Inspect(r, []byte(c.body), -1, true)
			assert.Equal(t, c.want, body.Schema)
			assert.EqualValues(t, len(c.body), body.Size)
			unknown := in.Inspect(r, nil, -1, false).Schema
			assert.True(t, unknown.Reason == policy.NotInspected || unknown.Effect == c.want.Effect || c.body == "",
				"the head alone says the same or that it does not know: %+v", unknown)
			silent := payload.NewAnswerInspector(payload.AnswerOptions{MaxBytes: answerLimit, MaxDepth: 4})
			assert.Equal(t, na, silent.Inspect(r, []byte(c.body), -1, true).Schema, "the contract declares no answer")
		})
	}
	alone := payload.NewAnswerInspector(payload.AnswerOptions{MaxBytes: answerLimit, MaxDepth: 4, Schema: declares{}})
	v := alone.Inspect(answered("GET", 200, json...), nil, answerLimit+1, false).Schema
	assert.Equal(t, undecided(policy.NotInspected), v, "no out.size to name")
}

func TestAnAnswerWithMoreMembersThanWeReadIsUndecided(t *testing.T) {
	in := payload.NewAnswerInspector(payload.AnswerOptions{MaxBytes: 2 << 20, MaxDepth: 4, Schema: declares{}})
	for _, text := range []string{members(payload.MaxMembers + 1), "[" + strings.Repeat("0,", payload.MaxMembers) + "0]"} {
		v := in.Inspect(answered("GET", 200, "Content-Type", "application/json"), []byte(text), -1, true).Schema
		assert.Equal(t, policy.Undecided(policy.JSONTooManyMembers, nil), v)
	}
}

type panics struct{ declares }

func (panics) Document(_ int, _ string, tokens iter.Seq2[jsontext.Kind, []byte]) policy.Verdict {
	for range tokens {
		panic("hostile")
	}
	return policy.Permitted()
}

func TestThreatPanicOfTheJudgeOfAnswers(t *testing.T) {
	in := payload.NewAnswerInspector(payload.AnswerOptions{MaxBytes: answerLimit, MaxDepth: 4, Schema: panics{}})
	v := in.Inspect(answered("GET", 200, "Content-Type", "application/json"), []byte("{}"), 2, true).Schema
	assert.Equal(t, policy.InternalError, v.Reason)
	assert.NotContains(t, v.Err.Error(), "hostile")
	v = in.Inspect(answered("GET", 200, "Content-Type", "application/json"), []byte("{"), 1, true).Schema
	assert.Equal(t, policy.Denied(policy.JSONSyntax, "offset 1"), v, "the document was read to its end all the same")
}

func TestAnswerSize(t *testing.T) {
	sized := func(r *policy.Request, size int64, b string, whole bool) *policy.Request {
		r.Response.Body = policy.Body{Size: size, Bytes: []byte(b), Whole: whole}
		return r
	}
	get := func(header ...string) *policy.Request { return answered("GET", 200, header...) }
	events := []string{"Content-Type", "text/event-stream"}
	tooLarge := policy.Denied(policy.BodyTooLarge, "limit 8")
	for _, c := range []struct {
		name string
		r    *policy.Request
		want policy.Verdict
	}{
		{"fits exactly", sized(get(), 8, "", false), policy.Permitted()},
		{"declared too long", sized(get(), 9, "", false), tooLarge},
		{"counted too long", sized(get(), -1, "123456789", false), tooLarge},
		{"not known", sized(get(), -1, "", false), policy.Undecided(policy.NotInspected, nil)},
		{"coded bytes count as they are", sized(get("Content-Encoding", "gzip"), 9, "", false), tooLarge},
		{"a part is counted", sized(answered("GET", 206), 9, "", false), tooLarge},
		{"events that ended soon", sized(get(events...), 3, "", false), policy.Undecided(policy.StreamUnbounded, nil)},
		{"events that went on", sized(get(events...), 9, "", false), tooLarge},
		{"events of a declared length", sized(get(append(events, "Content-Length", "3")...), 3, "", false), policy.Permitted()},
		{"empty", sized(get(), 0, "", true), policy.Inapplicable()},
		{"to HEAD", sized(answered("HEAD", 200), 9, "", false), policy.Inapplicable()},
		{"not modified", sized(answered("GET", 304), 9, "", false), policy.Inapplicable()},
		{"no content", sized(answered("GET", 204), -1, "", false), policy.Inapplicable()},
		{"an upgrade", sized(answered("GET", 101), -1, "", false), policy.Undecided(policy.StreamUnbounded, nil)},
		{"an upgrade that the operation allows", sized(allowed(answered("GET", 101)), -1, "", false), policy.Inapplicable()},
		{"an upgrade has no length", sized(answered("GET", 101), 0, "", true), policy.Undecided(policy.StreamUnbounded, nil)},
		{"no answer", sized(answered("GET", 0), -1, "", false), policy.Inapplicable()},
		{"not forwarded", &policy.Request{Method: "GET"}, policy.Inapplicable()},
	} {
		check := payload.AnswerSize{MaxBytes: 8}
		assert.Equal(t, c.want, check.Check(t.Context(), c.r), c.name)
		policytest.Run(t, check, c.r)
	}
}

// FuzzAnswer judges arbitrary answers: no panic, a verdict of a known shape, and
// never a denial by out.schema of what cannot be read.
func FuzzAnswer(f *testing.F) {
	f.Add("GET", 200, "application/json", "", []byte(`{"a":[1,2e3,"\u0041"]}`), true)
	f.Add("GET", 206, "multipart/byteranges; boundary=x", "", []byte("--x"), true)
	f.Add("GET", 200, "application/json", "gzip", []byte("\x1f\x8b"), true)
	f.Add("HEAD", 500, "text/html", "", []byte{}, false)
	f.Add("GET", 304, "", "", []byte{}, true)
	f.Add("GET", 101, "application/json", "gzip", []byte("{}"), true) // its status alone is judged
	f.Add("GET", 200, "text/event-stream", "", []byte("data: x\n\n"), false)
	in := payload.NewAnswerInspector(payload.AnswerOptions{MaxBytes: 4096, Sized: true, MaxDepth: 8, Schema: declares{}})
	f.Fuzz(func(t *testing.T, method string, status int, media, coding string, b []byte, whole bool) {
		if len(b) > 8192 {
			return
		}
		r := answered(method, status)
		r.Response.Header = http.Header{"Content-Type": {media}, "Content-Encoding": {coding}}
		body := in.Inspect(r, b, -1, whole)
		v := body.Schema
		assert.Equal(t, v.Reason != "", v.Effect == policy.Deny || v.Effect == policy.Indeterminate)
		unread := method == http.MethodHead || status == 304 || status == 206 || status < 200 && status != 101 ||
			policy.Coded(r.Response.Header) && body.Size != 0 && !r.Response.Bodiless(method)
		if unread {
			assert.NotEqual(t, policy.Deny, v.Effect)
		}
		if media != "" && len(media) > 8 {
			assert.NotContains(t, v.Detail, media)
		}
		r.Response.Body = body
		size := payload.AnswerSize{MaxBytes: 4096}.Check(t.Context(), r)
		if size.Effect == policy.Deny {
			assert.Greater(t, len(b), 4096)
		}
	})
}
