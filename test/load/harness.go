package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// harness is one run.
type harness struct {
	options  options
	log      io.Writer // progress, for a person
	world    *world
	material *material
	settings settings
	controls []string // that have a rule when everything is in shadow
	backend  string   // address

	cells  []cell
	absent map[string]string // references that were not measured, and why
}

// measureAll is a whole run: it prepares, measures, prints to out and writes the
// files.
func measureAll(ctx context.Context, o options, out, log io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "sidewarden-load-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if o.binary != "" {
		if o.binary, err = filepath.Abs(o.binary); err != nil {
			return err
		}
	}
	h := &harness{options: o, log: log, absent: map[string]string{}}
	begin := time.Now()
	if err := h.prepare(ctx, dir); err != nil {
		return err
	}
	for round := 1; round <= o.rounds; round++ {
		if err := h.round(ctx, round); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
	}
	if len(h.cells) == 0 {
		return errors.New("wrong usage: -only matches no workload and profile")
	}
	r := h.report(begin)
	r.print(out)
	return r.write(o.out)
}

// prepare builds the programs, mints the tokens, and learns from the sidecar which
// controls it has and what its runtime is set to.
func (h *harness) prepare(ctx context.Context, dir string) error {
	fmt.Fprintln(h.log, "building the programs")
	var err error
	if h.world, err = newWorld(ctx, dir, h.options.binary); err != nil {
		return err
	}
	fmt.Fprintf(h.log, "minting %d tokens per algorithm\n", h.options.tokens)
	h.material = newMaterial(time.Now(), h.options.tokens)
	all := profile{name: modeShadow, kind: kindSidecar, mode: modeShadow}
	h.backend = "127.0.0.1:9" // nobody calls it here
	_, said, err := h.world.check(ctx, all, "prepare", false, h.backend, h.world.path("prepare.jsonl"))
	if err != nil {
		return err
	}
	h.controls = said.controls()
	const fewest = 16 // as many as the first version had
	if len(h.controls) < fewest {
		return fmt.Errorf("check shows %d controls with a rule, at least %d were expected", len(h.controls), fewest)
	}
	t, err := h.world.startSidecar(ctx, all, "prepare", false, h.backend, h.controls)
	if err != nil {
		return err
	}
	m, err := t.sidecar.scrape(ctx)
	h.settings = settingsOf(m, h.world.pgo)
	return errors.Join(err, t.stop(ctx))
}

// round starts everything, drives every profile by every workload, and ends
// everything.
func (h *harness) round(ctx context.Context, round int) error {
	backend, err := start(ctx, nil, nil, h.world.bare, roleBackend)
	if err != nil {
		return err
	}
	var at hello
	if err := backend.ask("", &at); err != nil {
		return errors.Join(err, backend.stop())
	}
	h.backend = at.Address
	for _, tls := range []bool{false, true} {
		var chosen []workload
		for _, w := range workloads(h.options.rate) {
			if w.tls == tls && h.wanted(w) {
				chosen = append(chosen, w)
			}
		}
		if err == nil && len(chosen) > 0 {
			err = h.group(ctx, round, backend, chosen, tls)
		}
	}
	return errors.Join(err, backend.stop())
}

// wanted reports whether a workload drives anything but the bare proxy.
func (h *harness) wanted(w workload) bool {
	return slices.ContainsFunc(profiles(h.controls), func(p profile) bool { return w.drives(p) && h.chosen(w, p) })
}

// chosen applies -only.
func (h *harness) chosen(w workload, p profile) bool {
	return h.options.only.MatchString(w.name + "/" + p.name)
}

// group drives one set of running proxies, all with or all without TLS, by one
// workload after the other. All of them run from the start, so that those that are
// compared are measured one after the other within seconds.
func (h *harness) group(ctx context.Context, round int, backend *process, chosen []workload, tls bool) (err error) {
	var targets []*target
	defer func() {
		for _, t := range targets {
			err = errors.Join(err, t.stop(ctx))
		}
	}()
	for i, p := range profiles(h.controls) {
		if !slices.ContainsFunc(chosen, func(w workload) bool { return w.drives(p) && (p.kind == kindBare || h.chosen(w, p)) }) {
			continue
		}
		t, failed := h.startTarget(ctx, p, fmt.Sprintf("r%d-%t-%d", round, tls, i), tls)
		var absent errAbsent
		switch {
		case errors.As(failed, &absent):
			if !tls {
				h.absent[p.name] = absent.why
			}
		case failed != nil:
			return fmt.Errorf("profile %s: %w", p.name, failed)
		default:
			targets = append(targets, t)
		}
	}
	for _, w := range chosen {
		fmt.Fprintf(h.log, "round %d of %d: %s\n", round, h.options.rounds, w.title)
		driven := slices.DeleteFunc(slices.Clone(targets), func(t *target) bool {
			return !w.drives(t.profile) || t.profile.kind != kindBare && !h.chosen(w, t.profile)
		})
		// Each round begins elsewhere, so that no profile gains by its place.
		first := (round - 1) * len(driven) / h.options.rounds
		for i := range driven {
			t := driven[(i+first)%len(driven)]
			c, err := h.measure(ctx, t, w, backend)
			if err != nil {
				return fmt.Errorf("profile %s, workload %s: %w", t.profile.name, w.name, err)
			}
			c.Round = round
			h.cells = append(h.cells, c)
		}
	}
	return nil
}
