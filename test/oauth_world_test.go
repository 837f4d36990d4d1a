package test_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// trust is the part of oauthConfig that says how the tokens of the OAuth server
// are verified; @issuer@ stands for the server.
const trust = `
token:
  clock_skew: 0s
  issuers:
    - issuer: "@issuer@"
      jwks_url: "@issuer@/jwks"
      refresh: 1s
      audiences: [https://api.example.net]
`

// oauthConfig is the configuration of a sidecar that trusts the OAuth server.
const oauthConfig = `version: 1
product: orders
listen: {address: "127.0.0.1:0"}
admin: {address: "127.0.0.1:0"}
backend: {url: "${env:BACKEND}"}
gateway: {request_id_header: X-Request-Id}
mode: @mode@
spec: {file: openapi.yaml}
account: {rules: [{in: path, name: accountId}]}
operations: {listSites: {account: none}, readStatus: {account: none}}
audit: {file: {path: "${env:AUDIT}"}, pseudonym_key: "${env:PSEUDONYM}"}
`

// oauthWorld is a story whose tokens come from an OAuth server.
type oauthWorld struct {
	*story
	t      *testing.T
	server *oauthServer
	hidden []string // what no output may have, beside tokens
}

// newOAuthWorld returns a world with a server that is up, a backend, and no
// sidecar yet. When the test ends, it looks for tokens in what the sidecars wrote.
func newOAuthWorld(t *testing.T) *oauthWorld {
	t.Helper()
	mustBinary(t)
	b := backendOf(t)
	w := &oauthWorld{t: t, server: startOAuthServer(t), story: &story{
		dir: t.TempDir(), backend: b, sidecars: map[string]*sidecar{}, tokens: map[string]string{}, last: map[string]string{},
	}}
	require.NoError(t, prepare(w.dir))
	t.Cleanup(func() {
		if !t.Failed() {
			require.NoError(t, w.secrets(nil, w.hidden))
		}
		require.NoError(t, w.stop())
	})
	return w
}

// serve starts a sidecar in shadow and one that enforces, which trust the server
// as the part of the configuration says. Env is added to their environment.
func (w *oauthWorld) serve(part string, env ...string) {
	w.t.Helper()
	for _, mode := range []string{"shadow", "enforce"} {
		w.launch(mode, part, env...)
		require.NoError(w.t, w.sidecars[mode].awaitReadiness(200))
	}
}

// launch starts one sidecar, and does not wait until it is ready.
func (w *oauthWorld) launch(mode, part string, env ...string) {
	w.t.Helper()
	content := strings.NewReplacer("@mode@", mode, "@issuer@", w.server.issuer).Replace(oauthConfig + part)
	config := filepath.Join(w.dir, mode+".yaml")
	require.NoError(w.t, os.WriteFile(config, []byte(content), 0o600))
	s, err := start(config, append(env, "BACKEND=http://"+w.backend.address,
		"AUDIT="+filepath.Join(w.dir, mode+".jsonl"), "PSEUDONYM="+pseudonymKey)...)
	require.NoError(w.t, err)
	w.sidecars[mode] = s
}

// get gets a token from the server and keeps it under a name.
func (w *oauthWorld) get(name, client, resource, scope string) string {
	w.t.Helper()
	token, err := w.server.token(client, resource, scope)
	require.NoError(w.t, err)
	w.tokens[name] = token
	return token
}

// allows sends a request, written as in a script, to both sidecars. Both let it
// through without a finding. More are words of the request that have spaces.
func (w *oauthWorld) allows(request string, more ...string) {
	w.t.Helper()
	require.NoError(w.t, w.permitted(nil, append(strings.Fields(request), more...)), request)
}

// refuses sends a request to both sidecars: shadow lets it through and records
// that it would block, the other one answers with the status. The record of both
// has this denial of this control and no other.
func (w *oauthWorld) refuses(control, reason string, status int, request string, more ...string) {
	w.t.Helper()
	args := append([]string{control, reason, strconv.Itoa(status)}, strings.Fields(request)...)
	require.NoError(w.t, w.denied(nil, append(args, more...)), request)
}

// verdict sends a token to the sidecar of a mode and returns the reason that
// tok.sig gives in the record; "" when it has no finding. Shadow must let it
// through in any case.
func (w *oauthWorld) verdict(mode, token string) (string, error) {
	p, err := w.parse(nil, strings.Fields("GET /v1/sites -t "+token))
	if err != nil {
		return "", err
	}
	answer, err := w.do(mode, p)
	if err != nil {
		return "", err
	}
	reason, err := w.reason(mode, "tok.sig")
	want := http.StatusOK
	if reason != "" && mode == "enforce" {
		want = http.StatusUnauthorized
	}
	if err == nil && answer.status != want {
		err = permanent{fmt.Errorf("%s answers %d, and tok.sig says %q", mode, answer.status, reason)}
	}
	return reason, err
}

// proves sends a token to both sidecars while others send theirs. Both let it
// through, and tok.sig has no finding.
func (w *oauthWorld) proves(token string) {
	w.t.Helper()
	for _, mode := range w.modes() {
		reason, err := w.verdict(mode, token)
		require.NoError(w.t, err)
		require.Empty(w.t, reason, "tok.sig of token %s, %s", token, mode)
	}
}

// reason returns what a control says in the record of the last request in a mode;
// "" when it has no finding.
func (w *oauthWorld) reason(mode, control string) (reason string, err error) {
	err = eventually(func() error {
		all, err := w.sidecars[mode].records()
		if err != nil {
			return err
		}
		for _, record := range slices.Backward(all) {
			if record["request_id"] == w.last[mode] {
				reason, err = fieldOf(record, "finding."+control+".reason")
				return err
			}
		}
		return fmt.Errorf("%s: no record of the request", mode)
	})
	return reason, err
}

// soon sends a token to the sidecar of a mode until tok.sig gives a reason. The
// key set may be read twice meanwhile, as the first read may have begun before.
func (w *oauthWorld) soon(mode, token, reason string) {
	w.t.Helper()
	before := w.reads(mode, true)
	require.NoError(w.t, eventually(func() error {
		read := w.reads(mode, true) - before
		got, err := w.verdict(mode, token)
		if err == nil && got != reason {
			err = fmt.Errorf("%s: tok.sig of token %s says %q, want %q", mode, token, got, reason)
			if read >= 2 {
				err = permanent{fmt.Errorf("%w, and the key set was read %d times since", err, read)}
			}
		}
		return err
	}))
}

const (
	// goodRead is the result of a good read of a key set, as the metric has it.
	goodRead = "ok"
	// goneKey is what tok.sig says of the token of a key that left the set.
	goneKey = "key-retired"
)

// reads returns how many reads of the server's key set were good, or failed.
func (w *oauthWorld) reads(mode string, good bool) int {
	w.t.Helper()
	_, body, err := w.sidecars[mode].get("/metrics")
	require.NoError(w.t, err)
	sum := 0
	for line := range strings.Lines(body) {
		rest, is := strings.CutPrefix(line, fmt.Sprintf("sidewarden_key_set_refresh_total{issuer=%q,result=", w.server.issuer))
		result, value, _ := strings.Cut(strings.TrimSpace(rest), "} ")
		if !is || good != (result == strconv.Quote(goodRead)) {
			continue
		}
		n, err := strconv.Atoi(value)
		require.NoError(w.t, err)
		sum += n
	}
	return sum
}

// awaitReads waits until every sidecar has read the key set so many times more,
// well or in vain.
func (w *oauthWorld) awaitReads(good bool, more int) {
	w.t.Helper()
	for _, mode := range w.modes() {
		before := w.reads(mode, good)
		require.NoError(w.t, eventually(func() error {
			if read := w.reads(mode, good) - before; read < more {
				return fmt.Errorf("%s: the key set was read %d times (good: %t), want %d", mode, read, good, more)
			}
			return nil
		}))
	}
}
