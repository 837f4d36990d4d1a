package compile_test

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
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

// discovering is a server that is its own issuer, with metadata that leads to its
// keys, and what a configuration says of it.
func discovering(t *testing.T) (dir, issuer string, down *atomic.Bool) {
	t.Helper()
	down = new(atomic.Bool)
	var server *httptest.Server
	server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case down.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.URL.Path == "/.well-known/openid-configuration":
			_, _ = w.Write([]byte(`{"issuer":"` + server.URL + `","jwks_uri":"` + server.URL + `/keys"}`))
		case r.URL.Path == "/keys":
			_, _ = w.Write([]byte(keySet))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.pem"), certificate(server), 0o600))
	return dir, server.URL, down
}

func TestADiscoveredKeySetIsAPartLikeOthers(t *testing.T) {
	t.Parallel()
	dir, issuer, down := discovering(t)
	compiled := func(options string, previous *compile.Parts) *compile.Output {
		text := strings.Replace(head, "jwks_file: keys.json", "ca_file: ca.pem"+options, 1)
		text = strings.Replace(text, `"https://i.example"`, strconv.Quote(issuer), 1)
		out, err := compile.Compile(compile.Input{Config: readIn(t, dir, contract, text), Now: now, Previous: previous})
		require.NoError(t, err)
		require.Len(t, out.Parts.KeySets(), 1)
		return out
	}
	first := compiled("", nil)
	assert.False(t, first.Parts.KeySets()[0].Ready(), "nothing is asked before it runs")
	running(t, first)
	require.Eventually(t, first.Parts.KeySets()[0].Ready, 5*time.Second, 5*time.Millisecond)
	assert.NotEmpty(t, first.Parts.KeySets()[0].Timeline())
	down.Store(true)
	same := compiled("", first.Parts)
	assert.Same(t, first.Parts.KeySets()[0], same.Parts.KeySets()[0], "nothing changed")
	for _, options := range []string{", discovery_hosts: [keys.example.net]", `, proxy_url: "http://127.0.0.1:3128"`, ", refresh: 6m"} {
		other := compiled(options, first.Parts)
		assert.NotSame(t, first.Parts.KeySets()[0], other.Parts.KeySets()[0], options)
		assert.True(t, other.Parts.KeySets()[0].Ready(), "the keys go on with %s", options)
		assert.Equal(t, first.Parts.KeySets()[0].Timeline(), other.Parts.KeySets()[0].Timeline(), "and so does what was seen of them")
	}
	moved := strings.Replace(head, "jwks_file: keys.json", `jwks_url: "`+issuer+`/keys", ca_file: ca.pem`, 1)
	moved = strings.Replace(moved, `"https://i.example"`, strconv.Quote(issuer), 1)
	out, err := compile.Compile(compile.Input{Config: readIn(t, dir, contract, moved), Now: now, Previous: first.Parts})
	require.NoError(t, err)
	assert.False(t, out.Parts.KeySets()[0].Ready(), "another source begins anew")
}
