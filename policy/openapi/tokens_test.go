package openapi_test

import (
	"encoding/json"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
)

// tokens are those of a JSON document, as payload reads them, apart from what payload
// refuses.
func tokens(t testing.TB, text string) iter.Seq2[jsontext.Kind, []byte] {
	t.Helper()
	return func(yield func(jsontext.Kind, []byte) bool) {
		decoder := jsontext.NewDecoder(strings.NewReader(text))
		for {
			token, err := decoder.ReadToken()
			if errors.Is(err, io.EOF) {
				return
			}
			require.NoError(t, err)
			var text []byte
			if kind := token.Kind(); kind == jsontext.KindString || kind == jsontext.KindNumber {
				text = []byte(token.String())
			}
			if !yield(token.Kind(), text) {
				return
			}
		}
	}
}

// tokensOf are those of a value.
func tokensOf(t testing.TB, value any) iter.Seq2[jsontext.Kind, []byte] {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return tokens(t, string(text))
}

// nothing are the tokens of a body that nobody reads.
func nothing(func(jsontext.Kind, []byte) bool) {}
