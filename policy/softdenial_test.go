package policy_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy"
)

func TestSoftDenialOf(t *testing.T) {
	families := map[string]policy.Family{"AUTH": policy.AuthN, "ACCOUNT": policy.AuthZObj}
	is := func(pointer, literal string) policy.SoftDenial {
		return policy.SoftDenial{Pointer: pointer, Equals: literal, Code: "/code", Families: families}
	}
	tests := []struct {
		rule   string
		denial policy.SoftDenial
		body   string
		family policy.Family
		soft   bool
	}{
		{"a boolean is compared", is("/success", "false"), `{"success":false}`, "", true},
		{"another boolean is no denial", is("/success", "false"), `{"success":true}`, "", false},
		{"a boolean is not its text", is("/success", "false"), `{"success":"false"}`, "", false},
		{"a string is compared", is("/status", `"error"`), `{"status":"error"}`, "", true},
		{"a string has more than one literal", is("/status", `"R&D"`), `{"status":"R\u0026D"}`, "", true},
		{"a string with markup is compared", is("/status", `"<denied>"`), `{"status":"<denied>"}`, "", true},
		{"null is compared", is("/data", "null"), `{"data":null}`, "", true},
		{"an absent value is not null", is("/data", "null"), `{}`, "", false},
		{"a number is compared", is("/code", "403"), `{"code":403}`, "", true},
		{"a number is compared by its literal", is("/code", "403"), `{"code":403.0}`, "", false},
		{"a large number keeps its digits", is("/code", "9007199254740993"), `{"code":9007199254740992}`, "", false},
		{"an object is compared by value", is("/data", `{ "a": [ 1 ] }`), `{"data":{"a":[1]}}`, "", true},
		{"the whole document is compared", is("", `"denied"`), `"denied"`, "", true},
		{"an empty literal equals nothing", is("/status", ""), `{"status":""}`, "", false},
		{"a broken literal equals nothing", is("/status", `err`), `{"status":"err"}`, "", false},
		{"a nested value is found", is("/meta/result/ok", "false"), `{"meta":{"result":{"ok":false}}}`, "", true},
		{"a path through a scalar finds nothing", is("/meta/result", "false"), `{"meta":false}`, "", false},
		{"a path through an array finds nothing", is("/errors/0", `"denied"`), `{"errors":["denied"]}`, "", false},
		{"~1 is a slash", is("/a~1b", "1"), `{"a/b":1}`, "", true},
		{"~0 is a tilde", is("/a~0b", "1"), `{"a~b":1}`, "", true},
		{"~01 is a tilde and a one", is("/a~01b", "1"), `{"a~1b":1}`, "", true},
		{"~01 is no slash", is("/a~01b", "1"), `{"a/b":1}`, "", false},
		{"an empty member name is a name", is("/", "1"), `{"":1}`, "", true},
		{"a known code names its family", is("/success", "false"), `{"success":false,"code":"ACCOUNT"}`, policy.AuthZObj, true},
		{"an unknown code names none", is("/success", "false"), `{"success":false,"code":"QUOTA"}`, "", true},
		{"a code that is no string names none", is("/success", "false"), `{"success":false,"code":7}`, "", true},
		{"an escaped code is found", policy.SoftDenial{Pointer: "/ok", Equals: "false", Code: "/err~1code", Families: families}, `{"ok":false,"err/code":"AUTH"}`, policy.AuthN, true},
		{"no code pointer names none, also for a text document", policy.SoftDenial{Equals: `"AUTH"`, Families: families}, `"AUTH"`, "", true},
		{"a body that is no JSON is no denial", is("/success", "false"), `success=false`, "", false},
		{"a cut document is no denial", is("/success", "false"), `{"success":false`, "", false},
		{"an empty body is no denial", is("", "null"), ``, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			r := shape{body: whole(tt.body)}.answer(http.StatusOK)
			family, soft := policy.SoftDenialOf(r, policy.Hints{SoftDenials: []policy.SoftDenial{tt.denial}})
			assert.Equal(t, tt.soft, soft)
			assert.Equal(t, tt.family, family)
		})
	}
}

func TestTheFirstSoftDenialThatFitsNamesTheFamily(t *testing.T) {
	hints := policy.Hints{SoftDenials: []policy.SoftDenial{
		{Pointer: "/ok", Equals: "true"},
		{Pointer: "/ok", Equals: "false", Code: "/why", Families: map[string]policy.Family{"a": policy.AuthZOp}},
		{Pointer: "/why", Equals: `"a"`, Code: "/why", Families: map[string]policy.Family{"a": policy.AuthN}},
	}}
	family, soft := policy.SoftDenialOf(shape{body: whole(`{"ok":false,"why":"a"}`)}.answer(200), hints)
	assert.True(t, soft)
	assert.Equal(t, policy.AuthZOp, family)
}

func TestOnlyAWholePlainBodyHoldsASoftDenial(t *testing.T) {
	body := whole(`{"success":false}`)
	tests := []struct {
		rule   string
		change func(*policy.Request)
		hints  policy.Hints
		want   bool
	}{
		{"a whole plain body does", func(*policy.Request) {}, softHints, true},
		{"without hints there is none", func(*policy.Request) {}, policy.Hints{}, false},
		{"a request without an answer has none", func(r *policy.Request) { r.Response = nil }, softHints, false},
		{"a body that was not read whole is not read", func(r *policy.Request) { r.Response.Body.Whole = false }, softHints, false},
		{"a coded body is not read", func(r *policy.Request) { r.Response.Header = header("Content-Encoding", "gzip") }, softHints, false},
		{"a part of a body is not read", func(r *policy.Request) { r.Response.Status = http.StatusPartialContent }, softHints, false},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			r := shape{body: body}.answer(http.StatusOK)
			tt.change(r)
			_, soft := policy.SoftDenialOf(r, tt.hints)
			assert.Equal(t, tt.want, soft)
		})
	}
}
