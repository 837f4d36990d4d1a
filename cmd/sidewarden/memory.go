package main

import (
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

const (
	// heapGrowth is GOGC. The live heap of a sidecar is a few megabytes, and with Go's
	// own 100 the collector would run after every few megabytes of requests: it took a
	// sixth of all processor time. This costs some 12 MB of resident memory.
	heapGrowth = 400
	// shareOfLimit is how much of a container's memory the heap may fill before the
	// collector works harder; the rest is for stacks, kernel buffers and the binary.
	shareOfLimit = 0.9
)

// tuneCollector sets what Go cannot know: how much memory a sidecar may spend to
// collect less often. GOGC and GOMEMLIMIT in the environment are the operator's
// and stay as they are.
func tuneCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	// Version 2 of control groups, then version 1.
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if content, err := os.ReadFile(path); err == nil {
			if limit, ok := heapLimit(string(content)); ok {
				debug.SetMemoryLimit(limit)
			}
			return
		}
	}
}

// heapLimit returns the soft limit of the heap for the memory limit of a control
// group as the kernel writes it: bytes, or "max" for none. Version 1 writes none as
// the largest multiple of the page size.
func heapLimit(limit string) (bytes int64, ok bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(limit), 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64>>1 {
		return 0, false
	}
	return int64(float64(n) * shareOfLimit), true
}
