package compile_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
	"github.com/sidewarden/sidewarden/policy/token"
)

// asking is a configuration whose issuer is asked about opaque tokens at a URL, and
// what else it has.
func asking(url, more string) string {
	return strings.Replace(head, "jwks_file: keys.json", `tokens: opaque, introspection: {url: "`+url+`", client_id: sidewarden, client_secret: "${file:secret}"}`, 1) +
		"decision_timeout: 20s\n" + more
}

func TestRevocationIsJudgedWhereAnIssuerIsAsked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("one"), 0o600))
	compiled := func(text string) (*compile.Output, error) {
		return compile.Compile(compile.Input{Config: readIn(t, dir, contract, text), Now: now})
	}
	out, err := compiled(head)
	require.NoError(t, err)
	assert.Nil(t, find(operation(t, out.Policy, "listSites"), policy.TokRevoked), "nobody is asked")
	assert.NotContains(t, strings.Join(compile.EnforceLines(out.Policy), "\n"), "tok.revoked")
	out, err = compiled(asking("https://i.example/introspect", ""))
	require.NoError(t, err)
	require.NotNil(t, find(operation(t, out.Policy, "listSites"), policy.TokRevoked))
	assert.Contains(t, compile.EnforceLines(out.Policy), "controls: {tok.present: enforce, tok.sig: enforce, tok.revoked: enforce}")
	assert.Len(t, out.Runners, 1, "who owns the questions")
	assert.Contains(t, out.Files, filepath.Join(dir, "secret"))
	_, err = compiled(head + "controls: {tok.present: enforce, tok.sig: enforce, tok.revoked: enforce}\n")
	require.ErrorContains(t, err, `controls["tok.revoked"]: enforces, and nothing configures it; add token.issuers[].introspection`)
	_, err = compiled(asking("https://i.example/introspect", "controls: {tok.revoked: enforce}\n"))
	require.ErrorContains(t, err, "it needs tok.present, tok.sig to enforce too")
	_, err = compiled(strings.Replace(asking("https://i.example/introspect", ""), "tokens: opaque", "tokens: opaque, ca_file: secret", 1))
	require.ErrorContains(t, err, "token.issuers[0].ca_file: the file holds no certificate")
}

func TestWhatAnIssuerIsAskedWithMakesTheStage(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	var secret atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		_, password, _ := r.BasicAuth()
		secret.Store(password)
		_, _ = io.WriteString(w, `{"active":true,"client_id":"c"}`)
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	compiled := func(password, text string, previous *compile.Parts, offline bool) *compile.Output {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte(password), 0o600))
		out, err := compile.Compile(compile.Input{Config: readIn(t, dir, contract, text), Now: now, Previous: previous, Offline: offline})
		require.NoError(t, err)
		return out
	}
	use := func(out *compile.Output) policy.Verdict {
		r := &policy.Request{Time: now(), Header: http.Header{"Authorization": {"Bearer opaque-1"}}}
		return out.Policy.Authenticator.Authenticate(t.Context(), r).Proof
	}
	text := asking(server.URL, "")
	first := compiled("one", text, nil, false)
	require.Equal(t, policy.Permitted(), use(first))
	assert.Equal(t, "one", secret.Load())
	same := compiled("one", text+"controls: {tok.aud: off}\n", first.Parts, false)
	assert.Same(t, first.Policy.Authenticator, same.Policy.Authenticator, "what was said goes on")
	require.Equal(t, policy.Permitted(), use(same))
	assert.EqualValues(t, 1, asked.Load())
	rotated := compiled("two", text, first.Parts, false)
	assert.NotSame(t, first.Policy.Authenticator, rotated.Policy.Authenticator)
	require.Equal(t, policy.Permitted(), use(rotated))
	assert.Equal(t, "two", secret.Load(), "a rotated secret is used")
	stats := rotated.Parts.Introspection()
	require.Len(t, stats, 1)
	assert.EqualValues(t, 2, stats[0].Results[token.IntrospectionActive], "and the counts go on")
	longer := compiled("two", strings.Replace(text, "20s", "21s", 1), rotated.Parts, false)
	assert.NotSame(t, rotated.Policy.Authenticator, longer.Policy.Authenticator)
	before := asked.Load()
	assert.Equal(t, policy.IntrospectionUnavailable, use(compiled("two", text, nil, true)).Reason)
	assert.Equal(t, before, asked.Load(), "offline asks nobody")
	assert.Empty(t, (&compile.Parts{}).Introspection())
}

func TestAuthoritiesOfAnEndpointCountByTheirContent(t *testing.T) {
	t.Parallel()
	one := httptest.NewTLSServer(nil)
	t.Cleanup(one.Close)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("one"), 0o600))
	text := strings.Replace(asking("https://i.example/introspect", ""), "tokens: opaque", "tokens: opaque, ca_file: ca.pem", 1)
	compiled := func(authorities []byte, previous *compile.Parts) *compile.Output {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.pem"), authorities, 0o600))
		out, err := compile.Compile(compile.Input{Config: readIn(t, dir, contract, text), Now: now, Previous: previous})
		require.NoError(t, err)
		return out
	}
	first := compiled(certificate(one), nil)
	assert.Same(t, first.Policy.Authenticator, compiled(certificate(one), first.Parts).Policy.Authenticator)
	assert.NotSame(t, first.Policy.Authenticator, compiled(append(certificate(one), certificate(one)...), first.Parts).Policy.Authenticator)
}

// Who owns the questions stays for as long as the process runs, so that a request of an
// earlier policy gets its answer, whatever a reload changes.
func TestTheOwnerOfQuestionsOutlivesEveryReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("one"), 0o600))
	compiled := func(text string, previous *compile.Parts) *compile.Output {
		out, err := compile.Compile(compile.Input{Config: readIn(t, dir, contract, text), Now: now, Previous: previous})
		require.NoError(t, err)
		return out
	}
	before := compiled(head, nil)
	assert.NotContains(t, before.Runners, "introspection", "nobody is asked")
	first := compiled(asking("https://i.example/introspect", ""), before.Parts)
	require.Contains(t, first.Runners, "introspection")
	for name, text := range map[string]string{
		"nothing": asking("https://i.example/introspect", ""), "another endpoint": asking("https://i.example/other", ""), "nobody is asked any more": head,
	} {
		next := compiled(text, first.Parts)
		assert.Same(t, first.Runners["introspection"], next.Runners["introspection"], name)
		last := compiled(asking("https://i.example/third", ""), next.Parts)
		assert.Same(t, first.Runners["introspection"], last.Runners["introspection"], name)
	}
	running(t, first)
}

func TestOneIssuerMayHaveBothFormsOfTokens(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("one"), 0o600))
	text := strings.Replace(asking("https://i.example/introspect", ""), "tokens: opaque", "tokens: both, jwks_file: keys.json", 1)
	cfg := readIn(t, dir, contract, text)
	assert.Equal(t, config.TokensBoth, cfg.Token.Issuers[0].Tokens)
	out, err := compile.Compile(compile.Input{Config: cfg, Now: now})
	require.NoError(t, err)
	assert.Len(t, out.Parts.KeySets(), 1)
	assert.Len(t, out.Parts.Introspection(), 1)
}
