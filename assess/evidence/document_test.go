package evidence_test

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/assess/evidence"
)

const (
	emptyCounts = `{"state":"UNK","n":0,"k":0,"ambiguous":0,"unattributable":0}`
	oneCell     = `{"cells":[{"operation":"a","control":"az.account","class":"UNOBSERVED","modifiers":[],"gateway":` +
		emptyCounts + `,"backend":` + emptyCounts + `,"strata":[{"reason":"r","instance":"i","backend":` + emptyCounts +
		`}]}],"since":"2026-11-22T12:00:00Z"}`
)

func TestReadDocument(t *testing.T) {
	doc, err := evidence.ReadDocument(strings.NewReader(oneCell))
	require.NoError(t, err)
	require.Len(t, doc.Cells, 1)
	assert.Equal(t, t0, doc.Since)
	doc, err = evidence.ReadDocument(strings.NewReader(`{"cells":[],"since":"2026-11-22T12:00:00Z"}` + "\n"))
	require.NoError(t, err)
	assert.Empty(t, doc.Cells)
}

func TestReadDocumentRefuses(t *testing.T) {
	swap := func(old, now string) string { return strings.Replace(oneCell, old, now, 1) }
	for _, c := range []struct{ rule, text, want string }{
		{"nothing", "", "not a document"},
		{"no JSON", "<html>", "not a document"},
		{"another document", `{"limits":[]}`, "unknown field"},
		{"no cells", `{}`, "cells is missing"},
		{"null", `null`, "cells is missing"},
		{"an unknown field in a cell", swap(`"class"`, `"klass"`), "unknown field"},
		{"bytes after the end", oneCell + "x", "more after the document"},
		{"a second document", oneCell + oneCell, "more after the document"},
		{"an unknown class", swap("UNOBSERVED", "FINE"), "cells[0]: class is not known"},
		{"an unknown modifier", swap(`"modifiers":[]`, `"modifiers":["FINE"]`), "cells[0]: a modifier is not known"},
		{"an unknown state", swap(`"gateway":{"state":"UNK"`, `"gateway":{"state":"OK"`), "cells[0]: gateway: state is not known"},
		{"an unknown state in a stratum", swap(`"i","backend":{"state":"UNK"`, `"i","backend":{"state":""`), "cells[0]: strata[0]: backend: state"},
		{"a gateway of a stratum in an unknown state", swap(`"i",`, `"i","gateway":{},`), "cells[0]: strata[0]: gateway: state"},
		{"no operation", swap(`"a"`, `""`), "cells[0]: operation is missing"},
		{"no control", swap(`"az.account"`, `""`), "cells[0]: control is missing"},
		{"more leaks than trials", swap(`"backend":{"state":"UNK","n":0,"k":0`, `"backend":{"state":"UNK","n":1,"k":2`), "cells[0]: backend: more leaks"},
		{"a negative number", swap(`"n":0`, `"n":-1`), "not a document"},
		{"negative principals", swap(`"k":0,`, `"k":0,"principals":-1,`), "principals is negative"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			_, err := evidence.ReadDocument(strings.NewReader(c.text))
			require.ErrorContains(t, err, "read cells: ")
			assert.ErrorContains(t, err, c.want)
		})
	}
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte(" "), len(p))), nil }

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestReadDocumentIsBounded(t *testing.T) {
	_, err := evidence.ReadDocument(spaces{})
	require.ErrorContains(t, err, "longer than 33554432 bytes")
	_, err = evidence.ReadDocument(broken{})
	require.ErrorIs(t, err, io.ErrClosedPipe)
}

// FuzzReadDocument: a document that is read can be shown, and reads again as
// itself.
func FuzzReadDocument(f *testing.F) {
	f.Add([]byte(oneCell))
	f.Add([]byte(`{"cells":[],"since":"2026-11-22T12:00:00Z"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := evidence.ReadDocument(bytes.NewReader(data))
		if err != nil {
			return
		}
		var shown bytes.Buffer
		require.NoError(t, evidence.WriteMatrix(&shown, doc))
		require.NoError(t, evidence.WriteTop(&shown, doc, 5))
		for _, c := range doc.Cells {
			require.NoError(t, evidence.WriteCell(&shown, c))
		}
		assert.NotContains(t, shown.String(), "\x1b")
		first, err := json.Marshal(doc)
		require.NoError(t, err)
		again, err := evidence.ReadDocument(bytes.NewReader(first))
		require.NoError(t, err)
		second, err := json.Marshal(again)
		require.NoError(t, err)
		assert.Equal(t, string(first), string(second))
	})
}
