package main

import (
	"flag"
	"fmt"
	"io"
	"regexp"
	"time"
)

// options are what a run is asked for.
type options struct {
	quick    bool
	duration time.Duration // measured time of one cell
	warm     time.Duration // unmeasured time before it
	rounds   int
	rate     float64 // of the fixed-rate workload, in requests per second
	tokens   int     // distinct tokens per algorithm; bounds a cell in which every token is new
	only     *regexp.Regexp
	out      string
	binary   string // the sidecar; built when empty
}

func parseOptions(args []string, log io.Writer) (options, error) {
	var o options
	var only string
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.BoolVar(&o.quick, "quick", false, "drive every part once and shortly: a test of the harness, no measurement")
	flags.DurationVar(&o.duration, "duration", 2*time.Second, "measured time of one profile under one workload")
	flags.IntVar(&o.rounds, "rounds", 3, "how often everything is started anew and measured")
	flags.Float64Var(&o.rate, "rate", 2000, "requests per second of the fixed-rate workload")
	flags.IntVar(&o.tokens, "tokens", 20000, "tokens per algorithm, minted before; a cell with new tokens ends when they are used up")
	flags.StringVar(&only, "only", "", "expression that WORKLOAD/PROFILE must match; the bare proxy always joins")
	flags.StringVar(&o.out, "out", "dist/load", "folder for load.json, load.csv and load.svg")
	flags.StringVar(&o.binary, "binary", "", "the sidecar to measure; default: build it as it is shipped")
	if err := flags.Parse(args); err != nil {
		return o, fmt.Errorf("wrong usage: %w", err)
	}
	o.warm = min(o.duration/5, 400*time.Millisecond)
	if o.quick {
		o.duration, o.warm, o.rounds, o.tokens = 40*time.Millisecond, 10*time.Millisecond, 1, 300
	}
	if o.rounds < 1 || o.duration <= 0 || o.duration > time.Minute || o.rate < 1 || o.tokens < 1 || flags.NArg() > 0 {
		return o, fmt.Errorf("wrong usage: rounds, tokens and rate must be at least 1, the duration at most a minute, and %d arguments are too many", flags.NArg())
	}
	var err error
	if o.only, err = regexp.Compile(only); err != nil {
		return o, fmt.Errorf("wrong usage: -only: %w", err)
	}
	return o, nil
}
