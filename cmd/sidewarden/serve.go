package main

import (
	"context"
	"fmt"
	"io"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func serveCommand() *cobra.Command {
	var path, level string
	cmd := &cobra.Command{
		Use:   "serve --config FILE",
		Short: "Run the sidecar",
		Long: `Run the sidecar until SIGTERM or SIGINT, then drain and exit.

The configuration is read again on SIGHUP, and when its content, that of the contract or of another file that it
names changes, certificates and keys included. A broken one changes nothing: the policy and the keys in force stay, and
the metric reload_success is 0.

Audit records go to standard output unless audit.file says otherwise; the operator's log goes to standard error.

GOGC is 400 and GOMEMLIMIT 90 % of the memory that the container may use, unless the environment says otherwise.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := newLog(cmd.ErrOrStderr(), level)
			if err != nil {
				return err
			}
			tuneCollector()
			return serve(cmd.Context(), serveOptions{
				path: path, log: log, records: cmd.OutOrStdout(), warnings: cmd.ErrOrStderr(),
			})
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "", "configuration file")
	cmd.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	if err := cmd.MarkFlagRequired("config"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

// newLog returns the operator's log: JSON lines.
func newLog(w io.Writer, level string) (*zap.Logger, error) {
	at, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, usageError{fmt.Sprintf("--log-level %q: use debug, info, warn or error", level)}
	}
	encoder := zap.NewProductionEncoderConfig()
	encoder.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(encoder), zapcore.Lock(zapcore.AddSync(w)), at)), nil
}

// serveOptions are what a sidecar is started with.
type serveOptions struct {
	path string
	log  *zap.Logger
	// records is where audit records go without audit.file.
	records io.Writer
	// warnings is where warnings about the configuration go.
	warnings io.Writer
}

// serve runs a sidecar until ctx ends and everything has been flushed.
func serve(ctx context.Context, o serveOptions) error {
	// A reader of records that went away must not end the traffic: without this a
	// write to its pipe kills the process. The log counts the failure instead.
	signal.Ignore(syscall.SIGPIPE)
	first, err := load(o.path, nil, o.log)
	if err != nil {
		return err
	}
	first.printWarnings(o.warnings)
	s, err := newSidecar(first, o)
	if err != nil {
		return err
	}
	return s.run(ctx)
}
