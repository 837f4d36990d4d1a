package compile_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
)

// plain needs no token.
const plain = `version: 1
product: orders
listen: {address: "127.0.0.1:8080"}
backend: {url: "http://127.0.0.1:9000"}
spec: {file: openapi.yaml}
`

// behind is plain behind a gateway that proves itself and asserts the caller.
const behind = plain + `gateway: {present: true, proof: {header: X-Gateway-Proof, secrets: ["${file:proof}"]}}
credential: {kind: identity_headers, headers: {client: X-Client-Id, accounts: X-Accounts, scopes: X-Scopes}}
account: {rules: [{in: path, name: accountId}]}
`

const proofOfScript = "proof-of-the-gateway"

// compiled compiles beside files with secrets of the gateway.
func compiled(t *testing.T, text string) (*compile.Output, error) {
	t.Helper()
	return compiledIn(t, t.TempDir(), text)
}

func compiledIn(t *testing.T, dir, text string) (*compile.Output, error) {
	t.Helper()
	for name, secret := range map[string]string{"proof": proofOfScript, "next": "next-" + proofOfScript} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(secret+"\n"), 0o600))
	}
	return compile.Compile(compile.Input{Config: readIn(t, dir, contract, text), Now: now})
}

func mustBehind(t *testing.T, more string) *compile.Output {
	t.Helper()
	out, err := compiled(t, behind+more)
	require.NoError(t, err)
	return out
}

// effects takes a GET through the head phase and returns what does not permit.
func effects(t *testing.T, p *policy.Policy, path string, header http.Header) (map[policy.Control]policy.Verdict, policy.Control) {
	t.Helper()
	r := &policy.Request{Time: now(), Method: http.MethodGet, Target: path, Path: path, Header: header}
	r.Match = p.Matcher.Match(r)
	r.Auth = p.Authenticator.Authenticate(t.Context(), r)
	r.Frame = unambiguous()
	d := p.Evaluate(t.Context(), r, policy.HeadPhase)
	other := map[policy.Control]policy.Verdict{}
	for _, f := range d.Findings {
		if f.Verdict.Effect != policy.Permit {
			other[f.Rule.Control] = f.Verdict
		}
	}
	blocking, _ := d.Blocking()
	if blocking.Rule == nil {
		return other, ""
	}
	return other, blocking.Rule.Control
}

func caller(lines ...string) http.Header {
	h := http.Header{"X-Client-Id": {"app-1"}, "X-Accounts": {"acct-1"}, "X-Scopes": {"ports:read"}}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return h
}

const shown = "X-Gateway-Proof: " + proofOfScript

// What a token would have shown is not applicable; what needs the caller judges
// the identity that the gateway asserted.
func TestIdentityHeadersAreJudgedBehindTheirProof(t *testing.T) {
	t.Parallel()
	p := mustBehind(t, "").Policy
	tokenless := []policy.Control{policy.TokSig, policy.TokIss, policy.TokTyp, policy.TokAud, policy.TokTime, policy.TokTTL, policy.TokBind}

	got, _ := effects(t, p, "/accounts/acct-1/ports", caller(shown))
	for _, control := range tokenless {
		assert.Equal(t, policy.Inapplicable(), got[control], control)
		delete(got, control)
	}
	delete(got, policy.InCtype) // there is no body
	assert.Empty(t, got)

	got, _ = effects(t, p, "/accounts/acct-2/ports", caller(shown))
	assert.Equal(t, policy.AccountNotInToken, got[policy.AzAccount].Reason)

	got, _ = effects(t, p, "/accounts/acct-1/ports", caller())
	assert.Equal(t, policy.Denied(policy.GatewayProofMissing, ""), got[policy.PathGateway])
	for _, control := range []policy.Control{policy.TokPresent, policy.AzScope, policy.AzAccount} {
		assert.Equal(t, policy.UndecidedBy(policy.PathGateway), got[control], control)
	}

	got, _ = effects(t, p, "/accounts/acct-1/ports", http.Header{"X-Gateway-Proof": {proofOfScript}})
	assert.Equal(t, policy.Denied(policy.CredentialMissing, ""), got[policy.TokPresent])
	assert.Equal(t, policy.UndecidedBy(policy.TokPresent), got[policy.AzAccount])
}

const enforcing = "controls: {path.gateway: enforce, tok: enforce, in.route: enforce, in.method: enforce, az.scope: enforce, az.account: enforce}\n"

func TestASpoofedIdentityIsBlockedByTheMissingProof(t *testing.T) {
	t.Parallel()
	p := mustBehind(t, enforcing).Policy
	for _, c := range []struct {
		rule, path string
		header     http.Header
		want       policy.Control
	}{
		{"what the gateway asserts passes", "/accounts/acct-1/ports", caller(shown), ""},
		{"without proof", "/accounts/acct-1/ports", caller(), policy.PathGateway},
		{"with a guess", "/accounts/acct-1/ports", caller("X-Gateway-Proof: guess"), policy.PathGateway},
		{"a second client beside the gateway's", "/accounts/acct-1/ports", caller(shown, "X-Client-Id: app-2"), policy.TokPresent},
		{"a client in another spelling", "/accounts/acct-1/ports", caller(shown, "X_Client_Id: app-2"), policy.TokPresent},
		{"a foreign account", "/accounts/acct-2/ports", caller(shown), policy.AzAccount},
		{"a public operation asks for the proof too", "/status", http.Header{}, policy.PathGateway},
	} {
		_, blocked := effects(t, p, c.path, c.header)
		assert.Equal(t, c.want, blocked, c.rule)
	}
}

func TestIdentityHeadersNeedPathGateway(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rule, text, field, fix string }{
		{
			"off in shadow", `controls: {path.gateway: "off"}`, `controls["path.gateway"]`, "add to controls: {path.gateway: shadow}",
		},
		{
			"off as a family for one operation", `operations: {listSites: {controls: {path: "off"}}}`, "operations.listSites.controls.path",
			`add to operations: {"listSites": {controls: {path.gateway: shadow}}}`,
		},
		{"off by default", "mode: \"off\"\ncontrols: {az.account: shadow}", "mode", "add to controls: {path.gateway: shadow}"},
		{
			"a credential that enforces alone", "controls: {tok.present: enforce}", `controls["tok.present"]`, "add to controls: {path.gateway: enforce}",
		},
		{
			"an account boundary that enforces alone", "controls: {tok.present: enforce, path.gateway: enforce, in.route: enforce, in.method: enforce}\noperations: {listPorts: {controls: {path.gateway: shadow, az.account: enforce}}}",
			`operations.listPorts.controls["az.account"]`, `add to operations: {"listPorts": {controls: {path.gateway: enforce}}}`,
		},
		{"a signature of no token", "controls: {path.gateway: enforce, tok.present: enforce, tok.sig: enforce}", `controls["tok.sig"]`, "remove it: no token arrives with credential.kind identity_headers"},
	} {
		_, err := compiled(t, behind+c.text+"\n")
		var problems config.Problems
		require.ErrorAs(t, err, &problems, c.rule)
		i := slices.IndexFunc(problems, func(p config.Problem) bool { return p.Field == c.field && p.Fix == c.fix })
		assert.GreaterOrEqual(t, i, 0, "%s: %s", c.rule, err)
	}
	for name, text := range map[string]string{
		"everything off":    `mode: "off"`,
		"the default shows": "mode: shadow",
		"what was told":     enforcing,
	} {
		_, err := compiled(t, behind+text+"\n")
		assert.NoError(t, err, name)
	}
}

// The lines that check prints are right behind a gateway too.
func TestEnforceLinesNameTheProofInPlaceOfTheSignature(t *testing.T) {
	t.Parallel()
	lines := compile.EnforceLines(mustBehind(t, "").Policy)
	assert.Contains(t, lines, "controls: {path.gateway: enforce, tok.present: enforce}")
	assert.Contains(t, lines, "controls: {path.gateway: enforce, in.route: enforce, in.method: enforce, tok.present: enforce, az.scope: enforce}")
	assert.NotContains(t, strings.Join(lines, "\n"), "tok.sig")
	for _, line := range lines {
		_, err := compiled(t, behind+line+"\n")
		assert.NoError(t, err, line)
	}
}

func TestWithoutAProofPathGatewayJudgesNothing(t *testing.T) {
	t.Parallel()
	out := must(t, head+"gateway: {present: true}\n")
	assert.Nil(t, find(out.Policy.Unmatched, policy.PathGateway))
	_, err := build(t, head+"controls: {path.gateway: enforce}\n")
	require.ErrorContains(t, err, "enforces, and nothing configures it; add gateway.proof")
}

// With a token of the client, or of the gateway, the proof is one control more and
// nothing else changes.
func TestTheProofStandsBesideTokens(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"client_token", "gateway_token"} {
		out, err := compiled(t, head+"account: {rules: [{in: path, name: accountId}]}\ncredential: {kind: "+kind+"}\n"+
			"gateway: {present: true, proof: {peers: [10.0.0.0/8]}}\n"+
			"controls: {path.gateway: enforce, tok: enforce}\n")
		require.NoError(t, err, kind)
		plan := operation(t, out.Policy, "listPorts")
		assert.Less(t, slices.Index(controls(plan), "path.gateway"), slices.Index(controls(plan), "tok.present"))
		assert.Equal(t, policy.Enforce, find(plan, policy.TokSig).Mode, kind)
		_, blocked := effects(t, out.Policy, "/accounts/acct-1/ports", http.Header{})
		assert.Equal(t, policy.PathGateway, blocked, "403 before 401: a stranger is not told what credential is missing")
	}
}

func TestNobodyIsJudgedWhereNothingTellsTheCaller(t *testing.T) {
	t.Parallel()
	out, err := compiled(t, plain+"credential: {kind: none}\nmode: enforce\n")
	require.NoError(t, err)
	for _, op := range append(slices.Clone(out.Policy.Operations), out.Policy.Unmatched) {
		for _, rule := range op.Rules {
			assert.NotContains(t, []string{"tok", "az"}, strings.Split(string(rule.Control), ".")[0], op.ID)
		}
	}
	assert.NotContains(t, out.Warnings.Error(), "public", "there is no caller to ask")
	_, blocked := effects(t, out.Policy, "/sites", http.Header{})
	assert.Empty(t, blocked)
}

// A rotation of the secret goes on measuring what was measured.
func TestARotationMeasuresTheSame(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, err := compiledIn(t, dir, behind)
	require.NoError(t, err)
	two, err := compiledIn(t, dir, strings.Replace(behind, `["${file:proof}"]`, `["${file:proof}", "${file:next}"]`, 1))
	require.NoError(t, err)
	assert.Equal(t, one.Measured, two.Measured)
	assert.NotEqual(t, one.Policy.Digest, two.Policy.Digest)
	assert.True(t, slices.ContainsFunc(one.Files, func(f string) bool { return filepath.Base(f) == "proof" }), "a secret that changes in its file is noticed")
	assert.NotContains(t, one.Policy.Digest, proofOfScript)
}
