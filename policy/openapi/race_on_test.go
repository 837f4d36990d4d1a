//go:build race

package openapi_test

// droppedRuns is what making the memory of a run anew allocates, which happens at random
// under the race detector: there a pool drops what it is given.
const droppedRuns = 20

// slowness is how much slower the race detector makes what is measured.
const slowness = 10
