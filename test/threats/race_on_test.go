//go:build race

package threats_test

// slowness is how much slower the race detector makes what is measured.
const slowness = 20
