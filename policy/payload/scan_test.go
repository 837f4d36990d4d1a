package payload_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/payload"
)

// requireAgreement requires that the scanner takes the document exactly if jsontext and
// the bounds do, and hands on the tokens that jsontext reads, up to the first fault.
func requireAgreement(t *testing.T, b []byte, maxDepth int) {
	t.Helper()
	var kinds []jsontext.Kind
	var texts []string
	v := payload.ReadJSON(b, maxDepth, func(kind jsontext.Kind, text []byte) bool {
		kinds, texts = append(kinds, kind), append(texts, string(text))
		return true
	})
	if bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) || !utf8.Valid(b) {
		require.Equal(t, policy.Denied(policy.JSONEncoding, ""), v)
		require.Empty(t, kinds)
		return
	}
	count, want := payload.Reread(b, maxDepth)
	require.Equal(t, want, v, "%s", b)
	wantKinds, wantTexts := decoded(b, count)
	if !slices.Equal(wantKinds, kinds) || !slices.Equal(wantTexts, texts) {
		require.Equal(t, wantKinds, kinds, "%s", b)
		require.Equal(t, wantTexts, texts, "%s", b)
	}
}

// decoded returns the first tokens of a document, by jsontext.
func decoded(b []byte, count int) (kinds []jsontext.Kind, texts []string) {
	d := jsontext.NewDecoder(bytes.NewBuffer(b))
	for range count {
		token, err := d.ReadToken()
		if err != nil {
			break
		}
		text := ""
		if token.Kind() == jsontext.KindString || token.Kind() == jsontext.KindNumber {
			text = token.String()
		}
		kinds, texts = append(kinds, token.Kind()), append(texts, text)
	}
	return kinds, texts
}

func TestReadersAgree(t *testing.T) {
	for _, c := range jsonCases {
		t.Run(c.name, func(t *testing.T) { requireAgreement(t, []byte(c.text), depth) })
	}
	for _, text := range readerSeeds() {
		for end := range len(text) + 1 {
			requireAgreement(t, []byte(text[:end]), 3)
			if end < len(text) {
				for _, c := range []byte("\x00\x1f \t\"\\,:{}[]0-+.eEtu/\x7f\x80") {
					requireAgreement(t, []byte(text[:end]+string(rune(c))+text[end:]), 3)
					requireAgreement(t, []byte(text[:end]+string(rune(c))+text[end+1:]), 3)
				}
			}
		}
	}
}

// readerSeeds are documents whose neighbours are of interest.
func readerSeeds() []string {
	return []string{
		` { "name" : [ "text that is longer than a word" , -0.5e+10 , true , false , null , {} , [ ] ] } `,
		`{"aé":1,"a\u00e9":2,"\ud83d\ude00":"😀","":[{"x":{"y":0}},{"x":{}}]}`,
		`["\"\\\/\b\f\n\r\t\u0000","\ud83d\uDE00","\ud83d","\ude00","12345678\u005c"]`,
		`{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0,"h":0,"i":{"a":0},"j":0,"k":0,"l":0,"m":0,"n":0,"o":0,"p":0,"q":0,"r":0}`,
		`[0,-0,1,10,1.0,1e1,1E-1,0e0,1.5e308,9e308,1e-308,1e309,` + strings.Repeat("1", 40) + `]`,
	}
}

func TestNamesAreToldApart(t *testing.T) {
	for _, n := range []int{1, 2, 15, 16, 17, 18, 40, 300} {
		var names []string
		for i := range n {
			// Names of one length that differ in one letter, and others around them.
			names = append(names, fmt.Sprintf("a%sz", strings.Repeat("b", i%3)+string(rune(0x4e00+i))+"cc"))
		}
		object := func(names ...string) string {
			text := ""
			for i, name := range names {
				value := "0"
				if i%4 == 3 { // names within come between, some of them again
					value = `[{"` + names[0] + `":{"` + name + `":0},"` + name + `":[]}]`
				}
				text += `,"` + name + `":` + value
			}
			return "{" + text[1:] + "}"
		}
		requireAgreement(t, []byte(object(names...)), depth)
		require.True(t, payload.ReadJSON([]byte(object(names...)), depth, nil).Passes(), n)
		for i := 0; i < n; i += 1 + n/20 {
			name := names[i]
			escaped := fmt.Sprintf(`%s\u%04x`, name[:len(name)-1], name[len(name)-1])
			for _, text := range []string{object(append(names, name)...), object(append(names, escaped)...), object(append([]string{escaped}, names...)...)} {
				v := payload.ReadJSON([]byte(text), depth, nil)
				require.Equal(t, policy.JSONDuplicateMember, v.Reason, "%d of %d", i, n)
				requireAgreement(t, []byte(text), depth)
			}
		}
	}
}

// Both readers of JSON are of one mind about every document: what the scanner takes,
// jsontext and the bounds take, with the same tokens, and what it does not take, they
// refuse, behind the same tokens.
func FuzzReaders(f *testing.F) {
	for _, c := range jsonCases {
		if len(c.text) < 1000 {
			f.Add([]byte(c.text), uint8(depth))
		}
	}
	for _, text := range readerSeeds() {
		f.Add([]byte(text), uint8(4))
	}
	f.Fuzz(func(t *testing.T, b []byte, maxDepth uint8) {
		if len(b) <= 1<<16 {
			requireAgreement(t, b, 1+int(maxDepth))
		}
	})
}
