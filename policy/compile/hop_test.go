package compile_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
)

// What reads the certificates that a gateway passes on knows the gateway by the
// secrets in force: a rotated one makes another authenticator, and where none reads
// them the one with the cache stays.
func TestTheAuthenticatorFollowsTheProofThatItReadsCertificatesBy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule, header string
		stays        bool
	}{
		{"certificates of the gateway", ", client_cert_header: Client-Cert", false},
		{"no certificates", "", true},
	} {
		dir := t.TempDir()
		compiled := func(secret string, previous *compile.Parts) *compile.Output {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "proof"), []byte(secret), 0o600))
			out, err := compile.Compile(compile.Input{
				Config: readIn(t, dir, contract, head+"gateway: {present: true, proof: {header: X-Gateway-Proof, secret: \"${file:proof}\"}"+c.header+"}\n"),
				Now:    now, Previous: previous,
			})
			require.NoError(t, err)
			return out
		}
		same := func(a, b policy.Authenticator) bool { return a == b }
		one := compiled("first-secret-of-the-gateway", nil)
		again := compiled("first-secret-of-the-gateway", one.Parts)
		assert.True(t, same(one.Policy.Authenticator, again.Policy.Authenticator), c.rule)
		rotated := compiled("second-secret-of-the-gateway", again.Parts)
		assert.Equal(t, c.stays, same(again.Policy.Authenticator, rotated.Policy.Authenticator), c.rule)
		assert.Equal(t, again.Measured, rotated.Measured, c.rule)
	}
}
