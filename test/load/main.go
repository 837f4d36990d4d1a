// Command load measures what the sidecar costs, in one run and on one machine:
//
//	make load                 everything, about a quarter of an hour
//	go run ./test/load -quick every part once, in seconds: a test of the harness, no measurement
//
// It starts a trivial backend, a bare httputil.ReverseProxy and the sidecar in
// every profile, each in a process of its own, and drives them in turn with the
// same requests. Each round starts all of them anew. What is printed is the median
// over the rounds, and the ratio to the bare proxy of the same round with its
// spread, least to most.
//
// It guarantees that a number stands for work that was done: every status is
// compared with the one that the request must get in that profile; the sidecar
// must have written one audit record per request, and dropped none; the mode of
// every control is read back from `sidewarden check`, and the digest of the policy
// from the running process. A run that breaks one of these fails.
//
// Everything shares one machine over loopback, so requests per second are a
// property of that machine and of the generator, whose own CPU is reported beside
// them. CPU per request of the proxy's process is the number to compare.
//
// The same program is backend and bare proxy too, as its own child process.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1) //nolint:forbidigo // the one place where this program exits
	}
}

// The roles of child processes; the first argument.
const (
	roleBackend = "backend"
	roleBare    = "bare"
)

// run is the program: one of its two child roles, or the harness.
func run(ctx context.Context, args []string, in io.Reader, out, log io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case roleBackend:
			return serveBackend(ctx, in, out)
		case roleBare:
			return serveBare(ctx, args[1:], in, out)
		}
	}
	o, err := parseOptions(args, log)
	if err != nil {
		return err
	}
	return measureAll(ctx, o, out, log)
}
