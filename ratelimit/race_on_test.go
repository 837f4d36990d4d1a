//go:build race

package ratelimit_test

// floodKeys is the number of distinct keys in a flood, fewer under the race
// detector, where the whole flood would take most of a minute.
const floodKeys = 50_000
