//go:build race

package threats_test

// slowness is how much slower the race detector makes what is measured.
const slowness = 20

// generated is how many valid requests are sent in each mode: the detector looks for races,
// and the other build for bytes.
const generated = 1_000
