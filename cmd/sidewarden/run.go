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

// usageError is a command line that cannot be carried out, found while doing so.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// answerErrors makes every error of a command's work an answer of "no", unless it
// is about usage. Errors of cobra itself come before the work and stay what they
// are.
func answerErrors(cmd *cobra.Command) {
	if work := cmd.RunE; work != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			err := work(cmd, args)
			var usage usageError
			var no noError
			if err == nil || errors.As(err, &usage) || errors.As(err, &no) {
				return err
			}
			return noError{"sidewarden: " + err.Error()}
		}
	}
	for _, sub := range cmd.Commands() {
		answerErrors(sub)
	}
}

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
	root.AddCommand(demoCommand(), serveCommand(), checkCommand(), explainCommand(), initCommand(), gapCommand(), limitsCommand(), apiKeyCommand(), versionCommand())
	answerErrors(root)
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
