package explain

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/audit"
)

// line is a golden record of the audit package on one line.
const line = `{"v":1,"record_id":"R1","time":"2026-03-01T12:00:00Z","decision_id":"D1","policy":{"digest":"sha256:aa"},"op":{"id":"getOrder"},` +
	`"http":{"method":"GET","path":"/orders"},"client":{"ip":"","status":403},"client_id":"p1_C","account":{"token":["p1_A"],"requested":["p1_B"],"carrier":"path.id"},` +
	`"findings":[{"control":"az.account","effect":"deny","reason":"account-not-in-token","mode":"enforce"}],"permits":["tok.sig","in.route"],"not_applicable":["in.size"],` +
	`"enforced":["tok.sig"],"disposition":"blocked"}`

func TestRecordIsFoundByEitherID(t *testing.T) {
	t.Parallel()
	noise := strings.Repeat("x", 3*audit.MaxLine) + "D1\n" + `{"v":1,"record_id":"D1-not","decision_id":"other"}` + "\nD1 no JSON\n" + `{"v":2,"decision_id":"D1"}` + "\n"
	for _, id := range []string{"D1", "R1"} {
		e, err := Record(strings.NewReader(noise+line+"\n"), id, "")
		require.NoError(t, err)
		assert.True(t, e.Objects)
		assert.Equal(t, []Control{
			{ID: "in.route", Mode: "shadow", Effect: "permit"},
			{ID: "tok.sig", Mode: "enforce", Effect: "permit"},
			{ID: "az.account", Mode: "enforce", Effect: "deny", Reason: "account-not-in-token"},
			{ID: "in.size", Mode: "shadow", Effect: "not-applicable"},
		}, e.Controls)
		assert.Equal(t, []Answer{{Mode: "as recorded", Disposition: "blocked", Status: 403}}, e.Answers)
	}
	_, err := Record(strings.NewReader(line), "D1", "")
	require.NoError(t, err, "a last line without its end")
	_, err = Record(strings.NewReader(noise), "D1", "")
	require.ErrorContains(t, err, "3 lines are no records of version 1")
	_, err = Record(strings.NewReader(""), "", "")
	require.ErrorContains(t, err, "no record")
}

func TestRecordedTextCannotMoveTheCursor(t *testing.T) {
	t.Parallel()
	e, err := Record(strings.NewReader(strings.NewReplacer("az.account", `az\u001b[2J`, "GET", `G\u001b[2J`, "getOrder", `\u001b[2J`, "p1_A", `\u001b`,
		"blocked", `\u009b2J`, "sha256:aa", `\n`).Replace(line)), "D1", "sha256:bb")
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, e.WriteTable(&b))
	for _, c := range b.String() {
		assert.True(t, c == '\n' || c >= ' ' && c <= '~', "%q", c)
	}
}

// FuzzRecord gives a stranger the audit file.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(line + "\n"))
	golden, err := filepath.Glob(filepath.Join("..", "..", "..", "audit", "testdata", "records", "*.json"))
	require.NoError(f, err)
	for _, file := range golden {
		text, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(append(bytes.ReplaceAll(text, []byte("\n"), nil), '\n'))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 3*audit.MaxLine {
			return
		}
		e, err := Record(bytes.NewReader(data), "D1", "sha256:aa")
		if err != nil {
			return
		}
		var b bytes.Buffer
		require.NoError(t, e.WriteTable(&b))
		for _, c := range b.Bytes() {
			require.True(t, c == '\n' || c >= ' ' && c <= '~', "%q", b.Bytes())
		}
		require.NoError(t, e.WriteJSON(&b))
	})
}
