package explain

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
)

// A request that is denied and goes on without some fields has to say which.
func TestFieldsThatAreTakenAwayAreNamed(t *testing.T) {
	t.Parallel()
	const message = "GET /orders\nX-Forwarded-For: 198.51.100.7\nX_HTTP-method-override: DELETE\nX-Forwarded-Secret-42: a\nX-Custom: a\n\n"
	masked := []string{"X-Forwarded-For", "X-Forwarded-*", "X_http-Method-Override"}
	for mode, configured := range map[string][]string{"shadow": nil, "enforce": masked} {
		o := options(t, strings.Replace(public, "}", ", in.hdr: "+mode+"}", 1))
		e := request(t, o, message)
		assert.Equal(t, configured, e.Answers[0].Stripped, mode)
		assert.Empty(t, e.Answers[1].Stripped, "shadow takes nothing away")
		assert.Equal(t, masked, e.Answers[2].Stripped)
		assert.False(t, e.Objects, "the request goes on")
		names := strings.Join(masked, ", ")
		assert.Contains(t, fmt.Sprint(header(t, e).Inputs), "{taken away in enforce "+names+"}")
		var b bytes.Buffer
		require.NoError(t, e.WriteTable(&b))
		assert.Contains(t, b.String(), "    taken away in enforce: "+names+"\n")
		assert.Contains(t, b.String(), "in enforce     forwarded, allowed\n               taken away: "+names+"\n")
		assert.Contains(t, b.String(), "in shadow      forwarded, allowed\nin enforce")
		assert.NotContains(t, b.String(), "Secret", "the end of such a name is the client's")
		o.ShowValues = true
		assert.Contains(t, request(t, o, message).Answers[2].Stripped, "X-Forwarded-Secret-42")
	}
}

func header(t *testing.T, e *Explanation) Control {
	t.Helper()
	for _, c := range e.Controls {
		if c.ID == policy.InHdr {
			return c
		}
	}
	require.Fail(t, "in.hdr has no verdict")
	return Control{}
}

// What blocks, what is permitted and what an exception lets pass takes nothing away.
func TestNothingIsTakenAwayForNothing(t *testing.T) {
	t.Parallel()
	excepted := `exceptions: [{id: EX-1, control: in.hdr, owner: o, reason: old proxy, expires: 2026-04-01}]` + "\n"
	for _, row := range []struct{ name, rest, fields, disposition, exception string }{
		{"permitted", "", "X-Custom: a\n", "allowed", ""},
		{"blocked", "", "Connection: Content-Type\nX-Real-IP: a\n", "blocked", ""},
		{"excepted", excepted, "X-Real-IP: a\n", "allowed", "EX-1"},
	} {
		e := request(t, options(t, public+row.rest), "GET /orders\n"+row.fields+"\n")
		assert.Equal(t, row.disposition, e.Answers[2].Disposition, row.name)
		assert.Equal(t, row.exception, header(t, e).Exception, row.name)
		assert.Empty(t, e.Answers[2].Stripped, row.name)
		assert.NotContains(t, fmt.Sprint(header(t, e).Inputs), "taken away", row.name)
	}
}

func TestARecordSaysHowManyFieldsWereTakenAway(t *testing.T) {
	t.Parallel()
	e, err := Record(strings.NewReader(line), "D1", "")
	require.NoError(t, err)
	assert.NotContains(t, strings.Join(e.Notes, " "), "taken away")
	e, err = Record(strings.NewReader(strings.Replace(line, `"path":"/orders"`, `"path":"/orders","stripped_fields":2`, 1)), "D1", "")
	require.NoError(t, err)
	assert.Contains(t, e.Notes, "Header fields that were taken away before the request was forwarded: 2. Their names are not recorded.")
}
