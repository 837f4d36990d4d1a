package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTheHeapIsLimitedByTheContainer(t *testing.T) {
	for name, row := range map[string]struct {
		limit string
		want  int64
		ok    bool
	}{
		"a limit":                   {"134217728\n", 120795955, true},
		"no limit in version 2":     {"max\n", 0, false},
		"no limit in version 1":     {"9223372036854771712\n", 0, false},
		"nothing":                   {"", 0, false},
		"what no kernel would say":  {"-1", 0, false},
		"what is no number at all":  {"64M", 0, false},
		"zero, which would be none": {"0", 0, false},
	} {
		got, ok := heapLimit(row.limit)
		assert.Equal(t, row.ok, ok, name)
		assert.Equal(t, row.want, got, name)
	}
}
