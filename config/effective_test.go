package config_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/config"
)

func TestEffectiveHidesWhatCameThroughAReference(t *testing.T) {
	data := string(read(t, "minimal.good.yaml")) + "environment: \"${env:ENVIRONMENT}\"\naudit: {pseudonym_key: \"${env:PSEUDONYM_KEY}\"}\n"
	c, err := config.Parse("f", []byte(data), world())
	require.NoError(t, err)
	out, err := c.Effective()
	require.NoError(t, err)
	assert.Contains(t, string(out), "environment: ${env:ENVIRONMENT}\n")
	assert.Contains(t, string(out), "pseudonym_key: '[secret]'\n")
	assert.NotContains(t, string(out), "prod\n")
	assert.NotContains(t, string(out), "an-example-key")
}

func TestEffectiveKeepsEmptyScopesApartFromAbsentOnes(t *testing.T) {
	data := string(read(t, "minimal.good.yaml")) + "operations: {a: {scopes: []}, b: {account: none}}\n"
	c, err := config.Parse("f", []byte(data), world())
	require.NoError(t, err)
	assert.NotNil(t, c.Operations["a"].Scopes)
	assert.Nil(t, c.Operations["b"].Scopes)
	fixedPoint(t, c)
}

func TestEffectiveKeepsPublicFalseApartFromAbsent(t *testing.T) {
	data := string(read(t, "minimal.good.yaml")) + "operations: {a: {public: false}, b: {public: true}, c: {account: none}}\n"
	c, err := config.Parse("f", []byte(data), world())
	require.NoError(t, err)
	require.NotNil(t, c.Operations["a"].Public)
	assert.False(t, *c.Operations["a"].Public)
	require.NotNil(t, c.Operations["b"].Public)
	assert.True(t, *c.Operations["b"].Public)
	assert.Nil(t, c.Operations["c"].Public)
	fixedPoint(t, c)
}

func TestFingerprintSeesBehindReferencesAndNotIntoSecrets(t *testing.T) {
	fingerprint := func(environment, key string) [32]byte {
		t.Helper()
		env := world()
		env.LookupEnv = func(name string) (string, bool) {
			return map[string]string{"ENVIRONMENT": environment, "PSEUDONYM_KEY": key}[name], true
		}
		data := string(read(t, "minimal.good.yaml")) + "environment: \"${env:ENVIRONMENT}\"\naudit: {pseudonym_key: \"${env:PSEUDONYM_KEY}\"}\n"
		c, err := config.Parse("f", []byte(data), env)
		require.NoError(t, err)
		sum, err := c.Fingerprint()
		require.NoError(t, err)
		return sum
	}
	one := fingerprint("prod", "an-example-key-of-32-bytes-or-so")
	assert.Equal(t, one, fingerprint("prod", "an-example-key-of-32-bytes-or-so"))
	assert.NotEqual(t, one, fingerprint("test", "an-example-key-of-32-bytes-or-so"), "a value behind a reference counts")
	assert.Equal(t, one, fingerprint("prod", "another-key-that-is-long-enough!"), "a secret does not")
}

func TestEffectiveReadsBackForEveryGoodFile(t *testing.T) {
	files, err := filepath.Glob("testdata/*.good.yaml")
	require.NoError(t, err)
	for _, f := range files {
		c, err := config.Parse(f, read(t, filepath.Base(f)), world())
		require.NoError(t, err)
		fixedPoint(t, c)
	}
}

func TestAReferencedContractDoesNotTellItsFolder(t *testing.T) {
	env := world()
	env.LookupEnv = func(string) (string, bool) { return "/somewhere/private/openapi.yaml", true }
	c, err := config.Parse("f", []byte("version: 1\nproduct: a\nmode: off\nlisten: {address: ':1'}\nbackend: {url: 'http://127.0.0.1:1'}\nspec: {file: '${env:SPEC}'}\n"), env)
	require.NoError(t, err)
	assert.Equal(t, "/somewhere/private", c.Specs[0].Root)
	out, err := c.Effective()
	require.NoError(t, err)
	assert.NotContains(t, string(out), "private")
	again, err := config.Parse("f", out, env)
	require.NoError(t, err)
	assert.Equal(t, c.Specs, again.Specs)
}

// fixedPoint states that what Effective prints is read back as the same
// configuration, if it holds no secret.
func fixedPoint(t *testing.T, c *config.Config) {
	t.Helper()
	asks := func(i config.Issuer) bool { return i.Introspection != nil }
	nonces := c.Token.DPoP != nil && !c.Token.DPoP.NonceKey.IsZero()
	signs := c.Gateway.Proof.Signature != nil && len(c.Gateway.Proof.Signature.Keys) > 0
	if !c.Audit.PseudonymKey.IsZero() || len(c.Gateway.Proof.Secrets) > 0 || signs || nonces || slices.ContainsFunc(c.Token.Issuers, asks) {
		return
	}
	first, err := c.Effective()
	require.NoError(t, err)
	again, err := config.Parse("effective", first, world())
	require.NoError(t, err, "%s", first)
	second, err := again.Effective()
	require.NoError(t, err)
	require.Equal(t, string(first), string(second))
}

func FuzzConfig(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	require.NoError(f, err)
	for _, file := range files {
		f.Add(read(f, filepath.Base(file)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 {
			return
		}
		c, err := config.Parse("fuzz", data, world())
		if err != nil {
			var ps config.Problems
			require.ErrorAs(t, err, &ps)
			require.NotEmpty(t, ps)
			return
		}
		fixedPoint(t, c)
	})
}
