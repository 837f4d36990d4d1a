package test_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy/token/tokentest"
)

// explained is the time of every request of testdata/explain.
func explained() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// explainTokens are the tokens that request files name, as {{NAME}}.
func explainTokens() map[string]string {
	mint := func(s *tokentest.Signer, change map[string]any) string {
		base := map[string]any{"scope": "orders:read orders:write", "jti": "token-id-1"}
		maps.Copy(base, change)
		return s.Token(tokentest.Claims("https://idp.example.net", "https://api.example.net", explained(), base))
	}
	good := tokentest.RSA()
	bound := mint(good, map[string]any{"cnf": map[string]any{"jkt": tokentest.EC().Thumbprint()}})
	return map[string]string{
		"good":     mint(good, nil),
		"expired":  mint(good, map[string]any{"iat": explained().Add(-2 * time.Hour).Unix(), "exp": explained().Add(-time.Hour).Unix()}),
		"audience": mint(good, map[string]any{"aud": []string{"https://billing.example.net"}}),
		"scope":    mint(good, map[string]any{"scope": "orders:read invoices:read"}),
		"bound":    bound,
		"stranger": mint(tokentest.Fresh("RS256", "rsa-1"), nil),
		"proof": tokentest.EC().Proof(tokentest.Proof{
			Method: http.MethodGet, URL: publicURL + "/v1/orders", Token: bound, Time: explained(), ID: "proof-id-1",
		}),
	}
}

// TestExplainGolden explains the request files of testdata/explain by the
// configuration of the scripts, in shadow; those that begin with dpop- by one that
// takes DPoP proofs too.
func TestExplainGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "explain", "*.http"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 10)
	tokens := explainTokens()
	dir := t.TempDir()
	require.NoError(t, prepare(dir))
	shadow, err := configure(dir, "sidewarden.yaml", "shadow")
	require.NoError(t, err)
	takeProofs(t, shadow, filepath.Join(dir, "dpop.yaml"))
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".http"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			request := string(text)
			for name, token := range tokens {
				request = strings.ReplaceAll(request, "{{"+name+"}}", token)
			}
			path := filepath.Join(dir, filepath.Base(file))
			require.NoError(t, os.WriteFile(path, []byte(request), 0o600))
			by := "shadow.yaml"
			if strings.HasPrefix(filepath.Base(file), "dpop-") {
				by = "dpop.yaml"
			}
			got, code := explain(t, dir, "--config", by, "--request", filepath.Base(file), "--at", explained().Format(time.RFC3339))
			got = fmt.Sprintf("exit %d\n%s", code, regexp.MustCompile(`sha256:[0-9a-f]{64}`).ReplaceAllString(got, "sha256:..."))
			for _, token := range tokens {
				for part := range strings.SplitSeq(token, ".") {
					assert.NotContains(t, got, part, "no part of a token is shown")
				}
			}
			for _, value := range []string{"acct-1", "acct-2", "acct-3", "client-1", "subject-1", "token-id-1", "proof-id-1", "4711"} {
				assert.NotContains(t, got, value, "values are masked")
			}
			golden := strings.TrimSuffix(file, ".http") + ".golden"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), got)
		})
	}
}

// takeProofs writes a configuration that takes DPoP proofs besides.
func takeProofs(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	require.NoError(t, err)
	with := strings.Replace(string(text), "\ntoken:\n", "\ntoken:\n  dpop: {public_url: "+publicURL+"}\n", 1)
	require.NotEqual(t, string(text), with, "the configuration has tokens")
	require.NoError(t, os.WriteFile(to, []byte(with), 0o600))
}

// explain runs the command in a folder and returns what it printed and its exit
// code.
func explain(t *testing.T, dir string, args ...string) (stdout string, code int) {
	t.Helper()
	cmd := exec.Command(mustBinary(t), append([]string{"explain"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "BACKEND=http://127.0.0.1:9", "AUDIT=audit.jsonl", "PSEUDONYM="+pseudonymKey)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(out), exit.ExitCode()
	}
	require.NoError(t, err)
	return string(out), 0
}
