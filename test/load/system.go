package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of CPU times under /proc (USER_HZ, 100 on every Linux that Go
// runs on). The kernel keeps them exactly and rounds when they are read.
const tick = 10 * time.Millisecond

// cpuOf returns the CPU time, user and system, that a process and its children
// have used.
func cpuOf(pid int) (time.Duration, error) {
	var sum time.Duration
	for _, p := range familyOf(pid) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p))
		if err != nil {
			return 0, err
		}
		// The name of the program, in parentheses, may hold anything.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) < 13 {
			return 0, errors.New("/proc/PID/stat is too short")
		}
		for _, f := range fields[11:13] { // utime, stime
			n, err := strconv.ParseInt(string(f), 10, 64)
			if err != nil {
				return 0, err
			}
			sum += time.Duration(n) * tick
		}
	}
	return sum, nil
}

// residentOf returns the resident bytes of a process and its children.
func residentOf(pid int) (int64, error) {
	var sum int64
	for _, p := range familyOf(pid) {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p))
		if err != nil {
			return 0, err
		}
		_, after, _ := strings.Cut(string(status), "VmRSS:")
		fields := strings.Fields(after)
		if len(fields) == 0 {
			return 0, errors.New("/proc/PID/status has no VmRSS")
		}
		kb, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			return 0, err
		}
		sum += kb << 10
	}
	return sum, nil
}

// familyOf returns a process and its children: nginx works in those.
func familyOf(pid int) []int {
	family := []int{pid}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return family // a kernel without the file, or no children
	}
	for f := range strings.FieldsSeq(string(children)) {
		if n, err := strconv.Atoi(f); err == nil {
			family = append(family, n)
		}
	}
	return family
}

// ownCPU returns the CPU time of this process, the generator.
func ownCPU() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// busyCPU returns the time that all cores of the machine have spent in processes,
// and the time that a hypervisor took away.
func busyCPU() (busy, stolen time.Duration, err error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	fields := strings.Fields(line) // cpu user nice system idle iowait irq softirq steal
	if len(fields) < 9 {
		return 0, 0, errors.New("/proc/stat is too short")
	}
	var n [9]int64
	for i := 1; i < len(n); i++ {
		if n[i], err = strconv.ParseInt(fields[i], 10, 64); err != nil {
			return 0, 0, err
		}
	}
	return time.Duration(n[1]+n[2]+n[3]) * tick, time.Duration(n[8]) * tick, nil
}

// machine describes where a run took place.
type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Load   string `json:"load_average"`
}

func thisMachine() machine {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version(), CPU: "unknown"}
	read := func(path string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(b))
	}
	if _, after, ok := strings.Cut(read("/proc/cpuinfo"), "model name"); ok {
		line, _, _ := strings.Cut(after, "\n")
		m.CPU = strings.TrimLeft(line, "\t :")
	}
	m.Kernel, m.Load = read("/proc/sys/kernel/osrelease"), read("/proc/loadavg")
	return m
}
