package policy_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/sidewarden/sidewarden/policy"
)

// emptyByTree and softByTree read an answer with encoding/json. What ClassOf reads
// in place must be the same.
func emptyByTree(b []byte) bool {
	b = bytes.TrimSpace(b)
	switch {
	case len(b) == 0:
		return false
	case bytes.Equal(b, []byte("null")):
		return true
	case b[0] == '[':
		var list []json.RawMessage
		return json.Unmarshal(b, &list) == nil && len(list) == 0
	case b[0] != '{':
		return false
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(b, &object) != nil {
		return false
	}
	arrays := 0
	for _, v := range object {
		switch v[0] {
		case '{':
			return false
		case '[':
			var list []json.RawMessage
			if json.Unmarshal(v, &list) != nil || len(list) > 0 {
				return false
			}
			arrays++
		}
	}
	return arrays == 1
}

func softByTree(document any, s policy.SoftDenial) (policy.Family, bool) {
	value, ok := branch(document, s.Pointer)
	want, valid := tree([]byte(s.Equals))
	if !ok || !valid || !reflect.DeepEqual(value, want) {
		return "", false
	}
	if code, ok := branch(document, s.Code); ok && s.Code != "" {
		if text, ok := code.(string); ok {
			return s.Families[text], true
		}
	}
	return "", true
}

func tree(b []byte) (document any, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.UseNumber()
	err := decoder.Decode(&document)
	return document, err == nil
}

func branch(document any, pointer string) (any, bool) {
	if pointer == "" {
		return document, true
	}
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		object, ok := document.(map[string]any)
		if !ok {
			return nil, false
		}
		if document, ok = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)]; !ok {
			return nil, false
		}
	}
	return document, true
}

// denials are what the comparison looks for: each kind of value, by each kind of
// pointer.
func denials() []policy.SoftDenial {
	families := map[string]policy.Family{"AUTH": policy.AuthN, "é": policy.AuthZObj}
	var all []policy.SoftDenial
	for _, pointer := range []string{"", "/a", "/a/b", "/", "/~1", "/~01", "/é", "a", "/a/"} {
		for _, literal := range []string{"false", " null ", "1", "1e2", `"x"`, `"\u00e9"`, "{}", "[]", `{"b":1}`, "", "fals", "true x"} {
			all = append(all, policy.SoftDenial{Pointer: pointer, Equals: literal, Code: "/code", Families: families})
		}
	}
	return all
}

// sameAsTree compares what is read in place with what encoding/json reads.
func sameAsTree(t *testing.T, body []byte) {
	t.Helper()
	r := shape{method: "GET", body: policy.Body{Bytes: body, Size: int64(len(body)), Whole: true}}.answer(200)
	empty := policy.ClassOf(r, policy.Hints{}) == policy.ClassEmpty
	assert.Equal(t, emptyByTree(body), empty, "empty: %.80q", body)
	document, valid := tree(body)
	for i, d := range denials() {
		if len(body) > 10000 && i%10 > 0 {
			continue // one of ten is enough to read what is large
		}
		family, soft := policy.SoftDenialOf(r, policy.Hints{SoftDenials: []policy.SoftDenial{d}})
		var wantFamily policy.Family
		want := false
		if valid {
			wantFamily, want = softByTree(document, d)
		}
		assert.Equal(t, want, soft, "%s = %s: %.80q", d.Pointer, d.Equals, body)
		assert.Equal(t, wantFamily, family, "%s = %s: %.80q", d.Pointer, d.Equals, body)
	}
}

func documents() []string {
	nested := func(open, shut string, n int) string { return strings.Repeat(open, n) + strings.Repeat(shut, n) }
	return []string{
		``, ` `, `null`, ` null `, `nul`, `nullx`, `truefalse`, `[`, `[]`, `[ ]`, `[]]`, `[,]`, `[1,]`, `[] x`, "\v[]\u00a0", "[\v]",
		`{}`, `{`, `{,}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1 "b":2}`, `{a:1}`, `{"a":[]}`, `{"a":[],}`, `{"a":[]} x`, `{"a":[]}}`,
		`{"a":[1]}`, `{"a":[1}`, `{"a":[],"b":1}`, `{"a":[],"b":{}}`, `{"a":[],"b":tru}`, `{"a":{},"b":tru}`, `{"a":[],"b":"\x"}`,
		`{"a":[1],"a":[]}`, `{"a":{},"\u0061":[]}`, `{"a":[],"a":1}`, `{"a":[],"a":[]}`, `{"a":[],"b":[],"b":0}`, `{"a":{"a":1},"b":[]}`,
		"{\"\xff\":{},\"\xfe\":[]}", `{"\ud800":{},"\ufffd":[]}`, "{\"é\":{},\"\\u00e9\":[]}", "{\"a\":[],\"b\":\"\xff\"}", "{\"a\":[],\"b\":\"\n\"}",
		`{"a":[],"b":-0}`, `{"a":[],"b":01}`, `{"a":[],"b":1.}`, `{"a":[],"b":1.5e+7}`, `{"a":[],"b":1e}`, `{"a":[],"b":-}`, `{"a":[],"b":.5}`,
		`{"a":[],"b":+1}`, `{"a":[],"b":"\u12G4"}`, `{"a":[],"b":"\u12`, `{"a":[],"b":"\`, `{"a":[],"b":"`, `{"a":[],"b":"\/\b\f\n\r\t\"\\"}`,
		`{"a":false,"code":"AUTH"}`, `{"a":false,"code":"\u00e9"}`, `{"a":true,"a":false}`, `{"a":false,"a":true}`, `{"a":{"b":null}}`, `{"a":{"b":1}}`,
		`{"a":{"b":1},"a":{}}`, `{"a":1e2}`, `{"a":100}`, `{"":"x"}`, `{"/":1}`, `{"~1":1}`, `{"é":"é"}`, `{"\u0061":"\u0078"}`, `"x"`, `1`, `12x`, `01`, `1e`, `1 `,
		`{"a":{"":{}}}`, `{"a": { "b" : 1 } } trailing`, `{"a":false`, `{"code":"AUTH","a":"\u00E9"}`,
		nested("[", "]", 10000), nested("[", "]", 10001), nested(`{"a":`, "}", 3), `{"a":[],"b":` + nested("[", "]", 9999) + `,"b":1}`,
		`{"a":[],"b":` + nested("[", "]", 10000) + `,"b":1}`, strings.Repeat(`{"a":`, 10000) + "1" + strings.Repeat("}", 10000),
		strings.Repeat(`{"a":`, 9999) + "{}" + strings.Repeat("}", 9999), strings.Repeat(`{"a":`, 10000) + "{}" + strings.Repeat("}", 10000),
	}
}

func TestAnAnswerIsReadAsEncodingJSONReadsIt(t *testing.T) {
	for _, body := range documents() {
		sameAsTree(t, []byte(body))
	}
}

// Documents of few names and many faults, in which names meet.
func TestAnyMixOfJSONIsReadAsEncodingJSONReadsIt(t *testing.T) {
	names := rapid.SampledFrom([]string{`"a"`, `"b"`, `"\u0061"`, `"code"`, `""`, `"~1"`, `"é"`, "\"\xff\""})
	var value *rapid.Generator[string]
	object := rapid.Custom(func(t *rapid.T) string {
		members := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			return names.Draw(t, "name") + rapid.SampledFrom([]string{":", " : ", ":", ""}).Draw(t, "colon") + value.Draw(t, "value")
		}), 0, 4).Draw(t, "members")
		return "{" + strings.Join(members, rapid.SampledFrom([]string{",", ", ", ",", ",,"}).Draw(t, "comma")) + "}"
	})
	value = rapid.OneOf(
		rapid.SampledFrom([]string{`[]`, `[ ]`, `[]`, `{}`, `null`, `false`, `1`, `1e2`, `01`, `"x"`, `"AUTH"`, `[1]`, `[[],{}]`, `tru`}),
		rapid.Deferred(func() *rapid.Generator[string] { return object }),
	)
	rapid.Check(t, func(rt *rapid.T) { sameAsTree(t, []byte(object.Draw(rt, "document"))) })
}

func TestAnObjectOfManyCompoundMembersIsNotEmpty(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"\u0061":0`)
	for i := range 1000 {
		b.WriteString(`,"` + strings.Repeat("m", i) + `":[]`)
	}
	b.WriteString(`}`)
	sameAsTree(t, []byte(b.String()))
}

func TestAnAnswerIsClassifiedWithoutAllocating(t *testing.T) {
	for body, want := range map[string]policy.ResponseClass{
		`{"id":"o-4711","state":"placed","lines":[{"product":"port"}]}`:    policy.ClassOK,
		`{"id":"o-4711","text":"a \"b\"","lines":[{"lines":[]}],"n":1e-3}`: policy.ClassOK,
		`{"total":0,"items":[]}`:          policy.ClassEmpty,
		`[]`:                              policy.ClassEmpty,
		`{"success":false,"code":"AUTH"}`: policy.ClassSoftDeny,
	} {
		s := shape{method: "GET", json: true, body: whole(body), header: header("Content-Type", "application/json"), hints: softHints}
		r := s.answer(200)
		assert.Equal(t, want, policy.ClassOf(r, s.hints), body)
		assert.Zero(t, testing.AllocsPerRun(100, func() { policy.ClassOf(r, s.hints) }), body)
	}
}

// FuzzAnswer: what ClassOf reads of any answer in place is what encoding/json reads.
// Only an object of more than 16 compound members, some of one name, may differ.
func FuzzAnswer(f *testing.F) {
	for _, body := range documents() {
		if len(body) < 1<<10 {
			f.Add([]byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 4<<10 || bytes.Count(body, []byte("["))+bytes.Count(body, []byte("{")) > 16 {
			return
		}
		sameAsTree(t, body)
	})
}

func BenchmarkClassOf(b *testing.B) {
	list := `{"items":[` + strings.Repeat(`{"id":"o-4711","state":"placed"},`, 100) + `{}],"total":101}`
	for name, body := range map[string]string{
		"small object": `{"id":"o-4711","state":"placed","lines":[]}`, "list": list, "list with escapes": strings.ReplaceAll(list, "placed", `\"`),
	} {
		r := shape{method: "GET", json: true, body: whole(body), header: header("Content-Type", "application/json")}.answer(200)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				policy.ClassOf(r, policy.Hints{})
			}
		})
	}
}
