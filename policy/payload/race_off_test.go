//go:build !race

package payload_test

// raced says that the race detector, which has a cost of its own, watches; slowness is how
// much slower that makes what is timed.
const (
	raced    = false
	slowness = 1
)
