package threats_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
)

// crashing has what validators crashed on: CVE-2026-73502, GHSA-mmfr-pmjx-hw9w and an index
// that is as long as a client says.
const crashing = `paths:
  /search:
    get:
      parameters:
        - {name: f, in: query, style: deepObject, schema: {type: object, additionalProperties: false, properties: {a: {type: array, items: {type: integer}}, b: {type: integer}}}}
        - {name: g, in: query, style: deepObject, schema: {type: object, properties: {c: {type: integer}}}}
        - {name: q, in: query, content: {application/json: {}}}
        - {name: s, in: query, content: {application/json: {schema: {type: array, items: {type: integer}}}}}
        - {name: n, in: query, schema: {type: integer}}
      responses: {'200': {description: ok}}
  /forms:
    post:
      requestBody:
        content:
          multipart/form-data:
            schema: {type: object, properties: {n: {type: integer}, b: {type: boolean}, o: {type: object, properties: {i: {type: integer}}}, l: {type: array, items: {type: integer}}}}
          application/x-www-form-urlencoded:
            schema: {type: object, properties: {n: {type: integer}, l: {type: array, items: {type: integer}}}}
          application/json:
            schema: {type: array, items: {type: object, nullable: true, properties: {n: {type: integer}}}}
      responses: {'200': {description: ok}}
`

// formOf is a multipart body of one part.
func formOf(head, content string) string {
	return "--b\r\nContent-Disposition: form-data; " + head + "\r\n\r\n" + content + "\r\n--b--\r\n"
}

// TestThreatValidatorCrash: what made validators panic, or work without bound, has an
// answer at once.
func TestThreatValidatorCrash(t *testing.T) {
	worlds := both(t, plan{contract: document("3.0.3", crashing)})
	const multipart = "multipart/form-data; boundary=b"
	deep := strings.Repeat("[a]", 2_000)
	for _, row := range []struct{ name, query, mediaType, body string }{
		{"an index without end", "f[1000000000]=x", "", ""},
		{"an index in an index", "f[a][1000000000]=1", "", ""},
		{"a negative index", "f[a][-1]=1", "", ""},
		{"an index of an integer", "f[b][0][1]=1", "", ""},
		{"names in names", "g[c]" + deep + "=1", "", ""},
		{"an open bracket", "f[=1", "", ""},
		{"no name", "f[]=1", "", ""},
		{"the object as a scalar", "f=1", "", ""},
		{"content without a schema that is no JSON", "q={", "", ""},
		{"content without a schema, empty", "q=", "", ""},
		{"content without a schema, twice", "q=1&q=2", "", ""},
		{"content that nests", "s=" + strings.Repeat("[", 7_000), "", ""},
		{"content of another type", `s={"a":1}`, "", ""},
		{"null for items", "s=[null]", "", ""},
		{"an integer of 7 000 digits", "n=" + strings.Repeat("9", 7_000), "", ""},
		{"an exponent", "n=1e999999999", "", ""},
		{"a scalar of a form that is none", "", multipart, formOf(`name="n"`, "x")},
		{"an empty scalar", "", multipart, formOf(`name="n"`, "")},
		{"an empty boolean", "", multipart, formOf(`name="b"`, "")},
		{"a scalar for an object", "", multipart, formOf(`name="o"`, "1")},
		{"broken JSON in a part", "", multipart, formOf("name=\"o\"\r\nContent-Type: application/json", `{"i":`)},
		{"null for an object", "", multipart, formOf("name=\"o\"\r\nContent-Type: application/json", `null`)},
		{"an item that is none", "", multipart, formOf(`name="l"`, "x")},
		{"a file for a scalar", "", multipart, formOf("name=\"n\"; filename=\"a\"\r\nContent-Type: image/png", "\x00")},
		{"a part without a name", "", multipart, formOf(`filename="a"`, "1")},
		{"no head", "", multipart, "--b\r\n\r\n1\r\n--b--\r\n"},
		{"no part", "", multipart, "nothing"},
		{"a form whose scalar is twice", "", "application/x-www-form-urlencoded", "n=1&n=2"},
		{"a form whose item is none", "", "application/x-www-form-urlencoded", "l=1&l="},
		{"items that are none", "", "application/json", `[null,[null],1]`},
		{"null for an array", "", "application/json", `null`},
		{"a scalar for an array", "", "application/json", `0`},
	} {
		m := message{name: row.name, target: "/forms", header: typed(row.mediaType), body: row.body}
		if row.query != "" {
			m.method, m.target = http.MethodGet, "/search?"+row.query
		}
		for mode, w := range worlds {
			before := spent(t)
			a, got, seen := w.meets(t, m)
			took := spent(t) - before
			for range 2 { // the shortest tells the cost from that of the collector
				before = spent(t)
				a, got, seen = w.meets(t, m)
				took = min(took, spent(t)-before)
			}
			assert.Less(t, took, slowness*20*time.Millisecond, row.name)
			for _, f := range seen.decision.Findings {
				assert.NotEqual(t, policy.InternalError, f.Verdict.Reason, "%s: %v", row.name, f.Verdict.Err)
			}
			if mode == policy.Shadow {
				assert.Equal(t, 200, a.status, row.name)
				m.passes(t, got)
				continue
			}
			assert.Equal(t, 400, a.status, row.name)
			assert.Empty(t, got, row.name)
		}
	}
	for _, m := range []message{
		{name: "what is declared", method: http.MethodGet, target: `/search?f[b]=1&g[c]=2&q={%22a%22:1}&s=[1,2]&n=3`},
		{name: "a form", target: "/forms", header: typed(multipart), body: formOf(`name="n"`, "1")},
		{name: "items", target: "/forms", header: typed("application/json"), body: `[null,{"n":1}]`},
	} {
		permitted(t, worlds, m)
	}
}

// bomb is a stage, a check or an inspector that panics for the requests that ask for it.
type bomb struct {
	matcher policy.Matcher
	check   policy.Check
	inspect policy.Inspector
}

const bombHeader = "X-Bomb"

func fuse(r *policy.Request) {
	if r.Header.Get(bombHeader) != "" {
		panic(fmt.Sprint("a secret of ", r.Path))
	}
}

func (b bomb) Match(r *policy.Request) policy.Match {
	fuse(r)
	return b.matcher.Match(r)
}

func (b bomb) Check(ctx context.Context, r *policy.Request) policy.Verdict {
	fuse(r)
	return b.check.Check(ctx, r)
}

func (b bomb) Inspect(r *policy.Request, body []byte, size int64, whole bool) policy.Body {
	fuse(r)
	return b.inspect.Inspect(r, body, size, whole)
}

// laid replaces the check of a control by one that panics.
func laid(control policy.Control) func(*policy.Policy) {
	return func(p *policy.Policy) {
		for _, op := range p.Operations {
			for _, rule := range op.Rules {
				if rule.Control == control {
					rule.Check = bomb{check: rule.Check}
				}
			}
		}
	}
}

// TestThreatPanicOfAWholePolicy: whatever part of it panics, the one request is answered
// 500 under enforce, and goes through in shadow with a finding; the next is served as
// ever, and nobody learns what the panic said.
func TestThreatPanicOfAWholePolicy(t *testing.T) {
	t.Parallel()
	const contract = `paths: {/a: {post: {requestBody: {content: {application/json: {schema: {type: object}}}}, responses: {'200': {description: ok, content: {application/json: {schema: {type: object}}}}}}}}` + "\n"
	for _, row := range []struct {
		name    string
		damage  func(*policy.Policy)
		control policy.Control
		late    bool // after the backend
	}{
		{"the matcher", func(p *policy.Policy) { p.Matcher = bomb{matcher: p.Matcher} }, policy.InRoute, false},
		{"a check of the head", laid(policy.InCtype), policy.InCtype, false},
		{"a check of the body", laid(policy.InSchema), policy.InSchema, false},
		{"a check of the answer", laid(policy.OutSchema), policy.OutSchema, true},
		{"the inspector of bodies", func(p *policy.Policy) { p.Operations[0].In = bomb{inspect: p.Operations[0].In} }, policy.InWellformed, false},
		{"the inspector of answers", func(p *policy.Policy) { p.Operations[0].Out = bomb{inspect: p.Operations[0].Out} }, policy.OutSchema, true},
	} {
		for mode, w := range both(t, plan{contract: document("3.0.3", contract), damage: row.damage}) {
			good := message{name: row.name, target: "/a", header: typed("application/json"), body: `{"a":1}`}
			bad := good
			bad.header = append(typed("application/json"), bombHeader+": 1")
			a, got, seen := w.meets(t, bad)
			f, judged := seen.decision.Find(row.control)
			require.True(t, judged, "%s, %s", mode, row.name)
			assert.Equal(t, policy.Indeterminate, f.Verdict.Effect, "%s, %s", mode, row.name)
			assert.Equal(t, policy.InternalError, f.Verdict.Reason, "%s, %s", mode, row.name)
			assert.NotContains(t, fmt.Sprint(f.Verdict.Err), "secret", row.name)
			assert.NotContains(t, a.body, "secret", row.name)
			if mode == policy.Shadow {
				assert.Equal(t, 200, a.status, row.name)
				assert.Equal(t, policy.WouldBlock, seen.outcome.Disposition, row.name)
				bad.passes(t, got)
			} else {
				assert.Equal(t, 500, a.status, row.name)
				assert.Equal(t, policy.Blocked, seen.outcome.Disposition, row.name)
				assert.Equal(t, row.late, len(got) == 1, row.name)
			}
			permitted(t, map[policy.Mode]*world{mode: w}, good)
		}
	}
}
