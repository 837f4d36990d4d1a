package budget_test

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the generated part of the page, or the committed counts, anew")

const page = "../../docs/performance.md"

// number leaves out what there is no budget for.
func number(f float64) string {
	if f == 0 {
		return "0"
	}
	return strconv.FormatFloat(f, 'f', 1, 64)
}

func TestDocsShowTheBudgets(t *testing.T) {
	var b strings.Builder
	b.WriteString("| stage | GET, µs | POST of 1 KB, µs | GET, allocations | POST, allocations | |\n|---|---|---|---|---|---|\n")
	var sum struct{ get, post float64 }
	for _, s := range stages() {
		note := ""
		if s.work == nil {
			note = "not built"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %d | %s |\n", s.name, number(s.get.micros), number(s.post.micros), s.get.allocations, s.post.allocations, note)
		sum.get += s.get.micros
		sum.post += s.post.micros
	}
	fmt.Fprintf(&b, "| all | %s | %s | | | |\n", number(sum.get), number(sum.post))

	text, err := os.ReadFile(page)
	require.NoError(t, err)
	const begin, end = "<!-- generated: budgets -->\n", "<!-- end -->"
	before, rest, found := strings.Cut(string(text), begin)
	require.True(t, found, "%s has no line %q", page, begin)
	shown, after, found := strings.Cut(rest, end)
	require.True(t, found, "%s: the part budgets does not end; add the line %s", page, end)
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(before+begin+b.String()+end+after), 0o644))
		return
	}
	assert.Equal(t, b.String(), shown, "%s differs from the table of stages; run make docs", page)
}
