package openapi_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sidewarden/sidewarden/policy/openapi"
)

// TestCookiesAreReadAlikeOrNotAtAll: where a cookie is a parameter, a header from which
// servers make different cookies is denied, whichever cookie it is about.
func TestCookiesAreReadAlikeOrNotAtAll(t *testing.T) {
	a := parametersOf(t, "3.0.3", map[string]string{
		"/p":    "{name: tier, in: cookie, required: true, schema: {type: string, enum: [free]}}",
		"/list": "{name: l, in: cookie, explode: false, schema: {type: array, items: {type: integer}}}",
		"/doc":  "{name: d, in: cookie, content: {application/json: {schema: {type: object, properties: {a: {type: array, items: {type: integer}}}}}}}",
		"/none": "{name: tier, in: query, schema: {type: string}}",
	}, openapi.Options{})
	const denied = "parameter-invalid cookie encoding"
	for _, row := range []struct{ path, cookie, want string }{
		{"/p", "tier=free", "permit"},
		{"/p", `tier="free"`, "permit"},
		{"/p", "x=1; tier=free;", "permit"},
		{"/p", "x=1;tier=free ; ", "permit"},
		{"/p", "a$b=1; _ga=GA1.2.3; x=a=b%20c/{}[]()<>?@:'; tier=free", "permit"},
		{"/p", "x=; tier=free", "permit"},
		{"/p", "tier=free; x=1, tier=gold", denied},
		{"/p", "tier=free; x=1,tier=gold", denied},
		{"/p", "tier=free; x=1 tier=gold", denied},
		{"/p", "tier=free; x=1\ttier=gold", denied},
		{"/p", "tier=free; tier =gold", denied},
		{"/p", "tier=free; x= gold", denied},
		{"/p", `x="; tier=free; y="`, denied},
		{"/p", `x="a; tier=free`, denied},
		{"/p", `x=a"b; tier=free`, denied},
		{"/p", `x="; tier=free`, denied},
		{"/p", `x="a"b"; tier=free`, denied},
		{"/p", `x="a\054"; tier=free`, denied},
		{"/p", "$Version=1; tier=free", denied},
		{"/p", "tier=free; $Path=/", denied},
		{"/p", "tier=free; ti[er]=gold", denied},
		{"/p", "tier=free; =gold", denied},
		{"/p", "tier=free; tier", denied},
		{"/p", "x=1;; tier=free", denied},
		{"/p", "; tier=free", denied},
		{"/p", "tier=free; x=\xc3\xa9", denied},
		{"/p", "tier=free; x=a\x7f", denied},
		{"/p", "", "parameter-missing cookie.tier"},
		{"/list", "l=1,2", "permit"},
		{"/list", "l=1,2; x=1,2", denied},
		{"/list", `l=1,2"`, denied},
		{"/doc", `d={"a":[1,2]}`, "permit"},
		{"/doc", `d={"a":[1]}; x={"a":[1]}`, denied},
		{"/doc", `d={"a":"; tier=free; y="}`, denied},
		{"/none", `x="; tier=free, y=1`, "permit"},
	} {
		assert.Equal(t, row.want, a.says(row.path, "Cookie: "+row.cookie), "%s %s", row.path, row.cookie)
	}
	assert.Equal(t, denied, a.says("/p", "Cookie: tier=free", "Cookie: x=1, tier=gold"), "in any line")
}
