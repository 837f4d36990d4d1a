package openapi

import (
	"bytes"
	"encoding/json"
	"iter"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

const urlencodedType = "application/x-www-form-urlencoded"

// formOf returns the judge of forms by a media type of a contract.
func formOf(t testing.TB, modern bool, mediaType string) (*formBody, []string) {
	t.Helper()
	var kin openapi3.MediaType
	require.NoError(t, json.Unmarshal([]byte(mediaType), &kin), mediaType)
	decoder := json.NewDecoder(strings.NewReader(mediaType))
	decoder.UseNumber()
	var tree any
	require.NoError(t, decoder.Decode(&tree))
	docs := schema.NewDocuments()
	docs.Add("test.json", tree)
	c := schema.NewCompiler(docs, schema.Options{Modern: modern})
	s := c.Schema(schema.Place{Document: "test.json"}.Child("schema"))
	problems, _ := c.End()
	require.Empty(t, problems, mediaType)
	return newFormBody(&kin, s)
}

type pair struct{ name, value string }

// fields are the tokens of a form: "name=value&name=value".
func fields(text string) iter.Seq2[jsontext.Kind, []byte] {
	var pairs []pair
	if text != "" {
		for field := range strings.SplitSeq(text, "&") {
			name, value, _ := strings.Cut(field, "=")
			pairs = append(pairs, pair{name, value})
		}
	}
	return func(yield func(jsontext.Kind, []byte) bool) {
		var scratch [2][]byte // text is valid until the next token
		if !yield(jsontext.KindBeginObject, nil) {
			return
		}
		for _, p := range pairs {
			scratch[0], scratch[1] = append(scratch[0][:0], p.name...), append(scratch[1][:0], p.value...)
			if !yield(jsontext.KindString, scratch[0]) || !yield(jsontext.KindString, scratch[1]) {
				return
			}
		}
		yield(jsontext.KindEndObject, nil)
	}
}

// aPart is a part of a multipart body: that of JSON has the tokens of its document.
type aPart struct {
	name, mediaType, body string
}

// asFile ends the media type of a part that has a filename.
const asFile = " file"

func sentParts(all ...aPart) iter.Seq2[jsontext.Kind, []byte] {
	return func(yield func(jsontext.Kind, []byte) bool) {
		yield(jsontext.KindBeginObject, nil)
		for _, p := range all {
			yield(jsontext.KindString, []byte(p.name))
			mediaType, file := strings.CutSuffix(p.mediaType, asFile)
			p.mediaType = mediaType
			yield(policy.PartType, []byte(p.mediaType))
			if file {
				yield(policy.PartFile, nil)
			}
			if !policy.IsJSON(p.mediaType) {
				yield(jsontext.KindString, []byte(p.body))
				continue
			}
			yield(policy.PartBytes, []byte(p.body))
			d := jsontext.NewDecoder(bytes.NewBufferString(p.body))
			for {
				token, err := d.ReadToken()
				if err != nil {
					break
				}
				text := ""
				if k := token.Kind(); k == jsontext.KindString || k == jsontext.KindNumber {
					text = token.String()
				}
				yield(token.Kind(), []byte(text))
			}
		}
		yield(jsontext.KindEndObject, nil)
	}
}

// verdictOn is what in.schema says of a form: the tail is that of every document.
func verdictOn(f *formBody, mediaType string, tokens iter.Seq2[jsontext.Kind, []byte]) policy.Verdict {
	var run schema.Run
	if v, decided := f.judge(&run, mediaType, tokens); decided {
		return v
	}
	return tail(&run)
}

func tail(run *schema.Run) policy.Verdict {
	if f, failed := run.Fault(); failed {
		return policy.Denied(policy.SchemaMismatch, strings.TrimSpace(f.Pointer+" "+f.Keyword))
	}
	if at, found := run.Stranger(); found {
		return policy.Denied(policy.UndeclaredProperty, at)
	}
	return policy.Permitted()
}

// said is a verdict in a word or two, for the tables.
func said(v policy.Verdict) string {
	switch {
	case v.Effect == policy.Permit:
		return "ok"
	case v.Effect == policy.Deny && v.Reason == policy.SchemaMismatch:
		return v.Detail
	}
	return strings.TrimSpace(string(v.Reason) + " " + v.Detail)
}

func TestFormIsTheObjectThatTheSchemaMeans(t *testing.T) {
	t.Parallel()
	f, notes := formOf(t, false, `{"schema":{"type":"object","required":["name"],"properties":{
		"name":{"type":"string","maxLength":8},
		"count":{"type":"integer","minimum":1},
		"price":{"type":"number"},
		"agreed":{"type":"boolean"},
		"note":{"type":"string","nullable":true,"minLength":3},
		"tags":{"type":"array","maxItems":2,"items":{"type":"string","enum":["1","b"]}},
		"sizes":{"type":"array","items":{"type":"integer"}},
		"address":{"type":"object","additionalProperties":false,"properties":{"city":{"type":"string"}}},
		"either":{"oneOf":[{"type":"integer","maximum":9},{"type":"string","pattern":"^[0-9]{3}$"}]},
		"digits":{"anyOf":[{"type":"boolean"},{"type":"string","enum":["true","12"]}]},
		"one":{"oneOf":[{"type":"array","items":{"type":"integer"}},{"type":"string","enum":["none"]}]},
		"id":{"type":"string","readOnly":true}}}}`)
	require.Empty(t, notes)
	for _, c := range []struct{ form, want string }{
		{"name=x", "ok"},
		{"name=12", "ok"},
		{"name=true", "ok"},
		{"name=", "ok"},
		{"", "/name required"},
		{"count=1", "/name required"},
		{"name=123456789", "/name maxLength"},
		{"name=x&count=3", "ok"},
		{"name=x&count=0", "/count minimum"},
		{"name=x&count=three", "/count type"},
		{"name=x&count=0x10", "/count type"},
		{"name=x&count=1.5", "/count type"},
		{"name=x&count=1.0", "/count type"},
		{"name=x&count=1e0", "/count type"},
		{"name=x&count=01", "/count type"},
		{"name=x&count= 1", "/count type"},
		{"name=x&count=", "/count type"},
		{"name=x&price=1e400", "/price type"},
		{"name=x&price=9e308", "/price type"},
		{"name=x&price=NaN", "/price type"},
		{"name=x&price=-1.5e3", "ok"},
		{"name=x&agreed=true", "ok"},
		{"name=x&agreed=on", "/agreed type"},
		{"name=x&agreed=1", "/agreed type"},
		{"name=x&note=", "ok"},
		{"name=x&note=ab", "/note minLength"},
		{"name=x&name=y", "/name repeated"},
		{"name=x&count=1&count=2", "/count repeated"},
		{"name=x&tags=b", "ok"},
		{"name=x&tags=1&tags=b", "ok"},
		{"tags=1&name=x&tags=b", "ok"},
		{"name=x&tags=1&tags=b&tags=b", "/tags maxItems"},
		{"name=x&tags=c", "/tags/* enum"},
		{"name=x&tags=1,b", "/tags/* enum"},
		{"name=x&sizes=1&sizes=2", "ok"},
		{"name=x&sizes=1&sizes=two", "/sizes/* type"},
		{"name=x&sizes=[1,2]", "/sizes/* type"},
		{`name=x&address={"city":"a"}`, "ok"},
		{`name=x&address={"city":1}`, "/address/city type"},
		{`name=x&address={"town":"a"}`, "/address additionalProperties"},
		{`name=x&address={"city":"a","city":"b"}`, "/address type"},
		{"name=x&address=a", "/address type"},
		{"name=x&either=7", "ok"},
		{"name=x&either=123", "ok"},
		{"name=x&either=12", "/either oneOf"},
		{"name=x&either=123&digits=12&count=2", "ok"},
		{"name=x&digits=true", "ok"},
		{"name=x&digits=false", "ok"},
		{"name=x&digits=13", "/digits anyOf"},
		{"name=x&one=none", "ok"},
		{"name=x&one=1", "ok"},
		{"name=x&one=1&one=2", "ok"},
		{"name=x&one=some", "/one oneOf"},
		{"name=x&id=1", "/id readOnly"},
		{"name=x&other=1", "undeclared-property"},
		{"name=x&other=1&other=2", "undeclared-property"},
		{"name=x&address[city]=a", "undeclared-property"},
	} {
		assert.Equal(t, c.want, said(verdictOn(f, urlencodedType, fields(c.form))), c.form)
	}
}

func TestFormUndeclaredFields(t *testing.T) {
	t.Parallel()
	closed, _ := formOf(t, false, `{"schema":{"type":"object","additionalProperties":false,"properties":{"a":{"type":"string"}}}}`)
	assert.Equal(t, "ok", said(verdictOn(closed, urlencodedType, fields("a=1"))))
	assert.Equal(t, "additionalProperties", said(verdictOn(closed, urlencodedType, fields("a=1&b=1"))))
	open, _ := formOf(t, false, `{"schema":{"type":"object","additionalProperties":{"type":"integer"}}}`)
	assert.Equal(t, "ok", said(verdictOn(open, urlencodedType, fields("a=1&b=2"))))
	assert.Equal(t, "type", said(verdictOn(open, urlencodedType, fields("a=1&b=x"))), "a name that a client made is not told")
	assert.Equal(t, "repeated", said(verdictOn(open, urlencodedType, fields("a=1&a=2"))), "nobody knows which of the two counts")
	free, _ := formOf(t, false, `{"schema":{"type":"object"}}`)
	assert.Equal(t, "ok", said(verdictOn(free, urlencodedType, fields("a=1&a=2"))), "what is left open may be an array")
}

func TestFormWrittenByAStyle(t *testing.T) {
	t.Parallel()
	f, notes := formOf(t, false, `{"schema":{"type":"object","additionalProperties":false,"properties":{
		"list":{"type":"array","items":{"type":"integer"}},
		"pipes":{"type":"array","items":{"type":"string","enum":["1","2"]}},
		"spaces":{"type":"array","items":{"type":"integer"}},
		"many":{"type":"array","items":{"type":"integer"}},
		"filter":{"type":"object","additionalProperties":false,"properties":{"min":{"type":"integer"},"name":{"type":"string"}}},
		"flat":{"type":"object","additionalProperties":false,"properties":{"x":{"type":"integer"},"y":{"type":"string"}}},
		"pairs":{"type":"object","properties":{"k":{"type":"integer"}}}}},
		"encoding":{"list":{"style":"form","explode":false},"pipes":{"style":"pipeDelimited"},"spaces":{"style":"spaceDelimited"},
			"many":{"style":"form"},"filter":{"style":"deepObject","explode":true},"flat":{"style":"form","explode":true},
			"pairs":{"explode":false}}}`)
	require.Empty(t, notes)
	for _, c := range []struct{ form, want string }{
		{"list=1,2,3", "ok"},
		{"list=1", "ok"},
		{"list=", "ok"},
		{"list=1,x", "/list/* type"},
		{"list=1&list=2", "/list repeated"},
		{"pipes=1|2", "ok"},
		{"pipes=1|3", "/pipes/* enum"},
		{"spaces=1 2", "ok"},
		{"many=1&many=2", "ok"},
		{"many=1,2", "/many/* type"},
		{"filter[min]=1&filter[name]=2", "ok"},
		{"filter[min]=x", "/filter/min type"},
		{"filter[max]=1", "/filter additionalProperties"},
		{"filter[min]=1&filter[min]=2", "/filter repeated"},
		{"filter[min][x]=1", "/filter style"},
		{"filter[min=1", "/filter style"},
		{"filter[1000000000]=x", "/filter additionalProperties"},
		{"filter=1", "/filter style"},
		{"filter[min]=1&filter=1", "/filter style"},
		{"x=1&y=2", "ok"},
		{"x=a", "/flat/x type"},
		{"flat=1", "/flat style"},
		{"pairs=k,1", "ok"},
		{"pairs=k,v", "/pairs/k type"},
		{"pairs=k", "/pairs style"},
		{"pairs=k,1,k,2", "/pairs repeated"},
		{"pairs=k,1&pairs=k,2", "/pairs repeated"},
	} {
		assert.Equal(t, c.want, said(verdictOn(f, urlencodedType, fields(c.form))), c.form)
	}
}

func TestFormTextOfAMediaType(t *testing.T) {
	t.Parallel()
	f, notes := formOf(t, false, `{"schema":{"type":"object","properties":{
		"list":{"type":"array","items":{"type":"integer"}},
		"data":{"type":"object","properties":{"a":{"type":"integer"}}},
		"tree":{"type":"object"},
		"text":{"type":"string"}}},
		"encoding":{"list":{"contentType":"application/json"},"data":{"contentType":"application/json"},"tree":{"contentType":"application/xml"},
			"text":{"contentType":"text/plain","headers":{"X-A":{"schema":{"type":"string"}}}}}}`)
	assert.Equal(t, []string{"headers of the parts of text are not judged"}, notes)
	for _, c := range []struct{ form, want string }{
		{"list=[1,2]", "ok"},
		{`list=["1"]`, "/list/* type"},
		{`data={"a":1}`, "ok"},
		{`data={"a":"1"}`, "/data/a type"},
		{`data={"a":1}{}`, "/data type"},
		{"data=" + strings.Repeat(`{"b":`, 65) + "1" + strings.Repeat("}", 65), "/data type"},
		{`data={"b":1e999}`, "/data type"},
		{"tree=<a/>", "schema-unsupported /tree"},
		{"text=<a/>", "ok"},
	} {
		assert.Equal(t, c.want, said(verdictOn(f, urlencodedType, fields(c.form))), c.form)
	}
}

func TestFormOfParts(t *testing.T) {
	t.Parallel()
	f, _ := formOf(t, false, `{"schema":{"type":"object","properties":{
		"name":{"type":"string","maxLength":3},
		"count":{"type":"integer"},
		"counts":{"type":"array","items":{"type":"integer"}},
		"order":{"allOf":[{"type":"object"}],"required":["a"],"properties":{"a":{"type":"integer"}}},
		"orders":{"type":"array","items":{"type":"object","required":["a"]}},
		"file":{"type":"string","format":"binary","maxLength":4},
		"files":{"type":"array","maxItems":2,"items":{"type":"string","format":"binary","maxLength":2}},
		"image":{"type":"string","format":"binary"}}},
		"encoding":{"image":{"contentType":"image/png, image/jpeg"},"name":{"contentType":"text/*"}}}`)
	for _, c := range []struct {
		name  string
		parts []aPart
		want  string
	}{
		{"text", []aPart{{"name", "text/plain", "abc"}}, "ok"},
		{"letters are counted of text", []aPart{{"name", "text/plain", "\u00e4\u00f6\u00fc"}}, "ok"},
		{"text that is too long", []aPart{{"name", "text/plain", "abcd"}}, "/name maxLength"},
		{"a number", []aPart{{"count", "text/plain", "12"}}, "ok"},
		{"no number", []aPart{{"count", "text/plain", "x"}}, "/count type"},
		{"a number as JSON", []aPart{{"count", "application/json", "12"}}, "ok"},
		{"bytes are no number", []aPart{{"count", "application/octet-stream", "12"}}, "/count type"},
		{"a scalar twice", []aPart{{"count", "text/plain", "1"}, {"count", "text/plain", "2"}}, "/count repeated"},
		{"an array of parts", []aPart{{"counts", "text/plain", "1"}, {"counts", "application/json", "2"}}, "ok"},
		{"an array as one document", []aPart{{"counts", "application/json", "[1,2]"}}, "ok"},
		{"an array as one document with a wrong item", []aPart{{"counts", "application/json", `[1,"2"]`}}, "/counts/* type"},
		{"JSON", []aPart{{"order", "application/json", `{"a":1}`}}, "ok"},
		{"JSON that does not fit", []aPart{{"order", "application/json", `{"a":"1"}`}}, "/order/a type"},
		{"JSON that is sent as text", []aPart{{"order", "text/plain", `{"a":1}`}}, "/order type"},
		{"two documents", []aPart{{"orders", "application/json", `{"a":1}`}, {"orders", "application/vnd.x+json", `{"b":1}`}}, "/orders/*/a required"},
		{"bytes", []aPart{{"file", "application/octet-stream", "\xff\xfe\x00\xfd"}}, "ok"},
		{"bytes are counted of bytes", []aPart{{"file", "application/octet-stream", "\xff\xfe\x00\xfd\xfc"}}, "/file maxLength"},
		{"bytes are counted of bytes that happen to be text", []aPart{{"file", "text/plain", "\u00e4\u00f6\u00fc"}}, "/file maxLength"},
		{"bytes that happen to be JSON", []aPart{{"file", "application/json", `[12]`}}, "ok"},
		{"bytes that happen to be too much JSON", []aPart{{"file", "application/json", `[123]`}}, "/file maxLength"},
		{"files", []aPart{{"files", "image/png", "\xff"}, {"files", "application/json", "12"}}, "ok"},
		{"files that are too many", []aPart{{"files", "image/png", ""}, {"files", "image/png", ""}, {"files", "image/png", ""}}, "/files maxItems"},
		{"a type that is declared", []aPart{{"image", "image/jpeg", "x"}}, "ok"},
		{"a type that is not", []aPart{{"image", "text/html", "x"}}, "/image contentType"},
		{"a type of a declared range", []aPart{{"name", "text/html", "x"}}, "ok"},
		{"a type beyond the range", []aPart{{"name", "image/png", "x"}}, "/name contentType"},
		{"an undeclared part", []aPart{{"other", "image/png", "\xff"}}, "undeclared-property"},
		{"nothing", nil, "ok"},
	} {
		assert.Equal(t, c.want, said(verdictOn(f, "multipart/form-data", sentParts(c.parts...))), c.name)
	}
	none := func(func(jsontext.Kind, []byte) bool) {}
	assert.Equal(t, "schema-unsupported", said(verdictOn(f, "multipart/mixed", none)), "parts that are no fields")
}

func TestFormOfModernContracts(t *testing.T) {
	t.Parallel()
	f, _ := formOf(t, true, `{"schema":{"type":"object","properties":{
		"file":{"contentMediaType":"application/octet-stream","maxLength":2},
		"coded":{"type":"string","contentMediaType":"image/png","contentEncoding":"base64","maxLength":2},
		"maybe":{"type":["integer","null"]},
		"what":{"const":"12"}},"unevaluatedProperties":false}}`)
	for _, c := range []struct {
		part aPart
		want string
	}{
		{aPart{"file", "image/png", "\xff\xfe"}, "ok"},
		{aPart{"file", "image/png", "\u00e4\u00f6"}, "/file maxLength"},
		{aPart{"coded", "text/plain", "\u00e4\u00f6"}, "ok"},
		{aPart{"maybe", "text/plain", ""}, "ok"},
		{aPart{"maybe", "text/plain", "x"}, "/maybe type"},
		{aPart{"what", "text/plain", "12"}, "ok"},
		{aPart{"what", "text/plain", "13"}, "/what const"},
		{aPart{"other", "text/plain", "x"}, "unevaluatedProperties"},
	} {
		assert.Equal(t, c.want, said(verdictOn(f, "multipart/form-data", sentParts(c.part))), c.part)
	}
}

func TestFormOfFiles(t *testing.T) {
	t.Parallel()
	f, _ := formOf(t, true, `{"schema":{"type":"object","properties":{
		"role":{"type":"string","maxLength":3},"kind":{"enum":["a"]},"code":{"pattern":"a"},"count":{"type":"integer"},
		"bytes":{"type":"string","format":"binary"},"base64":{"type":"string","format":"byte"},
		"image":{"contentMediaType":"image/png"},"coded":{"type":"string","contentEncoding":"base64"},
		"any":{},"list":{"type":"array","items":{"type":"string"}},"files":{"type":"array","items":{"type":"string","format":"binary"}},
		"order":{"type":"object"},"orders":{"type":"array","items":{"type":"object"}},"either":{"type":["string","object"]},
		"sheet":{"type":"string"},"note":{"type":"string"},"blob":{"type":"string"},"range":{"type":"string"},
		"deep":{"type":"object"},"csv":{"type":"array","items":{"type":"string"}}},
		"additionalProperties":{"type":"string","format":"binary","maxLength":2}},
		"encoding":{"sheet":{"contentType":"text/csv"},"note":{"contentType":"text/plain"},"blob":{"contentType":"application/json"},
			"range":{"contentType":"*/*"},"deep":{"style":"deepObject"},"csv":{"style":"form","explode":false}}}`)
	const text, bytes, json = "text/plain" + asFile, "application/octet-stream" + asFile, "application/json" + asFile
	for _, c := range []struct {
		part aPart
		want string
	}{
		{aPart{"role", text, "abc"}, "/role filename"},
		{aPart{"role", bytes, "abc"}, "/role filename"},
		{aPart{"role", json, `"a"`}, "/role filename"},
		{aPart{"role", json, `{}`}, "/role filename"},
		{aPart{"kind", text, "a"}, "/kind filename"},
		{aPart{"code", text, "a"}, "/code filename"},
		{aPart{"count", text, "1"}, "/count filename"},
		{aPart{"list", text, "a"}, "/list filename"},
		{aPart{"order", text, `{}`}, "/order filename"},
		{aPart{"order", json, `1`}, "/order filename"},
		{aPart{"order", json, `[]`}, "/order filename"},
		{aPart{"note", text, "a"}, "/note filename"},
		{aPart{"range", bytes, "a"}, "/range filename"},
		{aPart{"deep[a]", bytes, "a"}, "/deep filename"},
		{aPart{"csv", text, "a,b"}, "/csv filename"},
		{aPart{"bytes", text, "abc"}, "ok"},
		{aPart{"bytes", bytes, "\xff"}, "ok"},
		{aPart{"base64", text, "YQ=="}, "ok"},
		{aPart{"image", "image/png" + asFile, "\xff"}, "ok"},
		{aPart{"coded", text, "YQ=="}, "ok"},
		{aPart{"any", text, "abc"}, "ok"},
		{aPart{"files", bytes, "\xff"}, "ok"},
		{aPart{"order", json, `{}`}, "ok"},
		{aPart{"orders", json, `{}`}, "ok"},
		{aPart{"orders", json, `[{}]`}, "ok"},
		{aPart{"either", json, `{}`}, "ok"},
		{aPart{"either", text, `{}`}, "/either filename"},
		{aPart{"sheet", "text/csv" + asFile, "a,b"}, "ok"},
		{aPart{"blob", json, `"a"`}, "ok"},
		{aPart{"other", bytes, "\xff\xfe"}, "ok"},
		{aPart{"other", bytes, "\xff\xfe\xfd"}, "maxLength"},
	} {
		assert.Equal(t, c.want, said(verdictOn(f, "multipart/form-data", sentParts(c.part))), c.part)
	}
	closed, _ := formOf(t, true, `{"schema":{"additionalProperties":{"type":"string"}}}`)
	assert.Equal(t, "filename", said(verdictOn(closed, "multipart/form-data", sentParts(aPart{"a", text, "b"}))), "a name that a client made is not told")
}

// A part is JSON by the client's word alone where the contract does not ask for it.
func TestFormOfPartsThatSayTheyAreJSON(t *testing.T) {
	t.Parallel()
	f, _ := formOf(t, true, `{"schema":{"type":"object","properties":{
		"role":{"type":"string","pattern":"^[a-z]+$","maxLength":5},"open":{"pattern":"^[a-z]+$"},"yes":{"type":"boolean"},"count":{"type":["integer","null"]},
		"bytes":{"type":"string","format":"binary","maxLength":4},"roles":{"type":"array","items":{"type":"string","pattern":"^[a-z]+$"}},
		"order":{"type":["object","null"]},"either":{"type":["string","array"],"pattern":"^[a-z]+$","items":{"type":"integer"}},
		"asked":{"type":"string","pattern":"^[a-z]+$"},"ranged":{"type":"string","pattern":"^[a-z]+$"}}},
		"encoding":{"asked":{"contentType":"text/plain, application/json"},"ranged":{"contentType":"application/*"}}}`)
	const json = "application/json"
	for _, c := range []struct {
		part aPart
		want string
	}{
		{aPart{"role", json, `"abc"`}, "/role pattern"},
		{aPart{"role", json, `      "\u0061bc"`}, "/role maxLength"},
		{aPart{"role", "application/x+json", `true`}, "ok"}, // it is this text to everybody
		{aPart{"open", json, `"abc"`}, "/open pattern"},
		{aPart{"yes", json, `true`}, "ok"},
		{aPart{"count", json, `12`}, "ok"},
		{aPart{"count", json, ` 12`}, "/count type"},
		{aPart{"count", json, `null`}, "/count type"},
		{aPart{"bytes", json, `"\u0061"`}, "/bytes maxLength"},
		{aPart{"bytes", json, `"ab"`}, "ok"},
		{aPart{"roles", json, `"abc"`}, "/roles/* pattern"},
		{aPart{"roles", json, `["abc"]`}, "ok"},
		{aPart{"order", json, `null`}, "ok"},
		{aPart{"order", json, `{}`}, "ok"},
		{aPart{"either", json, `[1]`}, "ok"},
		{aPart{"either", json, `"abc"`}, "/either pattern"},
		{aPart{"asked", json, `"abc"`}, "ok"},
		{aPart{"asked", json, `"aBc"`}, "/asked pattern"},
		{aPart{"ranged", json, `"abc"`}, "/ranged pattern"},
	} {
		assert.Equal(t, c.want, said(verdictOn(f, "multipart/form-data", sentParts(c.part))), c.part)
	}
}

// A field of which the schema names no type and lists members is no text.
func TestFormOfObjectsWithoutAType(t *testing.T) {
	t.Parallel()
	f, _ := formOf(t, false, `{"schema":{"properties":{"order":{"required":["a"],"properties":{"a":{"type":"integer"}}}}}}`)
	assert.Equal(t, "ok", said(verdictOn(f, urlencodedType, fields(`order={"a":1}`))))
	assert.Equal(t, "/order/a required", said(verdictOn(f, urlencodedType, fields(`order={"b":1}`))))
	for _, form := range []string{"order=x", "order=1", `order={"a":`, `order={"a":1}&order={"b":1}`} {
		assert.Equal(t, "schema-unsupported /order", said(verdictOn(f, urlencodedType, fields(form))), form)
	}
	for part, want := range map[aPart]string{
		{"order", "application/json", `{"a":1}`}: "ok",
		{"order", "application/json", `{"b":1}`}: "/order/a required",
		{"order", "application/json", `"x"`}:     "schema-unsupported /order",
		{"order", "text/plain", `{"b":1}`}:       "schema-unsupported /order",
	} {
		assert.Equal(t, want, said(verdictOn(f, "multipart/form-data", sentParts(part))), part)
	}
}

// The number of judgements is bounded, however many texts can mean several things.
func TestFormReadingsAreBounded(t *testing.T) {
	t.Parallel()
	var properties, form []string
	for i := range 20 {
		name := string(rune('a' + i))
		properties = append(properties, `"`+name+`":{"type":["integer","string"],"not":{"type":"integer"}}`)
		form = append(form, name+"=1")
	}
	f, _ := formOf(t, true, `{"schema":{"properties":{`+strings.Join(properties, ",")+`}}}`)
	assert.Equal(t, "ok", said(verdictOn(f, urlencodedType, fields(strings.Join(form[:maxReadings-1], "&")))))
	assert.Equal(t, "/a not", said(verdictOn(f, urlencodedType, fields(strings.Join(form, "&")))), "the fault is that of the likeliest reading")
}

func TestTextOfASchema(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ schema, text, want string }{
		{`{"type":"string","maxLength":3}`, "abc", "ok"},
		{`{"type":"string","maxLength":3}`, "abcd", "maxLength"},
		{`{"type":"string","pattern":"^a"}`, "b", "pattern"},
		{`{"type":"string","enum":["1"]}`, "1", "ok"},
		{`{"type":"integer","maximum":3}`, "3", "ok"},
		{`{"type":"integer","maximum":3}`, "4", "maximum"},
		{`{"type":"integer"}`, "x", "type"},
		{`{"enum":["1"]}`, "1", "ok"},
		{`{"enum":["1"]}`, "2", "enum"},
		{`{}`, "x", "ok"},
	} {
		f, _ := formOf(t, false, `{"schema":`+c.schema+`}`)
		var run schema.Run
		v, decided := judgeText(&run, f.schema, func(yield func(jsontext.Kind, []byte) bool) {
			yield(jsontext.KindString, []byte(c.text))
		})
		if !decided {
			v = tail(&run)
		}
		assert.Equal(t, c.want, said(v), "%s %s", c.schema, c.text)
	}
	f, _ := formOf(t, false, `{"schema":{"type":"string"}}`)
	v, decided := judgeText(&schema.Run{}, f.schema, func(func(jsontext.Kind, []byte) bool) {})
	assert.True(t, decided, "text in another charset")
	assert.Equal(t, policy.Undecided(policy.SchemaUnsupported, nil), v)
}
