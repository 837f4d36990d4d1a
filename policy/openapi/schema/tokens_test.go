package schema_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/openapi/schema"
)

// tree reads a JSON text as documents hold it.
func tree(t testing.TB, text []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	require.NoError(t, decoder.Decode(&value))
	return value
}

// tell tells a run the tokens of a JSON text, as a strict reader would.
func tell(t testing.TB, r *schema.Run, text []byte) {
	t.Helper()
	decoder := jsontext.NewDecoder(bytes.NewBuffer(text))
	for {
		token, err := decoder.ReadToken()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err, "%s", text)
		switch kind := token.Kind(); kind {
		case jsontext.KindString, jsontext.KindNumber:
			r.Visit(kind, []byte(token.String()))
		default:
			r.Visit(kind, nil)
		}
	}
}

// satisfies reports whether a JSON text satisfies a schema.
func satisfies(t testing.TB, r *schema.Run, s *schema.Schema, text []byte) bool {
	t.Helper()
	r.Begin(s)
	tell(t, r, text)
	_, failed := r.Fault()
	return !failed
}

// world is what schemas of one test are compiled from.
type world struct {
	documents *schema.Documents
	compiler  *schema.Compiler
	problems  []schema.Problem
}

func newWorld(o schema.Options) *world {
	d := schema.NewDocuments()
	return &world{documents: d, compiler: schema.NewCompiler(d, o)}
}

// add adds a document that is one schema.
func (w *world) add(uri string, tree any) schema.Place {
	at := schema.Place{Document: uri}
	w.documents.Add(uri, tree)
	w.problems = append(w.problems, w.documents.Scan(at)...)
	return at
}

// compile compiles the schema at one place.
func (w *world) compile(at schema.Place) (s *schema.Schema, problems, notes []schema.Problem) {
	s = w.compiler.Schema(at)
	problems, notes = w.compiler.End()
	return s, append(w.problems, problems...), notes
}

// isDocument reports whether a text is one JSON document of a size, as a strict reader
// takes it.
func isDocument(text []byte, size int) bool {
	return len(text) <= size && jsontext.Value(text).IsValid()
}
