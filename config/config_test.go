package config_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/config"
)

var update = flag.Bool("update", false, "write the golden files")

// rules names every rule of the file format that can be broken. Each has a file
// that keeps it and a file that breaks it.
func rules() []string {
	return strings.Fields(`
		unknown-field duplicate-key second-document empty-value merge-key not-a-string not-yaml required
		empty-file not-a-mapping
		size duration rate mode integer boolean literal
		pseudonym-key-literal pseudonym-key-short reference-missing reference-part reference-not-quoted
		version product address admin-exposed admin-same-address backend-url backend-url-scheme
		backend-url-userinfo backend-tls backend-tls-pair login-path header-name header-of-connection contract-missing
		spec-and-specs base-path listen-tls unknown-control operation-key
		issuer-missing issuer-duplicate issuer-key-set issuer-discovery issuer-discovery-hosts issuer-proxy issuer-url issuer-audiences
		issuer-algorithms issuer-profile issuer-types issuer-claims issuer-max-stale issuer-tokens introspection replay-mode account-rule headers delegation deadline exception
		listen-hosts message-target message-allow
		limit-name limit-key limit-rate limit-quota limit-operations
		gateway-proof gateway-proof-absent gateway-proof-empty gateway-proof-secret gateway-proof-literal
		forwarded-peers forwarded-header backend-identity backend-identity-empty backend-identity-nobody
		gateway-proof-twice gateway-proof-peers gateway-token identity-headers identity-headers-effect
		identity-headers-replay api-key api-key-effect api-key-header header-twice nobody spec-name spec-head undeclared-parameters path-prefix health operation-actions
		dpop-url dpop-url-missing dpop-url-userinfo dpop-url-query dpop-url-plain dpop-url-slash dpop-algorithms
		dpop-algorithms-none dpop-nonce-key dpop-nonce-key-idle dpop-header dpop-tokenless sender-constraint
		content-coding max-inflation header-bytes byte-rate
		unavailable-evidence-dir
		client-certificate client-cert-header client-cert-header-proof client-certificates client-certificates-effect listen-h2c backend-h2c
		gateway-certificate gateway-certificate-unasked gateway-certificate-name gateway-signature gateway-signature-keyless gateway-signature-key gateway-signature-components
		unavailable-trace-inject`)
}

// warnings names every danger that is told.
func warnings() []string {
	return strings.Fields("enforce-default fail-open undeclared-deny patterns-omitted http-backend admin-exposed clock-skew issuer-clock-skew no-key nobody peers-alone signature-uncovered sender-constraint dpop-nonce-key backend-identity-issuer issuer-types decision-timeout credential-scheme")
}

// leak is a value that the test files hold where no message may repeat it.
const leak = "hunter2"

// world is what the test files refer to.
func world() config.Env {
	vars := map[string]string{
		"PSEUDONYM_KEY": "an-example-key-of-32-bytes-xxxxx", "ENVIRONMENT": "prod", "PRODUCT": "orders", "SHORT": leak + "\x01", "EMPTY": "",
		"PROOF": leak + "-proof-of-the-gateway", "NEXT_PROOF": leak + "-next-proof-of-the-gateway", "SPACED": leak + " proof of the gateway",
		"SIGNATURE": leak + "-signature-of-the-gateway-0123456789",
	}
	files := map[string]string{"/run/secrets/pseudonym": "another-example-key\n", "/run/secrets/empty": "\n"}
	return config.Env{
		LookupEnv: func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
		ReadFile: func(path string) ([]byte, error) {
			if v, ok := files[path]; ok {
				return []byte(v), nil
			}
			return nil, &os.PathError{Op: "open", Path: path, Err: os.ErrNotExist}
		},
	}
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return data
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(filepath.Join("testdata", name), []byte(got), 0o644))
	}
	assert.Equal(t, string(read(t, name)), got)
	assert.NotContains(t, got, leak, "a message repeats a secret")
}

func TestEveryRuleHasAGoodAndABadFile(t *testing.T) {
	want := map[string]bool{"minimal.good.yaml": true, "minimal.golden": true, "full.structural.yaml": true, "fuzz": true}
	for _, r := range rules() {
		want[r+".good.yaml"], want[r+".bad.yaml"], want[r+".bad.golden"] = true, true, true
	}
	for _, w := range warnings() {
		want[w+".warn.yaml"], want[w+".warn.golden"] = true, true
	}
	entries, err := os.ReadDir("testdata")
	require.NoError(t, err)
	for _, e := range entries {
		assert.True(t, want[e.Name()], "%s belongs to no rule", e.Name())
		delete(want, e.Name())
	}
	delete(want, "fuzz") // Only there once fuzzing found something.
	assert.Empty(t, want, "files are missing")
}

func TestRules(t *testing.T) {
	for _, r := range rules() {
		t.Run(r, func(t *testing.T) {
			_, err := config.Parse(r+".good.yaml", read(t, r+".good.yaml"), world())
			require.NoError(t, err)

			_, err = config.Parse(r+".bad.yaml", read(t, r+".bad.yaml"), world())
			var ps config.Problems
			require.ErrorAs(t, err, &ps)
			require.NotEmpty(t, ps)
			for _, p := range ps {
				assert.NotEmpty(t, p.Cause)
				assert.NotEmpty(t, p.Fix, p.Cause)
			}
			golden(t, r+".bad.golden", ps.Error()+"\n")
		})
	}
}

func TestWarnings(t *testing.T) {
	for _, w := range warnings() {
		t.Run(w, func(t *testing.T) {
			c, err := config.Parse(w+".warn.yaml", read(t, w+".warn.yaml"), world())
			require.NoError(t, err)
			require.NotEmpty(t, c.Warnings())
			golden(t, w+".warn.golden", c.Warnings().Error()+"\n")
		})
	}
}

func TestASafeFileHasNoWarning(t *testing.T) {
	c, err := config.Parse("f", read(t, "pseudonym-key-literal.good.yaml"), world())
	require.NoError(t, err)
	assert.Empty(t, c.Warnings())
	assert.Equal(t, "an-example-key-of-32-bytes-xxxxx", c.Audit.PseudonymKey.Reveal())
}

func TestAMinimalFileIsUsefulAndPrintsEveryDefault(t *testing.T) {
	data := read(t, "minimal.good.yaml")
	assert.LessOrEqual(t, strings.Count(string(data), "\n"), 12)
	c, err := config.Parse("minimal.good.yaml", data, world())
	require.NoError(t, err)
	out, err := c.Effective()
	require.NoError(t, err)
	golden(t, "minimal.golden", string(out))
}

func TestControlModeIsTheMostSpecific(t *testing.T) {
	c := &config.Config{
		Mode:       config.Shadow,
		Controls:   map[string]config.Mode{"az": config.Enforce, "az.scope": config.Off},
		Operations: map[string]config.Operation{"op": {Controls: map[string]config.Mode{"az": config.Shadow, "in.size": config.Enforce}}},
	}
	for name, row := range map[string]struct {
		op, control string
		want        config.Mode
	}{
		"default when nothing is named":     {"", "tok.sig", config.Shadow},
		"family wins over default":          {"", "az.account", config.Enforce},
		"control wins over family":          {"", "az.scope", config.Off},
		"operation wins over top level":     {"op", "az.scope", config.Shadow},
		"operation's control":               {"op", "in.size", config.Enforce},
		"unconfigured operation is default": {"other", "in.size", config.Shadow},
	} {
		assert.Equal(t, row.want, c.ControlMode(row.op, row.control), name)
	}
}

func TestControlIDsAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, id := range config.ControlIDs() {
		assert.False(t, seen[id], id)
		assert.Regexp(t, `^[a-z]+\.[a-z]+$`, id)
		seen[id] = true
	}
	assert.Len(t, seen, 53)
}
