//go:build !race

package openapi_test

const droppedRuns = 0

// loadSeconds is what a contract may cost at its load, in seconds of the processor.
const loadSeconds = 10
