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
	"github.com/sidewarden/sidewarden/policy/token"
)

// keyedBy is plain where API keys arrive.
const keyedBy = plain + `credential: {kind: api_key, api_key: {file: api-keys.json}}
account: {rules: [{in: path, name: accountId}]}
`

const legacyKey = "legacy-key-of-the-tests"

// keyFile is a file with one key, and more members of its entry.
func keyFile(t *testing.T, key, more string) string {
	t.Helper()
	const salt = "c2FsdC1vZi10aGUtdGVzdHM"
	hash, ok := token.HashAPIKey(salt, key)
	require.True(t, ok)
	return `{"version":1,"keys":[{"id":"legacy-1","salt":"` + salt + `","hash":"` + hash +
		`","client":"app-1","accounts":["acct-1"],"scopes":["ports:read"]` + more + `}]}`
}

func compiledKeys(t *testing.T, text, keys string, previous *compile.Parts) (*compile.Output, error) {
	t.Helper()
	dir := t.TempDir()
	return compiledKeysIn(t, dir, text, keys, previous)
}

func compiledKeysIn(t *testing.T, dir, text, keys string, previous *compile.Parts) (*compile.Output, error) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "api-keys.json"), []byte(keys), 0o600))
	return compile.Compile(compile.Input{Config: readIn(t, dir, contract, text), Now: now, Previous: previous})
}

func sends(keys ...string) http.Header { return http.Header{"X-Api-Key": keys} }

// What a token would have shown is not applicable; what needs the caller judges the
// identity of the key, also of one that no longer counts.
func TestAPIKeysAreJudged(t *testing.T) {
	t.Parallel()
	tokenless := []policy.Control{policy.TokSig, policy.TokIss, policy.TokTyp, policy.TokAud, policy.TokTime, policy.TokTTL, policy.TokBind, policy.InCtype}
	unknown := policy.UndecidedBy(policy.KeyValid)
	none := policy.UndecidedBy(policy.TokPresent)
	for _, c := range []struct {
		rule, path, more string
		header           http.Header
		want             map[policy.Control]policy.Verdict
	}{
		{"its own account", "/accounts/acct-1/ports", "", sends(legacyKey), nil},
		{"another account", "/accounts/acct-2/ports", "", sends(legacyKey), map[policy.Control]policy.Verdict{policy.AzAccount: policy.Denied(policy.AccountNotInToken, "path.accountId")}},
		{"expired", "/accounts/acct-1/ports", `,"expires":"2026-11-21"`, sends(legacyKey), map[policy.Control]policy.Verdict{policy.KeyValid: policy.Denied(policy.APIKeyExpired, "")}},
		{"disabled, and another account", "/accounts/acct-2/ports", `,"disabled":true`, sends(legacyKey), map[policy.Control]policy.Verdict{policy.KeyValid: policy.Denied(policy.APIKeyDisabled, ""), policy.AzAccount: policy.Denied(policy.AccountNotInToken, "path.accountId")}},
		{"unknown", "/accounts/acct-1/ports", "", sends(legacyKey + "x"), map[policy.Control]policy.Verdict{policy.KeyValid: policy.Denied(policy.APIKeyUnknown, ""), policy.AzScope: unknown, policy.AzAccount: unknown}},
		{"none", "/accounts/acct-1/ports", "", http.Header{}, map[policy.Control]policy.Verdict{policy.TokPresent: policy.Denied(policy.CredentialMissing, ""), policy.KeyValid: none, policy.AzScope: none, policy.AzAccount: none}},
	} {
		out, err := compiledKeys(t, keyedBy, keyFile(t, legacyKey, c.more), nil)
		require.NoError(t, err, c.rule)
		got, _ := effects(t, out.Policy, c.path, c.header)
		for _, control := range tokenless {
			assert.Equal(t, policy.Inapplicable(), got[control], "%s: %s", c.rule, control)
			delete(got, control)
		}
		if c.want == nil {
			c.want = map[policy.Control]policy.Verdict{}
		}
		assert.Equal(t, c.want, got, c.rule)
	}
}

// key.valid stands where tok.sig stands for a token.
func TestAPIKeysNeedKeyValid(t *testing.T) {
	t.Parallel()
	keys := keyFile(t, legacyKey, "")
	for _, c := range []struct{ rule, text, want string }{
		{"key.valid alone", "controls: {key.valid: enforce}", "add to controls: {tok.present: enforce}"},
		{"an account boundary without it", "controls: {tok.present: enforce, in.route: enforce, in.method: enforce, az.account: enforce}", "add to controls: {key.valid: enforce}"},
		{"a signature of no token", "controls: {tok.present: enforce, tok.sig: enforce}", "remove it: no token arrives with credential.kind api_key"},
	} {
		_, err := compiledKeys(t, keyedBy+c.text+"\n", keys, nil)
		require.ErrorContains(t, err, c.want, c.rule)
	}
	_, err := build(t, head+"controls: {key.valid: enforce}\n")
	require.ErrorContains(t, err, "enforces, and nothing configures it; add credential: {kind: api_key")
	assert.Nil(t, find(must(t, head).Policy.Unmatched, policy.KeyValid), "no key arrives")

	out, err := compiledKeys(t, keyedBy, keys, nil)
	require.NoError(t, err)
	lines := compile.EnforceLines(out.Policy)
	assert.Contains(t, lines, "controls: {tok.present: enforce, key.valid: enforce}")
	assert.NotContains(t, strings.Join(lines, "\n"), "tok.sig")
	for _, line := range lines {
		_, err := compiledKeys(t, keyedBy+line+"\n", keys, nil)
		assert.NoError(t, err, line)
	}
	out, err = compiledKeys(t, keyedBy+"controls: {tok: enforce, key: enforce, az.account: enforce, in.route: enforce, in.method: enforce}\n", keys, nil)
	require.NoError(t, err)
	for path, want := range map[string]policy.Control{"/accounts/acct-1/ports": "", "/accounts/acct-2/ports": policy.AzAccount} {
		_, blocked := effects(t, out.Policy, path, sends(legacyKey))
		assert.Equal(t, want, blocked, path)
	}
	_, blocked := effects(t, out.Policy, "/accounts/acct-1/ports", sends(legacyKey+"x"))
	assert.Equal(t, policy.KeyValid, blocked)
	_, blocked = effects(t, out.Policy, "/status", http.Header{})
	assert.Empty(t, blocked, "a public operation asks for no key")
}

// A file that changed makes another policy that measures the same; a broken one makes
// none, and is named with entry and member.
func TestTheFileOfAPIKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, err := compiledKeysIn(t, dir, keyedBy, keyFile(t, legacyKey, ""), nil)
	require.NoError(t, err)
	assert.Contains(t, one.Files, filepath.Join(dir, "api-keys.json"), "a change is noticed")
	two, err := compiledKeysIn(t, dir, keyedBy, keyFile(t, legacyKey+"-2", ""), one.Parts)
	require.NoError(t, err)
	assert.Equal(t, one.Measured, two.Measured)
	assert.NotEqual(t, one.Policy.Digest, two.Policy.Digest)
	_, blocked := effects(t, one.Policy, "/accounts/acct-1/ports", sends(legacyKey))
	assert.Empty(t, blocked)
	got, _ := effects(t, two.Policy, "/accounts/acct-1/ports", sends(legacyKey))
	assert.Equal(t, policy.Denied(policy.APIKeyUnknown, ""), got[policy.KeyValid])

	for rule, c := range map[string]struct{ keys, want string }{
		"no JSON":      {"{", "byte 1: is not JSON"},
		"a member":     {keyFile(t, legacyKey, `,"owner":"x"`), `entry "legacy-1": a member is none of id, salt`},
		"no such day":  {keyFile(t, legacyKey, `,"expires":"2026-13-01"`), `entry "legacy-1": member expires:`},
		"same id":      {strings.Replace(keyFile(t, legacyKey, ""), "]}]}", "]},"+strings.TrimPrefix(keyFile(t, "another-legacy-key", ""), `{"version":1,"keys":[`), 1), `entry "legacy-1": member id: is that of entry number 1 too`},
		"not a secret": {legacyKey, "is not one JSON object"},
	} {
		_, err := compiledKeysIn(t, dir, keyedBy, c.keys, one.Parts)
		require.ErrorContains(t, err, "credential.api_key.file: ", rule)
		require.ErrorContains(t, err, `api-keys.json": `, rule)
		require.ErrorContains(t, err, c.want, rule)
		assert.NotContains(t, err.Error(), legacyKey, rule)
	}
	require.NoError(t, os.Remove(filepath.Join(dir, "api-keys.json")))
	_, err = compile.Compile(compile.Input{Config: readIn(t, dir, contract, keyedBy), Now: now})
	require.ErrorContains(t, err, "credential.api_key.file: the file can not be read")
}

func TestKeysThatEndAreToldInTime(t *testing.T) {
	t.Parallel()
	for day, want := range map[string]string{
		"2026-11-21": "1 keys have expired", "2026-12-01": `1 keys expire within 30 days, the first in the file being "legacy-1"`, "2027-11-21": "",
	} {
		out, err := compiledKeys(t, keyedBy, keyFile(t, legacyKey, `,"expires":"`+day+`"`), nil)
		require.NoError(t, err)
		var found string
		for _, w := range out.Warnings {
			if w.Field == "credential.api_key.file" {
				found += w.Cause
			}
		}
		assert.True(t, want == "" && found == "" || want != "" && strings.HasPrefix(found, want), "%s: %s", day, found)
	}
}

// What a migration from tokens leaves behind enforces that there is a key, and not that
// it is one.
func TestAPIKeysThatNobodyProvesAreTold(t *testing.T) {
	t.Parallel()
	keys := keyFile(t, legacyKey, "")
	for text, want := range map[string]bool{
		"controls: {tok: enforce}":               true,
		"controls: {tok: enforce, key: enforce}": false,
		"mode: enforce":                          false,
		"mode: shadow":                           false,
	} {
		out, err := compiledKeys(t, keyedBy+text+"\n", keys, nil)
		require.NoError(t, err, text)
		told := slices.ContainsFunc(out.Warnings, func(p config.Problem) bool {
			return strings.Contains(p.Cause, "anything that looks like a key passes there") && strings.Contains(p.Fix, "key.valid: enforce")
		})
		assert.Equal(t, want, told, text)
	}
}
