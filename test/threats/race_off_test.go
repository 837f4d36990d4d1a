//go:build !race

package threats_test

// slowness is how much slower the race detector makes what is measured.
const slowness = 1

// generated is how many valid requests are sent in each mode.
const generated = 10_000
