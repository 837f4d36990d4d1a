package threats_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
)

// generous has a default wherever a contract can have one: a validator that fills them
// in changes every request that leaves something out.
const generous = `paths:
  /things/{id}:
    post:
      operationId: make
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}}
        - {name: text, in: query, schema: {type: string, default: filled}}
        - {name: count, in: query, schema: {type: integer, minimum: 0, default: 7}}
        - {name: flag, in: query, schema: {type: boolean, default: true}}
        - {name: tags, in: query, schema: {type: array, items: {type: string}, default: [filled]}}
        - {name: list, in: query, explode: false, schema: {type: array, items: {type: integer}}}
        - {name: piped, in: query, style: pipeDelimited, explode: false, schema: {type: array, items: {type: integer}}}
        - {name: deep, in: query, style: deepObject, schema: {type: object, properties: {a: {type: integer}, b: {type: string, default: filled}}}}
        - {name: json, in: query, content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}}
        - {name: X-Trace, in: header, schema: {type: string, default: filled}}
      requestBody:
        content:
          application/json: {schema: {$ref: '#/components/schemas/Thing'}}
          application/vnd.thing+json: {schema: {$ref: '#/components/schemas/Thing'}}
          application/x-www-form-urlencoded: {schema: {$ref: '#/components/schemas/Form'}}
          multipart/form-data: {schema: {$ref: '#/components/schemas/Form'}}
          text/plain: {schema: {type: string, default: filled}}
          application/octet-stream: {}
          application/xml: {}
      responses: {'200': {description: ok, content: {application/json: {schema: {type: object, properties: {a: {default: 1}}}}}}}
components:
  schemas:
    Thing:
      type: object
      properties:
        name: {type: string, default: filled}
        size: {type: number, default: 1}
        some: {type: array, items: {$ref: '#/components/schemas/Thing'}, default: []}
        part: {allOf: [{$ref: '#/components/schemas/Thing'}], default: {name: filled}}
        kind: {oneOf: [{type: string, default: filled}, {type: boolean}]}
    Form: {type: object, properties: {name: {type: string, default: filled}, count: {type: integer, default: 7}, tags: {type: array, items: {type: string}}}}
`

// writer makes valid requests in every spelling that the wire has for them.
type writer struct{ *rand.Rand }

// maybe writes nothing half of the time.
func (w *writer) maybe(part func() string) string {
	if w.IntN(2) == 0 {
		return ""
	}
	return part()
}

func (w *writer) one(of ...string) string { return of[w.IntN(len(of))] }

// text is a text of any letters.
func (w *writer) text() []rune {
	letters := []rune("abcXYZ019 -._~!é€😀/?&=+%;,#\"\\<>[]{}|")
	all := make([]rune, w.IntN(8))
	for i := range all {
		all[i] = letters[w.IntN(len(letters))]
	}
	return all
}

// escaped writes a text for a query or a form: a letter as itself where it may be that, or
// as an escape of either case.
func (w *writer) escaped(text []rune) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == ' ' && w.IntN(2) == 0:
			b.WriteByte('+')
		case strings.ContainsRune("abcXYZ019-._~!/?", r) && w.IntN(4) > 0:
			b.WriteRune(r)
		default:
			for _, c := range []byte(string(r)) {
				fmt.Fprintf(&b, w.one("%%%02x", "%%%02X"), c)
			}
		}
	}
	return b.String()
}

func (w *writer) space() string { return w.one("", "", " ", "\n", "\t\r\n  ") }

// str writes a string of JSON.
func (w *writer) str(text []rune) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r < 0x10000 && (w.IntN(4) == 0 || r == '"' || r == '\\'):
			fmt.Fprintf(&b, w.one(`\u%04x`, `\u%04X`), r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + `"`
}

// thing writes an object of the schema.
func (w *writer) thing(depth int) string {
	members := []func() string{
		func() string { return w.str([]rune("name")) + w.space() + ":" + w.space() + w.str(w.text()) },
		func() string {
			return `"size":` + w.one("0", "-0.0", "1e2", "1E+2", "100", "0.1e-7", "9007199254740993")
		},
		func() string { return `"kind":` + w.one("true", "false", `""`, `"a"`) },
		func() string { return `"other":` + w.one("null", "[]", "{}", `{"deep":[1,{}]}`) },
	}
	if depth > 0 {
		members = append(members,
			func() string { return `"some":[` + w.thing(depth-1) + w.space() + "," + w.thing(depth-1) + "]" },
			func() string { return `"part":` + w.thing(depth-1) })
	}
	w.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	var written []string
	for _, member := range members {
		if text := w.maybe(member); text != "" {
			written = append(written, w.space()+text+w.space())
		}
	}
	return w.space() + "{" + strings.Join(written, ",") + w.space() + "}" + w.space()
}

func (w *writer) fields(parts ...func() string) string {
	w.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	var written []string
	for _, part := range parts {
		if text := w.maybe(part); text != "" {
			written = append(written, text)
		}
	}
	return strings.Join(written, "&")
}

func (w *writer) query() string {
	return w.fields(
		func() string { return "text=" + w.escaped(w.text()) },
		func() string { return w.one("count", "c%6funt", "%63ount") + "=" + w.one("0", "7", "%37", "12") },
		func() string { return "flag=" + w.one("true", "false") },
		func() string { return "tags=" + w.escaped(w.text()) + "&tags=" + w.escaped(w.text()) },
		func() string { return "list=" + w.one("1", "1,2,3", "1,%32") },
		func() string { return "piped=" + w.one("1", "1%7C2") },
		func() string { return w.one("deep[a]=1", "deep%5Ba%5d=1&deep[b]=", "deep[b]=%41") },
		func() string { return "json=" + w.escaped([]rune(strings.TrimSpace(w.thing(0)))) },
	)
}

func (w *writer) form() string {
	return w.fields(
		func() string { return w.one("name", "n%61me") + "=" + w.escaped(w.text()) },
		func() string { return "count=" + w.one("1", "%31") },
		func() string { return "tags=" + w.escaped(w.text()) + "&tags=" },
	)
}

func (w *writer) multipart() string {
	part := func(head, content string) string {
		return "--b\r\nContent-Disposition: form-data; name=" + head + "\r\n\r\n" + content + "\r\n"
	}
	var b strings.Builder
	b.WriteString(part(`"name"`, string(w.text())))
	b.WriteString(w.maybe(func() string { return part("count", w.one("1", "20")) }))
	b.WriteString(w.maybe(func() string { return part("\"tags\"\r\nContent-Type: text/plain", "a") + part(`"tags"`, "") }))
	return b.String() + "--b--" + w.one("", "\r\n")
}

func (w *writer) octets() string {
	b := make([]byte, 1+w.IntN(64))
	for i := range b {
		b[i] = byte(w.Uint32())
	}
	return string(b)
}

func (w *writer) request() message {
	m := message{target: "/things/" + w.one("a", "B-1", "%61", "a%20b", "%C3%A9", "~._-"), chunked: w.IntN(4) == 0}
	if query := w.query(); query != "" || w.IntN(8) == 0 {
		m.target += "?" + query
	}
	m.header = append(m.header, "X-Trace: "+w.one("1", "a, b", `"x"`))
	kinds := []func() (mediaType, body string){
		func() (string, string) {
			return w.one("application/json", "Application/JSON; charset=UTF-8", "application/vnd.thing+json"), w.thing(2)
		},
		func() (string, string) { return "application/x-www-form-urlencoded", w.form() },
		func() (string, string) {
			return w.one("multipart/form-data; boundary=b", `multipart/form-data;boundary="b"`), w.multipart()
		},
		func() (string, string) {
			return w.one("text/plain", "text/plain; charset=utf-8"), "x" + string(w.text())
		},
		func() (string, string) { return "application/octet-stream", w.octets() },
		func() (string, string) {
			return "application/xml", "<a b='1'>" + w.one("", "&lt;", "<!-- c -->", "<![CDATA[<]]>") + "</a>"
		},
	}
	mediaType, body := kinds[w.IntN(len(kinds))]()
	m.header, m.body = append(m.header, typed(mediaType)...), body
	if m.body == "" {
		m.chunked = false // nothing, which no media type describes
		m.header = m.header[:1]
	}
	return m
}

// TestThreatAValidatorThatRewritesWhatItJudged: body and target arrive as they were sent,
// byte for byte, whatever the spelling, and no default is filled in.
func TestThreatAValidatorThatRewritesWhatItJudged(t *testing.T) {
	t.Parallel()
	const each = generated / 2 // of each version, in each mode
	for _, version := range []string{"3.0.3", "3.1.0"} {
		for _, mode := range modes() {
			t.Run(version+" "+mode.String(), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, plan{contract: document(version, generous), mode: mode})
				writes, c := &writer{rand.New(rand.NewPCG(6, uint64(len(version))))}, w.client(t)
				sent := make([]message, each)
				for i := range sent {
					sent[i] = writes.request()
					require.Equal(t, http.StatusOK, c.send(t, sent[i], whole).status, "%q", sent[i].wire())
				}
				got, seen := w.take(t, each)
				require.Len(t, got, each)
				bodies, queries := 0, 0
				for i, m := range sent {
					require.Equal(t, m.target, got[i].target)
					require.Equal(t, m.body, string(got[i].body))
					f, judged := seen[i].decision.Find(policy.InSchema)
					require.True(t, judged)
					require.Equal(t, policy.Permit, f.Verdict.Effect, "%q: %s %s", m.wire(), f.Verdict.Reason, f.Verdict.Detail)
					require.Equal(t, policy.Allowed, seen[i].outcome.Disposition, "%q", m.wire())
					if m.body != "" {
						bodies++
					}
					if strings.Contains(m.target, "?") {
						queries++
					}
				}
				assert.Greater(t, bodies, each/2)
				assert.Greater(t, queries, each/2)
			})
		}
	}
}
