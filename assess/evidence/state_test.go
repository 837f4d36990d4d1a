package evidence_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/assess/evidence"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}

func TestClassOfGolden(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "%-7s %-7s class\n", "gateway", "backend")
	for _, gateway := range evidence.States() {
		for _, backend := range evidence.States() {
			class, modifiers := evidence.ClassOf(gateway, backend)
			fmt.Fprintf(&b, "%-7s %-7s %s", gateway, backend, class)
			for _, m := range modifiers {
				fmt.Fprintf(&b, " %s", m)
			}
			b.WriteString("\n")
		}
	}
	golden(t, "class.golden", b.String())
}

func TestClassOfIsTotal(t *testing.T) {
	states := append(evidence.States(), "", "nonsense")
	for _, gateway := range states {
		for _, backend := range states {
			class, modifiers := evidence.ClassOf(gateway, backend)
			assert.Contains(t, evidence.Classes(), class, "%s %s", gateway, backend)
			assert.Subset(t, evidence.Modifiers(), modifiers, "%s %s", gateway, backend)
		}
	}
}

func TestOpenReadsLikeNot(t *testing.T) {
	for _, s := range evidence.States() {
		open, openMods := evidence.ClassOf(evidence.StateOPEN, s)
		not, notMods := evidence.ClassOf(evidence.StateNOT, s)
		assert.Equal(t, not, open, s)
		assert.Equal(t, notMods, openMods, s)
	}
}

// order ranks the classes of the table from best to worst as the facts behind
// them allow: no leak may lead to a better one, no refusal to a worse one.
func order(c evidence.Class) int {
	for i, class := range []evidence.Class{
		evidence.ClassLayered, evidence.ClassGatewayEnforced, evidence.ClassGatewayOnly, evidence.ClassBackendEnforced,
		evidence.ClassBackendOnly, evidence.ClassNotApplicable, evidence.ClassUnobserved, evidence.ClassInconsistent,
		evidence.ClassAmbiguous, evidence.ClassGatewayOpen, evidence.ClassBackendOpen, evidence.ClassNone,
	} {
		if class == c {
			return i
		}
	}
	return -1
}

func TestTableIsMonotonic(t *testing.T) {
	leak := map[evidence.State]evidence.State{
		evidence.StateENF: evidence.StatePART, evidence.StateNOT: evidence.StateNOT, evidence.StatePART: evidence.StatePART,
		evidence.StateOPEN: evidence.StateOPEN, evidence.StateAMB: evidence.StateNOT, evidence.StateUNK: evidence.StateNOT,
		evidence.StateNA: evidence.StateNA,
	}
	refusal := map[evidence.State]evidence.State{
		evidence.StateENF: evidence.StateENF, evidence.StateNOT: evidence.StatePART, evidence.StatePART: evidence.StatePART,
		evidence.StateOPEN: evidence.StatePART, evidence.StateAMB: evidence.StateENF, evidence.StateUNK: evidence.StateENF,
		evidence.StateNA: evidence.StateNA,
	}
	rank := func(gateway, backend evidence.State) int {
		class, _ := evidence.ClassOf(gateway, backend)
		return order(class)
	}
	for _, g := range evidence.States() {
		for _, b := range evidence.States() {
			now := rank(g, b)
			require.GreaterOrEqual(t, now, 0, "%s %s", g, b)
			assert.GreaterOrEqual(t, rank(leak[g], b), now, "a leak at the gateway: %s %s", g, b)
			assert.GreaterOrEqual(t, rank(g, leak[b]), now, "a leak at the backend: %s %s", g, b)
			assert.LessOrEqual(t, rank(refusal[g], b), now, "a refusal at the gateway: %s %s", g, b)
			assert.LessOrEqual(t, rank(g, refusal[b]), now, "a refusal at the backend: %s %s", g, b)
		}
	}
}
