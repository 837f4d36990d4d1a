package compile_test

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
	"github.com/sidewarden/sidewarden/policy/token"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

func compileError(c *config.Config) error {
	_, err := compile.Compile(compile.Input{Config: c, Now: now})
	return err
}

// certificate returns the PEM text of the certificate of a server.
func certificate(server *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

// running runs everything of a policy until the test ends.
func running(t *testing.T, out *compile.Output) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, len(out.Runners))
	for _, r := range out.Runners {
		go func() { done <- r.Run(ctx) }()
	}
	t.Cleanup(func() {
		cancel()
		for range out.Runners {
			assert.NoError(t, <-done)
		}
	})
}

func TestAReloadKeepsTheKeysOfAnIssuerThatIsDown(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte(keySet))
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.pem"), certificate(server), 0o600))
	compiled := func(refresh string, previous *compile.Parts) *compile.Output {
		text := strings.Replace(head, "jwks_file: keys.json", `jwks_url: "`+server.URL+`/", ca_file: ca.pem, refresh: `+refresh, 1)
		out, err := compile.Compile(compile.Input{Config: readIn(t, dir, contract, text), Now: now, Previous: previous})
		require.NoError(t, err)
		require.Len(t, out.Parts.KeySets(), 1)
		return out
	}
	first := compiled("5m", nil)
	running(t, first)
	require.Eventually(t, first.Parts.KeySets()[0].Ready, 5*time.Second, 5*time.Millisecond)
	down.Store(true)
	second := compiled("6m", first.Parts)
	assert.NotSame(t, first.Parts.KeySets()[0], second.Parts.KeySets()[0])
	assert.True(t, second.Parts.KeySets()[0].Ready(), "the keys go on")
	third := compiled("6m", second.Parts)
	assert.Same(t, second.Parts.KeySets()[0], third.Parts.KeySets()[0], "nothing changed")
}

func TestAuthoritiesCountByTheirContent(t *testing.T) {
	t.Parallel()
	one := httptest.NewTLSServer(nil)
	t.Cleanup(one.Close)
	dir := t.TempDir()
	file := filepath.Join(dir, "ca.pem")
	text := strings.Replace(head, "jwks_file: keys.json", `jwks_url: "`+one.URL+`/", ca_file: ca.pem`, 1)
	compiled := func(authorities []byte, previous *compile.Parts) (*compile.Output, error) {
		require.NoError(t, os.WriteFile(file, authorities, 0o600))
		return compile.Compile(compile.Input{Config: readIn(t, dir, contract, text), Now: now, Previous: previous})
	}
	first, err := compiled(certificate(one), nil)
	require.NoError(t, err)
	same, err := compiled(certificate(one), first.Parts)
	require.NoError(t, err)
	assert.Same(t, first.Parts.KeySets()[0], same.Parts.KeySets()[0])
	assert.Same(t, first.Policy.Authenticator, same.Policy.Authenticator)
	sent := tokentest.RSA().Token(tokentest.Claims("https://i.example", "aud", now(), nil))
	first.Policy.Authenticator.Authenticate(t.Context(), &policy.Request{Time: now(), Header: http.Header{"Authorization": {"Bearer " + sent}}})
	rotated, err := compiled(append(certificate(one), certificate(one)...), first.Parts)
	require.NoError(t, err)
	assert.NotSame(t, first.Parts.KeySets()[0], rotated.Parts.KeySets()[0], "replaced authorities are used")
	assert.NotSame(t, first.Policy.Authenticator, rotated.Policy.Authenticator, "and the stage asks the new key set")
	assert.Equal(t, []token.CacheStats{{Issuer: "https://i.example", Misses: 1}}, rotated.Parts.TokenCache(), "but its counts go on")
	for id := range rotated.Runners {
		assert.NotContains(t, first.Runners, id, "which has to run in place of the old one")
	}
	_, err = compiled([]byte("garbage"), first.Parts)
	require.ErrorContains(t, err, "token.issuers[0].ca_file: the file holds no certificate")
}

func TestDigestsSeeBehindReferences(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := strings.Replace(head, "audiences: [a]", `audiences: ["${file:audience}"]`, 1)
	compiled := func(audience string) (*policy.Policy, string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "audience"), []byte(audience), 0o600))
		out, err := compile.Compile(compile.Input{Config: readIn(t, dir, contract, text), Now: now})
		require.NoError(t, err)
		return out.Policy, out.Measured
	}
	one, measuredOne := compiled("https://api.one")
	same, measuredSame := compiled("https://api.one")
	two, measuredTwo := compiled("https://api.two")
	assert.Equal(t, one.Digest, same.Digest)
	assert.Equal(t, measuredOne, measuredSame)
	assert.NotEqual(t, one.Digest, two.Digest)
	assert.NotEqual(t, measuredOne, measuredTwo)
}
