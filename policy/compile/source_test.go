package compile_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
)

func TestWhoseWordAboutTheClientCounts(t *testing.T) {
	t.Parallel()
	assert.Nil(t, must(t, head).Policy.Sourcer, "nobody's")
	const forwarded = "gateway: {present: true, forwarded: {peers: [10.0.0.0/8, \"fd00::/8\"]"
	h := http.Header{"X-Forwarded-For": {"198.51.100.7"}, "Forwarded": {"for=203.0.113.9"}}
	for _, c := range []struct{ name, text, peer, want string }{
		{"of a hop", forwarded + "}}\n", "10.1.2.3", "198.51.100.7"},
		{"of a hop of IPv6", forwarded + "}}\n", "fd00::1", "198.51.100.7"},
		{"in the other field", forwarded + ", header: Forwarded}}\n", "10.1.2.3", "203.0.113.9"},
		{"of a stranger", forwarded + "}}\n", "192.0.2.1", "192.0.2.1"},
	} {
		sourcer := must(t, head+c.text).Policy.Sourcer
		require.NotNil(t, sourcer, c.name)
		assert.Equal(t, c.want, sourcer.Source(netip.MustParseAddr(c.peer), h).String(), c.name)
	}
}

// introducing is a configuration that tells the backend who the caller is.
func introducing(rest string) string {
	return strings.Replace(head, "backend: {", "backend: {identity: {client: X-Verified-Client, accounts: X-Verified-Accounts}, ", 1) + rest
}

func TestIdentityNeedsWhatProvesIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		places     []string // of the lines to add
		lines      []string // that they have
	}{
		{"shadow", introducing(""), []string{"controls: {"}, []string{"tok.present: enforce", "tok.sig: enforce", "tok.aud: enforce", "tok.time: enforce", "tok.ttl: enforce"}},
		{
			"one of them in shadow", introducing("mode: enforce\ncontrols: {tok.ttl: shadow}\n"),
			[]string{"controls: {"},
			[]string{"tok.ttl: enforce"},
		},
		{
			"one of them off", introducing("mode: enforce\ncontrols: {tok.aud: \"off\"}\n"),
			[]string{"controls: {"},
			[]string{"tok.aud: enforce"},
		},
		{
			"one operation in shadow", introducing("mode: enforce\noperations: {listSites: {controls: {tok.aud: shadow}}}\n"),
			[]string{`operations: {"listSites": {controls: {`},
			[]string{"tok.aud: enforce"},
		},
		{"nobody is asked", introducing("mode: enforce\ncontrols: {tok: \"off\", az: \"off\"}\n"), []string{"controls: {"}, []string{"tok.sig: enforce"}},
		{
			"an API key", strings.Replace(introducing(""), "token:\n  issuers: [{issuer: \"https://i.example\", jwks_file: keys.json, audiences: [a]}]\n",
				"credential: {kind: api_key, api_key: {file: sidewarden.yaml}}\n", 1),
			[]string{"controls: {"},
			[]string{"key.valid: enforce"},
		},
	} {
		_, err := build(t, c.text)
		var problems config.Problems
		require.ErrorAs(t, err, &problems, c.name)
		var fixes []string
		for _, p := range problems {
			if p.Field == "backend.identity" {
				fixes = append(fixes, p.Fix)
			}
		}
		require.Len(t, fixes, len(c.places), "%s: %s", c.name, err)
		for i, place := range c.places {
			assert.True(t, strings.HasPrefix(fixes[i], "add to "+place), "%s: %s", c.name, fixes[i])
			assert.True(t, strings.HasSuffix(fixes[i], ", or remove identity"), "%s: %s", c.name, fixes[i])
		}
		for _, line := range c.lines {
			assert.Contains(t, strings.Join(fixes, "\n"), line, c.name)
		}
	}
}

// TestIdentityNeedsInHdr: where in.hdr has a check, it has to enforce as well.
func TestIdentityNeedsInHdr(t *testing.T) {
	t.Parallel()
	entry, known := policy.Lookup(policy.InHdr)
	require.True(t, known)
	_, err := build(t, introducing(""))
	require.Error(t, err)
	assert.Equal(t, entry.Implemented, strings.Contains(err.Error(), "in.hdr: enforce"))
}

func TestWhatTellsTheBackendWhoCalls(t *testing.T) {
	t.Parallel()
	assert.Nil(t, must(t, head).Policy.Introducer)
	for name, text := range map[string]string{
		"everything enforces":              introducing("mode: enforce\n"),
		"a public operation asks nobody":   introducing("mode: enforce\noperations: {listSites: {public: true}}\n"),
		"what is not about the credential": introducing("mode: enforce\ncontrols: {az: shadow, rate: shadow, out: shadow}\n"),
		"an operation that judges no one":  introducing("mode: enforce\noperations: {listSites: {controls: {tok: \"off\", az: \"off\"}}}\n"),
	} {
		out, err := build(t, text)
		require.NoError(t, err, name)
		require.NotNil(t, out.Policy.Introducer, name)
		assert.True(t, out.Policy.Introducer.Owns("X_Verified_Client"), name)
		assert.False(t, out.Policy.Introducer.Owns("X-Verified-Scopes"), name)
	}
}

// TestIdentityInAHeaderThatClientsSend: the contract asks clients for it.
func TestIdentityInAHeaderThatClientsSend(t *testing.T) {
	t.Parallel()
	spec := strings.Replace(contract, "get: {operationId: listSites,", "get: {operationId: listSites, parameters: [{name: x_verified-CLIENT, in: header, schema: {type: string}}],", 1)
	text := introducing("mode: enforce\n")
	_, err := compile.Compile(compile.Input{Config: readIn(t, t.TempDir(), spec, text), Now: now})
	var problems config.Problems
	require.ErrorAs(t, err, &problems)
	require.Len(t, problems, 1, err)
	assert.Equal(t, "backend.identity", problems[0].Field)
	assert.Contains(t, problems[0].Cause, "operation listSites declares the header x_verified-CLIENT")
}
