//go:build !race

package openapi_test

const droppedRuns = 0

// slowness is how much slower the race detector makes what is measured.
const slowness = 1
