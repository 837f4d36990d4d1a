//go:build !race

package ratelimit_test

// floodKeys is the number of distinct keys in a flood.
const floodKeys = 1_000_000
