package compile_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy/compile"
	"github.com/sidewarden/sidewarden/policy/token"
)

func TestWhatNoControlJudgesIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("one"), 0o600))
	jwts := strings.Replace(asking("https://i.example/introspect", ""), "tokens: opaque, introspection: {", "jwks_file: keys.json, introspection: {jwts: true, ", 1)
	bound := strings.Replace(head, "audiences: [a]", "audiences: [a], sender_constraint: required", 1)
	const bindOff, revokedOff = "controls: {tok.bind: off}\n", "controls: {tok.revoked: off}\n"
	for _, c := range []struct{ name, text, field, cause string }{
		{"JWTs are asked about", jwts + revokedOff, "token.issuers[0].introspection.jwts", "the issuer is asked about every JWT, and tok.revoked, which judges what it says, is off"},
		{"the answer about an opaque token proves it", asking("https://i.example/introspect", revokedOff), "", ""},
		{"one operation judges it", jwts + revokedOff + "operations: {listSites: {controls: {tok.revoked: shadow}}}\n", "", ""},
		{"it is judged", jwts, "", ""},
		{"proofs come", taking("", bindOff), "token.dpop", "tokens come with proofs, and tok.bind, which judges them, is off"},
		{"one operation judges proofs", taking("", bindOff+"operations: {listSites: {controls: {tok.bind: shadow}}}\n"), "", ""},
		{"proofs are judged", taking("", ""), "", ""},
		{"tokens have to be bound", bound + bindOff, "token.issuers[0].sender_constraint", "tok.bind, which asks for it, is off: no token has to be bound"},
		{"nothing is asked for", head + bindOff, "", ""},
	} {
		out, err := compile.Compile(compile.Input{Config: readIn(t, dir, contract, c.text), Now: now})
		require.NoError(t, err, c.name)
		warning := warningOf(out, "is off")
		if c.cause == "" {
			assert.Empty(t, warning, c.name)
			continue
		}
		assert.Contains(t, warning, c.field+": "+c.cause, c.name)
		assert.NotContains(t, warning, "\n", "%s: nothing else is said", c.name)
	}
}

func TestAnswersAskForTheConfiguredScheme(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "Bearer", must(t, head).Policy.Scheme)
	assert.Equal(t, "Token", must(t, head+"credential: {scheme: Token}\n").Policy.Scheme)
	assert.Empty(t, must(t, head+"credential: {header: X-Token, scheme: \"\"}\n").Policy.Scheme)
}

// Two packages say what an opaque token can begin with. Whatever the configuration
// takes, the stage takes too: what it refused would be told without a place in the file.
func TestEveryPrefixOfTheConfigurationIsOneOfTokens(t *testing.T) {
	t.Parallel()
	candidates := []string{"", "=", "a=", "a b", "ä", strings.Repeat("a", 64), strings.Repeat("a", 65)}
	for c := range rune(0x80) {
		candidates = append(candidates, string(c), "a"+string(c), string(c)+"a")
	}
	env := config.Env{LookupEnv: func(string) (string, bool) { return "a secret of the client", true }}
	var taken int
	for _, prefix := range candidates {
		text := strings.NewReplacer("file:secret", "env:SECRET", "tokens: opaque, introspection: {", "tokens: opaque, introspection: {prefix: "+yamlOf(t, prefix)+", ").
			Replace(asking("https://i.example/introspect", ""))
		cfg, err := config.Parse("f", []byte(text), env)
		if err != nil {
			require.ErrorContains(t, err, "introspection.prefix", "%q", prefix)
			continue
		}
		in := cfg.Token.Issuers[0].Introspection
		require.Equal(t, prefix, in.Prefix)
		_, err = token.NewAuthenticator(token.Options{Header: "Authorization", Scheme: "Bearer", Issuers: []token.Issuer{{
			Issuer: "https://i.example", Audiences: []string{"a"},
			Introspection: &token.Introspection{URL: in.URL, ClientID: in.ClientID, ClientSecret: in.ClientSecret.Reveal(), Opaque: true, Prefix: prefix},
		}}})
		require.NoError(t, err, "%q", prefix)
		taken++
	}
	const letters = 26*2 + 10 + len("-._~+/")
	assert.Equal(t, 3*letters+2, taken, "every one of these, in three places, none, and the longest")
}

// yamlOf quotes a string for a configuration.
func yamlOf(t *testing.T, s string) string {
	t.Helper()
	quoted, err := json.Marshal(s)
	require.NoError(t, err)
	return string(quoted)
}
