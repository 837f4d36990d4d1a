//go:build !race

package payload_test

// raced says that the race detector, which has a cost of its own, watches; slowness is how
// much slower that makes what is timed, and fatness how much more it allocates: a pool
// drops what it is given.
const (
	raced    = false
	slowness = 1
	fatness  = 1
)
