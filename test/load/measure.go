package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// cell is what one profile gave under one workload in one round. Times are in
// microseconds.
type cell struct {
	Profile  string          `json:"profile"`
	Workload string          `json:"workload"`
	Round    int             `json:"round"`
	Requests int64           `json:"requests"`
	Seconds  float64         `json:"seconds"`
	Statuses map[int]int64   `json:"statuses"`
	Values   map[key]float64 `json:"values"`
}

// key names a measured value.
type key string

// The values of a cell. One that could not be measured is absent.
const (
	keyRate      key = "requests_per_second"
	keyCPU       key = "cpu_us_per_request" // of the proxy's process
	keyOver      key = "cpu_us_over_off"    // the same beyond profile off in the same round: what the controls cost
	keyP50       key = "p50_us"
	keyP99       key = "p99_us"
	keyP999      key = "p999_us"
	keyAllocs    key = "allocations_per_request"
	keyResident  key = "resident_mb"
	keyGenerator key = "generator_us_per_request" // CPU of the generator
	keyGenCores  key = "generator_cores"          // the same per second: near 1 or above it limits what it measures
	keyForeign   key = "foreign_cores"            // CPU of everything that is not part of the measurement
	keyLate      key = "late_p99_us"              // at a fixed rate: how late the generator itself was
)

// keys returns all values in the order in which they are written.
func keys() []key {
	return []key{keyRate, keyCPU, keyOver, keyP50, keyP99, keyP999, keyAllocs, keyResident, keyGenerator, keyGenCores, keyForeign, keyLate}
}

// measure drives one proxy by one workload.
func (h *harness) measure(ctx context.Context, t *target, w workload, backend *process) (c cell, err error) {
	clients, err := connect(ctx, w, t.address, h.world.roots)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, closeAll(clients)) }()
	shots, tokens := w.shots(h.material)
	enforce := t.profile.mode == modeEnforce
	warm := newFeed(h.material.reused, nil, enforce)
	if tokens == nil {
		warm = newFeed(shots, nil, enforce)
	}
	if t.profile.replay { // it would have seen these tokens before
		warm = newFeed(shots, []string{"not-a-token"}, enforce)
	}
	if _, err := h.driveChecked(ctx, t, clients, warm, h.options.warm, 0); err != nil {
		return c, fmt.Errorf("warming up: %w", err)
	}
	if err := t.settle(ctx); err != nil {
		return c, err
	}
	before, err := h.read(ctx, t, backend)
	if err != nil {
		return c, err
	}
	got, err := h.driveChecked(ctx, t, clients, newFeed(shots, tokens, enforce), h.options.duration, w.rate)
	if err != nil {
		return c, err
	}
	shared, err := sharedReading(backend)
	if err != nil {
		return c, err
	}
	if err := t.settle(ctx); err != nil { // the records still to be written cost CPU too
		return c, err
	}
	after, err := h.readAfter(ctx, t)
	if err != nil {
		return c, err
	}
	if t.sidecar != nil && w.fresh {
		if err := fresh(before.metrics, after.metrics, got.sent); err != nil {
			return c, err
		}
	}
	after.shared = shared
	return newCell(t, w, got, before, after), nil
}

// driveChecked drives and compares every status.
func (h *harness) driveChecked(ctx context.Context, t *target, clients []client, f *feed, d time.Duration, rate float64) (*tally, error) {
	got, err := drive(ctx, clients, f, d, rate)
	if got != nil {
		t.sent += got.sent
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w\n%s", err, t.process.stderr)
	case got.wrong > 0:
		return nil, fmt.Errorf("%d of %d answers had the wrong status: %s", got.wrong, got.sent, got.wrongText)
	case got.sent == 0:
		return nil, errors.New("no request was sent")
	}
	return got, nil
}

// shared is what generator, backend and machine have used.
type shared struct{ own, backend, busy time.Duration }

func sharedReading(backend *process) (s shared, err error) {
	var errs [3]error
	s.own, errs[0] = ownCPU()
	s.backend, errs[1] = cpuOf(backend.cmd.Process.Pid)
	s.busy, _, errs[2] = busyCPU()
	return s, errors.Join(errs[:]...)
}

// reading is what is read of a proxy before and after a measurement.
type reading struct {
	shared
	cpu      time.Duration
	resident int64
	mallocs  float64 // objects; 0 where the program does not tell
	metrics  values  // of a sidecar
}

// read reads everything before a measurement: CPU last, so that reading the rest is
// not part of it.
func (h *harness) read(ctx context.Context, t *target, backend *process) (r reading, err error) {
	if r.metrics, err = t.accounted(ctx); err != nil {
		return r, err
	}
	if r.mallocs, err = t.mallocs(ctx); err != nil {
		return r, err
	}
	if r.cpu, r.resident, err = t.usage(); err != nil {
		return r, err
	}
	r.shared, err = sharedReading(backend)
	return r, err
}

// readAfter reads everything after a measurement: CPU first. It takes what one
// reading of the heap allocates off the heap's growth.
func (h *harness) readAfter(ctx context.Context, t *target) (r reading, err error) {
	if r.cpu, r.resident, err = t.usage(); err != nil {
		return r, err
	}
	if r.mallocs, err = t.mallocs(ctx); err != nil {
		return r, err
	}
	again, err := t.mallocs(ctx)
	if err != nil {
		return r, err
	}
	r.mallocs -= again - r.mallocs
	r.metrics, err = t.accounted(ctx)
	return r, err
}

func newCell(t *target, w workload, got *tally, before, after reading) cell {
	c := cell{
		Profile: t.profile.name, Workload: w.name, Requests: got.sent, Seconds: got.elapsed.Seconds(),
		Statuses: got.statuses, Values: map[key]float64{},
	}
	n, us := float64(got.sent), func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
	set := func(k key, v float64) {
		if v > 0 {
			c.Values[k] = v
		}
	}
	set(keyRate, n/got.elapsed.Seconds())
	set(keyCPU, us(after.cpu-before.cpu)/n)
	set(keyP50, us(percentile(got.latencies, 0.5)))
	set(keyP99, us(percentile(got.latencies, 0.99)))
	set(keyP999, us(percentile(got.latencies, 0.999)))
	set(keyLate, us(percentile(got.late, 0.99)))
	set(keyAllocs, (after.mallocs-before.mallocs)/n)
	set(keyResident, float64(after.resident)/(1<<20))
	own := after.own - before.own
	set(keyGenerator, us(own)/n)
	set(keyGenCores, own.Seconds()/got.elapsed.Seconds())
	foreign := (after.busy - before.busy) - own - (after.backend - before.backend) - (after.cpu - before.cpu)
	c.Values[keyForeign] = max(0, foreign.Seconds()/got.elapsed.Seconds())
	return c
}
