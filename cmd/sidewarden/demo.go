package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/cmd/sidewarden/demo"
)

// checkSeeds is how many worlds --check plays when no seed is given.
const checkSeeds = 5

type demoOptions struct {
	duration                 time.Duration
	seed                     uint64
	seeded                   bool
	gateway                  string
	headless, enforce, check bool
}

func demoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Measure the enforcement gaps of an embedded world and print them",
		Long: `Measure the enforcement gaps of an embedded world and print them.

The world is a token issuer, a weak gateway, this sidecar in shadow, and two instances of a legacy
network-as-a-service backend, all on loopback, with the traffic of two customers, their partner and a script that
misbehaves. The sidecar gets nothing of it but a configuration file and a contract. Nothing is written outside of a
temporary folder, which is removed.

With --gateway strips-token the gateway consumes the clients' tokens, and says in headers who calls. Of tokens nothing can
be seen behind it, and the findings say so.

With --check the sidecar's findings are compared with the world's answer key: a gap that is not there fails like an
enforcement that is not there. Without --seed it plays five worlds with seeds drawn at run time.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.seeded = cmd.Flags().Changed("seed")
			if !slices.Contains(demo.Variants(), demo.Variant(o.gateway)) {
				return usageError{fmt.Sprintf("--gateway is %s, not %q", gatewayChoice(), o.gateway)}
			}
			if o.check {
				return checkDemo(cmd.Context(), cmd.OutOrStdout(), o)
			}
			return playDemo(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), o)
		},
	}
	cmd.Flags().DurationVar(&o.duration, "duration", demo.DefaultDuration, "how long traffic lasts")
	cmd.Flags().Uint64Var(&o.seed, "seed", 0, "seed of the world (default: drawn at run time)")
	cmd.Flags().StringVar(&o.gateway, "gateway", string(demo.PassesToken), "what the gateway does with tokens: "+gatewayChoice())
	cmd.Flags().BoolVar(&o.headless, "headless", false, "print results only, no progress")
	cmd.Flags().BoolVar(&o.enforce, "enforce", false, "let the sidecar protect the same world")
	cmd.Flags().BoolVar(&o.check, "check", false, "compare with the answer key; exit 1 unless all is right")
	return cmd
}

// gatewayChoice lists the variants of the gateway.
func gatewayChoice() string {
	var names []string
	for _, v := range demo.Variants() {
		names = append(names, string(v))
	}
	return strings.Join(names, " or ")
}

// inWorld builds a world, runs a sidecar in it, plays the traffic, and then calls
// look while everything still runs.
func inWorld(ctx context.Context, seed uint64, o demoOptions, progress io.Writer, look func(*demo.World) error) (err error) {
	dir, err := os.MkdirTemp("", "sidewarden-demo-")
	if err != nil {
		return fmt.Errorf("a folder for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	world, err := demo.Build(ctx, demo.Options{
		Seed: seed, Duration: o.duration, Gateway: demo.Variant(o.gateway), Enforce: o.enforce, Dir: dir, Out: progress,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, world.Close()) }()
	logFile, err := os.Create(filepath.Join(dir, "operator.log"))
	if err != nil {
		return fmt.Errorf("the demo's log: %w", err)
	}
	defer func() { err = errors.Join(err, logFile.Close()) }()
	log, err := newLog(logFile, "info")
	if err != nil {
		return err
	}
	sidecarCtx, stop := context.WithCancel(ctx)
	defer stop()
	// A sidecar that ends early ends the traffic, with its error as the cause.
	trafficCtx, abandon := context.WithCancelCause(ctx)
	defer abandon(nil)
	ended := make(chan error, 1)
	go func() {
		err := serve(sidecarCtx, serveOptions{path: world.Config(), log: log, records: io.Discard, warnings: io.Discard})
		abandon(cmp.Or(err, errors.New("the sidecar ended early")))
		ended <- err
	}()
	_, _ = fmt.Fprintf(progress, "sidecar: %s, admin: %s, gateway: %s\n", world.SidecarURL, world.AdminURL, world.GatewayURL)
	err = watchTraffic(trafficCtx, world, look)
	stop()
	return errors.Join(err, <-ended)
}

// watchTraffic plays the traffic and then calls look. In shadow nothing may have
// been answered otherwise than without a sidecar.
func watchTraffic(ctx context.Context, w *demo.World, look func(*demo.World) error) error {
	stats, err := w.Traffic(ctx)
	if err != nil {
		return err
	}
	if stats.Unexpected > 0 {
		return noError{fmt.Sprintf("%d of %d answers were not those of this world, such as: %s",
			stats.Unexpected, stats.Sent, strings.Join(stats.Surprises, "; "))}
	}
	return look(w)
}

// playDemo plays one world and prints what the sidecar found out.
func playDemo(ctx context.Context, stdout, stderr io.Writer, o demoOptions) error {
	seed := o.seed
	if !o.seeded {
		seed = rand.Uint64() //nolint:gosec // a world, not a secret
	}
	progress := stderr
	if o.headless {
		progress = io.Discard
	}
	return inWorld(ctx, seed, o, progress, func(w *demo.World) error {
		if o.enforce {
			score, err := w.CheckProtected(ctx)
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintln(stdout, "The same world with the sidecar enforcing: what was refused before the backend saw it.")
			return score.Write(stdout)
		}
		doc, err := cellSource{admin: w.AdminURL}.read(ctx)
		if err != nil {
			return err
		}
		if err := evidence.WriteMatrix(stdout, doc); err != nil {
			return err
		}
		_, _ = fmt.Fprintln(stdout)
		return evidence.WriteTop(stdout, doc, 10)
	})
}

// checkDemo plays worlds side by side and compares each with its answer key.
func checkDemo(ctx context.Context, stdout io.Writer, o demoOptions) error {
	seeds := []uint64{o.seed}
	if !o.seeded {
		seeds = seeds[:0]
		for range checkSeeds {
			seeds = append(seeds, rand.Uint64()) //nolint:gosec // as above
		}
	}
	outputs, right := make([]bytes.Buffer, len(seeds)), make([]bool, len(seeds))
	var group errgroup.Group
	for i, seed := range seeds {
		group.Go(func() error {
			return inWorld(ctx, seed, o, io.Discard, func(w *demo.World) error {
				compare := w.Check
				if o.enforce {
					compare = w.CheckProtected
				}
				score, err := compare(ctx)
				if err != nil {
					return err
				}
				right[i] = score.OK()
				_, _ = fmt.Fprintf(&outputs[i], "seed %d\n", seed)
				return score.Write(&outputs[i])
			})
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	passed := 0
	for i := range outputs {
		if right[i] {
			passed++
		}
		if _, err := outputs[i].WriteTo(stdout); err != nil {
			return err
		}
		_, _ = fmt.Fprintln(stdout)
	}
	_, _ = fmt.Fprintf(stdout, "%d of %d seeds right: %d\n", passed, len(seeds), seeds)
	if passed != len(seeds) {
		return noError{"the demo's findings differ from its answer key"}
	}
	return nil
}
