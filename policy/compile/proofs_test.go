package compile_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
	"github.com/sidewarden/sidewarden/policy/token/tokentest"
	"github.com/sidewarden/sidewarden/ratelimit"
)

// taking is a configuration that takes proofs.
func taking(settings, rest string) string {
	return strings.Replace(head, "token:\n", "token:\n  dpop: {public_url: \"https://api.example\""+settings+"}\n", 1) + rest
}

func TestNoncesNeedAnAnswerOfOurs(t *testing.T) {
	t.Parallel()
	const nonce = ", nonce: true"
	for _, c := range []struct{ name, text, fix string }{
		{"in shadow", taking(nonce, ""), "add to controls: {tok.bind: enforce}, or remove nonce"},
		{"off", taking(nonce, "controls: {tok: enforce, tok.bind: \"off\"}\n"), "add to controls: {tok.bind: enforce}, or remove nonce"},
		{
			"in shadow for one operation", taking(nonce, "controls: {tok: enforce}\noperations: {listSites: {controls: {tok.bind: shadow}}}\n"),
			`add to operations: {"listSites": {controls: {tok.bind: enforce}}}, or remove nonce`,
		},
		{
			"enforced for one operation alone", taking(nonce, "operations: {listSites: {controls: {tok: enforce}}}\n"),
			"add to controls: {tok.bind: enforce}, or remove nonce",
		},
	} {
		_, err := build(t, c.text)
		var problems config.Problems
		require.ErrorAs(t, err, &problems, c.name)
		require.Len(t, problems, 1, "%s: %s", c.name, err)
		assert.Equal(t, "token.dpop.nonce", problems[0].Field, c.name)
		assert.Equal(t, c.fix, problems[0].Fix, c.name)
	}
	for name, text := range map[string]string{
		"enforced":             taking(nonce, "controls: {tok: enforce}\n"),
		"a public operation":   taking(nonce, "controls: {tok: enforce}\noperations: {listSites: {public: true, controls: {tok.bind: shadow}}}\n"),
		"proofs without nonce": taking("", ""),
	} {
		_, err := build(t, text)
		assert.NoError(t, err, name)
	}
}

func TestAnswersNameTheAlgorithmsOfProofs(t *testing.T) {
	t.Parallel()
	assert.Empty(t, must(t, head).Policy.DPoP)
	assert.Equal(t, []string{"ES256", "EdDSA", "RS256", "PS256"}, must(t, taking("", "")).Policy.DPoP)
	assert.Equal(t, []string{"ES512"}, must(t, taking(", algorithms: [ES512]", "")).Policy.DPoP)
}

// proving is a client with a token that is bound to its key.
type proving struct {
	client *tokentest.Signer
	token  string
	sent   int
}

func newProving() *proving {
	client := tokentest.Shared("EdDSA", "")
	cnf := map[string]any{"cnf": map[string]any{"jkt": client.Thumbprint()}}
	return &proving{client, tokentest.EC().Token(tokentest.Claims("https://i.example", "a", now(), cnf)), 0}
}

func (p *proving) proof(id, nonce string) string {
	return p.client.Proof(tokentest.Proof{Method: "GET", URL: "https://api.example/sites", Token: p.token, Time: now(), ID: id, Nonce: nonce})
}

// judged returns the verdict of tok.bind on a request with a proof, and its nonce.
func (p *proving) judged(t *testing.T, out *compile.Output, proof string) (policy.Verdict, string) {
	t.Helper()
	p.sent++
	r := &policy.Request{
		Time: now().Add(time.Duration(p.sent) * time.Millisecond), Method: "GET", Path: "/sites",
		Header: http.Header{"Authorization": {"DPoP " + p.token}, "Dpop": {proof}},
	}
	r.Match = out.Policy.Matcher.Match(r)
	r.Auth = out.Policy.Authenticator.Authenticate(t.Context(), r)
	r.Frame = unambiguous()
	f, ok := out.Policy.Evaluate(t.Context(), r, policy.HeadPhase).Find(policy.TokBind)
	require.True(t, ok)
	return f.Verdict, r.Auth.Sender().Nonce
}

// provingIn compiles beside the key that signs the tokens of tests.
func provingIn(t *testing.T, dir, text string, previous *compile.Parts) *compile.Output {
	t.Helper()
	c := readIn(t, dir, contract, text)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "keys.json"), tokentest.JWKS(tokentest.EC()), 0o600))
	out, err := compile.Compile(compile.Input{Config: c, Now: now, Previous: previous})
	require.NoError(t, err)
	return out
}

func TestUsedProofsOutliveAReload(t *testing.T) {
	t.Parallel()
	dir, p := t.TempDir(), newProving()
	replayed := policy.Denied(policy.DPoPReplayed, "")
	first := provingIn(t, dir, taking("", ""), nil)
	proof := p.proof("proof-1", "")
	v, _ := p.judged(t, first, proof)
	require.Equal(t, policy.Permitted(), v)
	for name, text := range map[string]string{
		"nothing changed":  taking("", ""),
		"another age":      taking(", max_age: 90s", ""),
		"another mode":     taking("", "controls: {tok: enforce}\n"),
		"another contract": taking("", "operations: {listSites: {scopes: []}}\n"),
	} {
		next := provingIn(t, dir, text, first.Parts)
		v, _ := p.judged(t, next, proof)
		assert.Equal(t, replayed, v, name)
		v, _ = p.judged(t, provingIn(t, dir, text, next.Parts), proof)
		assert.Equal(t, replayed, v, "%s, twice", name)
	}
	v, _ = p.judged(t, provingIn(t, dir, taking(", max_proofs: 10", ""), first.Parts), proof)
	assert.Equal(t, policy.Permitted(), v, "another bound is another store")
}

func TestAFullStoreOfProofsIsUndecided(t *testing.T) {
	t.Parallel()
	p := newProving()
	out := provingIn(t, t.TempDir(), taking(", max_proofs: 1", ""), nil)
	v, _ := p.judged(t, out, p.proof("proof-1", ""))
	assert.Equal(t, policy.Permitted(), v)
	v, _ = p.judged(t, out, p.proof("proof-2", ""))
	assert.Equal(t, policy.Indeterminate, v.Effect)
	assert.Equal(t, policy.DPoPStoreFull, v.Reason)
}

// Raising the bound would not help a store whose clock is ahead.
func TestAProofThatIsPastForTheStoreIsNoMatterOfRoom(t *testing.T) {
	t.Parallel()
	p := newProving()
	out := provingIn(t, t.TempDir(), taking("", ""), nil)
	later := *p
	later.sent = int(time.Hour / time.Millisecond)
	laterProof := p.client.Proof(tokentest.Proof{Method: "GET", URL: "https://api.example/sites", Token: p.token, Time: now().Add(time.Hour), ID: "proof-1"})
	v, _ := later.judged(t, out, laterProof)
	require.Equal(t, policy.Permitted(), v)
	v, _ = p.judged(t, out, p.proof("proof-2", "")) // the clock was set back by an hour
	assert.Equal(t, policy.Indeterminate, v.Effect)
	assert.Equal(t, policy.DPoPStoreUnavailable, v.Reason)
	assert.ErrorIs(t, v.Err, ratelimit.ErrPast)
}

func TestARotatedNonceKeyTakesEffect(t *testing.T) {
	t.Parallel()
	dir, p := t.TempDir(), newProving()
	key := filepath.Join(dir, "nonce.key")
	nonce := func(secret string, previous *compile.Parts) (string, *compile.Output) {
		require.NoError(t, os.WriteFile(key, []byte(secret), 0o600))
		out := provingIn(t, dir, taking(`, nonce: true, nonce_key: "${file:`+key+`}"`, "controls: {tok: enforce}\n"), previous)
		v, given := p.judged(t, out, p.proof("proof-1", ""))
		require.Equal(t, policy.Denied(policy.DPoPNonce, ""), v)
		return given, out
	}
	first, out := nonce("a key of sixteen bytes or more", nil)
	same, _ := nonce("a key of sixteen bytes or more", out.Parts)
	assert.Equal(t, first, same)
	other, _ := nonce("another key of sixteen bytes or more", out.Parts)
	assert.NotEqual(t, first, other)
}

// What is judged follows no mode: the findings are the same.
func TestProofsAreJudgedAlikeInBothModes(t *testing.T) {
	t.Parallel()
	p := newProving()
	shadow := provingIn(t, t.TempDir(), taking("", ""), nil)
	enforce := provingIn(t, t.TempDir(), taking("", "controls: {tok: enforce}\n"), nil)
	good := p.proof("proof-1", "")
	for _, proof := range []string{good, good, good[:len(good)-1], p.proof("", ""), p.proof("proof-2", "n"), "", "a.b.c"} {
		one, _ := p.judged(t, shadow, proof)
		other, _ := p.judged(t, enforce, proof)
		assert.Equal(t, one, other)
	}
}

func TestASenderConstraintIsHeld(t *testing.T) {
	t.Parallel()
	p := newProving()
	for constraint, want := range map[string]policy.Verdict{
		"optional": policy.Permitted(), "required": policy.Permitted(), "dpop": policy.Permitted(), "mtls": policy.Denied(policy.TokenUnbound, ""),
	} {
		text := strings.Replace(taking("", ""), "audiences: [a]", "audiences: [a], sender_constraint: "+constraint, 1)
		v, _ := p.judged(t, provingIn(t, t.TempDir(), text, nil), p.proof("proof-"+constraint, ""))
		assert.Equal(t, want, v, constraint)
	}
}
