//go:build race

package limit_test

// droppedRoom is what making scratch space anew allocates, which happens at random
// under the race detector: there a pool drops what it is given.
const droppedRoom = 4
