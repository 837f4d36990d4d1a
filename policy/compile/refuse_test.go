package compile_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/config"
)

func TestWhatHasNothingBehindItIsRefused(t *testing.T) {
	t.Parallel()
	const idle, missing = "enforces, and nothing configures it", "not available in this version"
	for _, c := range []struct{ name, text, field, cause, fix string }{
		{"a family without a check", "controls: {waf: enforce}", "controls.waf", missing, "remove it"},
		{"such a family in shadow", "controls: {ab: shadow}", "controls.ab", missing, "remove it"},
		{"client certificates that nobody asks for", "operations: {listSites: {controls: {mtls: enforce}}}", "operations.listSites.controls.mtls", idle, "add to listen.tls: {client_auth: request, client_ca_file: clients.pem}"},
		{"a limit without limits", "controls: {rate.app: enforce}", `controls["rate.app"]`, idle, "add a limit with a rate, and without account in its key"},
		{"a limit per customer without one by account", "limits: [{name: l, key: [client], rate: 1/s}]\ncontrols: {rate.customer: enforce}", `controls["rate.customer"]`, idle, "add a limit with a rate, and with account in its key"},
		{"a limit per application with one by account alone", "limits: [{name: l, key: [account], rate: 1/s}]\ncontrols: {rate.app: enforce}", `controls["rate.app"]`, idle, "add a limit with a rate, and without account in its key"},
		{"a family of one control", "controls: {key: enforce}", "controls.key", idle, "add credential: {kind: api_key, api_key: {file: api-keys.json}}"},
		{"a quota without one", "limits: [{name: l, key: [client], rate: 1/s}]\ncontrols: {rate.quota: enforce}", `controls["rate.quota"]`, idle, "add a limit with a quota"},
		{
			"single use of nothing", "controls: {tok.present: enforce, tok.sig: enforce, tok.replay: enforce}", `controls["tok.replay"]`, idle,
			"add token.replay.mode or operations.*.replay: single_use or same_sender",
		},
		{
			"single use of another operation", "operations: {listSites: {replay: single_use}, listPorts: {controls: {tok.present: enforce, tok.sig: enforce, tok.replay: enforce}}}",
			`operations.listPorts.controls["tok.replay"]`, idle, "add token.replay.mode or operations.*.replay: single_use or same_sender",
		},
		{
			"replay that an operation turns off", "operations: {listPorts: {replay: \"off\", controls: {tok.present: enforce, tok.sig: enforce, tok.replay: enforce}}, listSites: {replay: same_sender}}",
			`operations.listPorts.controls["tok.replay"]`, idle, "add token.replay.mode or operations.*.replay: single_use or same_sender",
		},
		{
			"an account boundary without rules", "controls: {tok: enforce, az.account: enforce, in.route: enforce, in.method: enforce}",
			`controls["az.account"]`, idle, "add account.rules",
		},
	} {
		_, err := build(t, head+c.text+"\n")
		var problems config.Problems
		require.ErrorAs(t, err, &problems, c.name)
		require.Len(t, problems, 1, "%s: %s", c.name, err)
		assert.Equal(t, c.field, problems[0].Field, c.name)
		assert.Contains(t, problems[0].Cause, c.cause, c.name)
		assert.Equal(t, c.fix, problems[0].Fix, c.name)
	}
}

func TestWhatIsNamedInPassingIsNotRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"the default mode":               "mode: enforce",
		"families with some checks":      "controls: {tok: enforce, az: enforce, rate: enforce, in: enforce}",
		"a family without checks is off": "controls: {waf: \"off\", ab: \"off\"}",
		"idle controls in shadow":        "controls: {rate.app: shadow, tok.replay: shadow, az.account: shadow}",
		"single use of one operation":    "controls: {tok.present: enforce, tok.sig: enforce, tok.replay: enforce}\noperations: {listSites: {replay: single_use}}",
		"same sender of one operation":   "controls: {tok.present: enforce, tok.sig: enforce, tok.replay: enforce}\noperations: {listSites: {replay: same_sender}}",
		"single use by default":          "token: {replay: {mode: single_use}, issuers: [{issuer: \"https://i.example\", jwks_file: keys.json, audiences: [a]}]}\ncontrols: {tok.present: enforce, tok.sig: enforce, tok.replay: enforce}",
	} {
		before := head
		if name == "single use by default" {
			before = head[:len(head)-len("token:\n  issuers: [{issuer: \"https://i.example\", jwks_file: keys.json, audiences: [a]}]\n")]
		}
		_, err := build(t, before+text+"\n")
		assert.NoError(t, err, name)
	}
}

// A problem without a fix leaves its reader alone.
func TestEveryProblemHasAFix(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"operations: {nothing: {public: true}}\n", "controls: {az.object: enforce, in.schema: enforce}\n",
		"operations: {listSites: {account: none}, \"GET /sites\": {account: none}}\n",
	} {
		for _, spec := range []string{contract, "openapi: 3.0.3\n", "{"} {
			cfg := readIn(t, t.TempDir(), spec, head+text)
			var problems config.Problems
			require.ErrorAs(t, compileError(cfg), &problems)
			for _, p := range problems {
				assert.NotEmpty(t, p.Fix, p.String())
			}
		}
	}
}
