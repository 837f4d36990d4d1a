//go:build !race

// The race detector makes allocations of its own, so the tests of this file run
// without it: make counts.

package budget_test

import (
	"encoding/json"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStagesAllocateWithinTheirBudget(t *testing.T) {
	for _, s := range stages() {
		for _, method := range []string{get, post} {
			if s.work == nil {
				continue
			}
			if run := s.work(t, newWorld(t, "enforce"), method); run != nil {
				assert.LessOrEqual(t, testing.AllocsPerRun(1000, run), float64(s.cost(method).allocations), "allocations of %s for %s", s.name, method)
			}
		}
	}
}

// count is what one request costs the whole path.
type count struct {
	Allocations int `json:"allocations"`
	Bytes       int `json:"bytes"`
}

// counted runs f often, with everything warm and without a collection that could
// empty pools, and returns the averages.
func counted(f func()) count {
	const warm, runs = 300, 2000
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.GC()
	for range warm {
		f()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	per := func(from, to uint64) int { return int(math.Round(float64(to-from) / runs)) }
	return count{Allocations: per(before.Mallocs, after.Mallocs), Bytes: per(before.TotalAlloc, after.TotalAlloc)}
}

const countsFile = "testdata/counts.json"

// TestRequestsCostWhatIsCommitted is the gate: a request may not allocate once
// more than the committed number, nor 1 % more bytes. One that allocates less has
// to be committed too, else what was won can be lost unseen.
func TestRequestsCostWhatIsCommitted(t *testing.T) {
	got := map[string]count{}
	for _, mode := range modes() {
		for _, method := range []string{get, post} {
			got[mode+" "+method] = counted(newWorld(t, mode).serve(t, method))
		}
	}
	if *update {
		text, err := json.MarshalIndent(got, "", "  ")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(countsFile, append(text, '\n'), 0o644))
	}
	text, err := os.ReadFile(countsFile)
	require.NoError(t, err, "run make counts-update")
	want := map[string]count{}
	require.NoError(t, json.Unmarshal(text, &want))
	for name, g := range got {
		w, known := want[name]
		if !assert.True(t, known, "%s is not in %s; run make counts-update", name, countsFile) {
			continue
		}
		const advice = "%s: find the cause; if it is worth its cost, run make counts-update and say so in the commit"
		assert.Equal(t, w.Allocations, g.Allocations, "allocations of "+advice, name)
		assert.InEpsilon(t, w.Bytes, g.Bytes, 0.01, "bytes of "+advice, name)
	}
	assert.Len(t, want, len(got), "%s has what is not measured; run make counts-update", countsFile)
}
