//go:build race

package payload_test

const (
	raced    = true
	slowness = 20
	fatness  = 2
)
