//go:build !race

package openapi_test

const droppedRuns = 0
