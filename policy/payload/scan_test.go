package payload_test

import (
	"bytes"
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
	require.Equal(t, want, v)
	require.Len(t, kinds, count)
	d := jsontext.NewDecoder(bytes.NewBuffer(b))
	for i := range kinds {
		token, err := d.ReadToken()
		require.NoError(t, err)
		require.Equal(t, token.Kind(), kinds[i])
		text := ""
		if kinds[i] == jsontext.KindString || kinds[i] == jsontext.KindNumber {
			text = token.String()
		}
		require.Equal(t, text, texts[i])
	}
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
		`[0,-0,1,10,1.0,1e1,1E-1,0e0,1.5e308,9e308,1e-308,1e309,` + strings.Repeat("1", 40) + `]`,
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
