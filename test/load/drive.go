package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// tally is what driving a proxy gave.
type tally struct {
	sent      int64
	statuses  map[int]int64
	wrong     int64 // answers with another status than they must have
	wrongText string
	latencies []time.Duration
	late      []time.Duration // at a fixed rate: from the planned start to the real one
	elapsed   time.Duration
	err       error
}

// add merges what another connection gave.
func (t *tally) add(o *tally) {
	t.sent += o.sent
	t.wrong += o.wrong
	if t.wrongText == "" {
		t.wrongText = o.wrongText
	}
	for status, n := range o.statuses {
		t.statuses[status] += n
	}
	t.latencies = append(t.latencies, o.latencies...)
	t.late = append(t.late, o.late...)
	t.err = errors.Join(t.err, o.err)
}

// one sends one request and notes what came of it. Latency counts from the given
// time; zero stands for the moment of sending.
func (t *tally) one(ctx context.Context, c client, f *feed, buf *[]byte, planned time.Time) bool {
	s, wire, want, more := f.next(*buf)
	if !more {
		return false
	}
	if f.tokens != nil {
		*buf = wire
	}
	begin := time.Now()
	if planned.IsZero() {
		planned = begin
	} else {
		t.late = append(t.late, begin.Sub(planned))
	}
	t.sent++
	status, err := c.do(ctx, s, wire)
	if err != nil {
		t.err = err
		return false
	}
	t.latencies = append(t.latencies, time.Since(planned))
	t.statuses[status]++
	if status != want {
		t.wrong++
		line, _, _ := cutLine(s.wire)
		t.wrongText = fmt.Sprintf("%s was answered %d, not %d", line, status, want)
	}
	return true
}

func cutLine(wire []byte) (line, rest string, found bool) {
	for i, b := range wire {
		if b == '\r' {
			return string(wire[:i]), string(wire[i:]), true
		}
	}
	return string(wire), "", false
}

// drive sends requests over all connections for a time, or until there are no more.
// With a rate, requests have a planned start each, and latency counts from it: a
// proxy that stalls is charged for every request that it kept from being sent.
func drive(ctx context.Context, clients []client, f *feed, d time.Duration, rate float64) (*tally, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begin := time.Now()
	end := begin.Add(d)
	for _, c := range clients {
		if err := c.until(end.Add(patience)); err != nil {
			return nil, err
		}
	}
	var plan chan time.Time
	if rate > 0 {
		n := int(rate * d.Seconds())
		plan = make(chan time.Time, n) // so that the planner never waits for a connection
		go dispatch(ctx, plan, begin, n, rate)
	}
	var workers sync.WaitGroup
	var failed atomic.Bool
	parts := make([]*tally, len(clients))
	for i, c := range clients {
		part := &tally{statuses: map[int]int64{}, latencies: make([]time.Duration, 0, 1<<10)}
		parts[i] = part
		workers.Go(func() {
			if plan != nil {
				part.planned(ctx, c, f, plan, &failed)
			} else {
				part.closed(ctx, c, f, end, &failed)
			}
			if part.err != nil {
				failed.Store(true)
			}
		})
	}
	workers.Wait()
	total := &tally{statuses: map[int]int64{}, elapsed: time.Since(begin)}
	for _, part := range parts {
		total.add(part)
	}
	slices.Sort(total.latencies)
	slices.Sort(total.late)
	return total, errors.Join(total.err, ctx.Err())
}

// closed sends the next request when the answer to the last has come, and one at
// least: on a busy machine a short time may be over before a connection has its turn.
func (t *tally) closed(ctx context.Context, c client, f *feed, end time.Time, failed *atomic.Bool) {
	var buf []byte
	for more := true; more; {
		more = ctx.Err() == nil && !failed.Load() && t.one(ctx, c, f, &buf, time.Time{}) && time.Now().Before(end)
	}
}

// planned sends requests when they are due.
func (t *tally) planned(ctx context.Context, c client, f *feed, plan <-chan time.Time, failed *atomic.Bool) {
	var buf []byte
	for at := range plan {
		if failed.Load() || !t.one(ctx, c, f, &buf, at) {
			return
		}
	}
}

// dispatch hands out the planned starts when they come. It sleeps in the kernel: a
// timer of the runtime may be late by a millisecond.
func dispatch(ctx context.Context, plan chan<- time.Time, begin time.Time, n int, rate float64) {
	defer close(plan)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for i := range n {
		at := begin.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		for wait := time.Until(at); wait > 0; wait = time.Until(at) {
			pause := syscall.NsecToTimespec(int64(wait))
			_ = syscall.Nanosleep(&pause, nil) // a signal ends it early; the loop sees to that
		}
		if ctx.Err() != nil {
			return
		}
		plan <- at
	}
}

// percentile returns the value that a share of sorted values does not exceed, and
// zero when there are too few to tell.
func percentile(sorted []time.Duration, share float64) time.Duration {
	if float64(len(sorted))*(1-share) < 1 {
		return 0
	}
	return sorted[int(float64(len(sorted))*share)]
}
