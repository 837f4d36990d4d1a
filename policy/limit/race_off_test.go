//go:build !race

package limit_test

// droppedRoom is what making scratch space anew allocates.
const droppedRoom = 0
