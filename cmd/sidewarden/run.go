package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitDone  = 0
	exitNo    = 1 // the answer is no: findings, invalid, failed; the output says which
	exitUsage = 2 // wrong usage
)

// noError carries an answer of "no" that has been printed already, or whose text
// is all there is to print.
type noError struct{ text string }

func (e noError) Error() string { return e.text }

// run executes one command line and returns its exit code. Data goes to stdout,
// everything else to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:   "sidewarden",
		Short: "A reverse-proxy security sidecar that measures which control is enforced where",
		Long: `sidewarden stands between a gateway and a backend. In shadow mode it changes nothing and measures the gap
between its own verdict and what the backend did by itself; in enforce mode it blocks.

Start with: sidewarden demo`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version,
	}
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetVersionTemplate("sidewarden {{.Version}}\n")
	root.AddCommand(demoCommand(), serveCommand(), checkCommand(), gapCommand(), versionCommand())
	err := root.ExecuteContext(ctx)
	var no noError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &no):
		if no.text != "" {
			_, _ = fmt.Fprintln(stderr, no.text) // nowhere left to say that it failed
		}
		return exitNo
	}
	_, _ = fmt.Fprintf(stderr, "sidewarden: %v\nTry 'sidewarden help'.\n", err) // as above
	return exitUsage
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "sidewarden", version)
			return err
		},
	}
}
