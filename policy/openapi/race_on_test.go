//go:build race

package openapi_test

// droppedRuns is what making the memory of a run anew allocates, which happens at random
// under the race detector: there a pool drops what it is given.
const droppedRuns = 20

// loadSeconds is what a contract may cost at its load, in seconds of the processor.
const loadSeconds = 100
