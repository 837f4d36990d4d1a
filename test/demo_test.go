package test_test

import (
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDemo runs the demo as a user does: worlds drawn at run time, with the answer
// key as judge, and the table of gaps within the time that the README promises.
func TestDemo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		want string
		// within is twice what is promised, for a machine that does other things.
		within time.Duration
	}{
		{"five worlds are measured right", []string{"--headless", "--duration", "6s", "--check"}, "5 of 5 seeds right: [", time.Minute},
		{"five worlds are protected", []string{"--headless", "--duration", "6s", "--enforce", "--check"}, "5 of 5 seeds right: [", time.Minute},
		{"five worlds without tokens are measured right", []string{"--headless", "--duration", "6s", "--check", "--gateway", "strips-token"}, "5 of 5 seeds right: [", time.Minute},
		{"a world without tokens is protected", []string{"--headless", "--duration", "6s", "--enforce", "--check", "--gateway", "strips-token", "--seed", "7"}, "1 of 1 seeds right: [7]", time.Minute},
		{"the gaps are shown", []string{"--headless"}, "nobody checks the account", 20 * time.Second},
		{"the same world protected", []string{"--headless", "--duration", "2s", "--enforce", "--seed", "7"}, "score: ", 20 * time.Second},
	} {
		// One after the other: limits are about time, and five worlds fill a machine.
		t.Run(c.name, func(t *testing.T) {
			begun := time.Now()
			out, err := exec.CommandContext(t.Context(), mustBinary(t), append([]string{"demo"}, c.args...)...).CombinedOutput()
			elapsed := time.Since(begun)
			require.NoError(t, err, "%s", out)
			t.Logf("after %s:\n%s", elapsed.Round(time.Millisecond), out)
			assert.Contains(t, string(out), c.want)
			assert.Less(t, elapsed, c.within)
		})
	}
}
