package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sidewarden/sidewarden/assess/evidence"
)

const defaultAdmin = "http://127.0.0.1:9901"

// cellSource says where the cells are read from.
type cellSource struct{ admin, file string }

func gapCommand() *cobra.Command {
	var from cellSource
	gap := &cobra.Command{
		Use:   "gap",
		Short: "Read the cells of a running sidecar: which control is enforced where",
		Long: `Read the cells of a running sidecar: which control is enforced where.

The cells come from the admin listener, or from a file that was saved from its /cells.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return usageError{"gap needs one of matrix, show and top"} },
	}
	gap.PersistentFlags().StringVar(&from.admin, "admin", defaultAdmin, "URL of the admin listener")
	gap.PersistentFlags().StringVar(&from.file, "file", "", "file with saved cells, instead of a running sidecar")
	top := 10
	topCommand := &cobra.Command{
		Use: "top", Short: "Print the worst gaps in plain words", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			doc, err := from.read(cmd.Context())
			if err != nil {
				return err
			}
			return evidence.WriteTop(cmd.OutOrStdout(), doc, top)
		},
	}
	topCommand.Flags().IntVarP(&top, "number", "n", top, "how many gaps")
	gap.AddCommand(topCommand, &cobra.Command{
		Use: "matrix", Short: "Print operations by controls, gateway and backend", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			doc, err := from.read(cmd.Context())
			if err != nil {
				return err
			}
			return evidence.WriteMatrix(cmd.OutOrStdout(), doc)
		},
	}, &cobra.Command{
		Use: "show CONTROL@OPERATION", Short: "Print one cell with its strata, such as az.account@createOrder", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			control, operation, ok := strings.Cut(args[0], "@")
			if !ok {
				return usageError{fmt.Sprintf("cell %q: write it as CONTROL@OPERATION, such as az.account@createOrder", args[0])}
			}
			doc, err := from.read(cmd.Context())
			if err != nil {
				return err
			}
			for _, c := range doc.Cells {
				if string(c.Control) == control && c.Operation == operation {
					return evidence.WriteCell(cmd.OutOrStdout(), c)
				}
			}
			return noError{fmt.Sprintf("no cell %s: 'sidewarden gap matrix' lists what there is", args[0])}
		},
	})
	return gap
}

// read gets the document. A sidecar that cannot be asked is an answer of "no".
func (s cellSource) read(ctx context.Context) (evidence.Document, error) {
	if s.file != "" {
		f, err := os.Open(s.file)
		if err != nil {
			return evidence.Document{}, noError{fmt.Sprintf("the file with the cells: %v", err)}
		}
		doc, err := evidence.ReadDocument(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return evidence.Document{}, noError{fmt.Sprintf("%s: %v", s.file, err)}
		}
		return doc, nil
	}
	body, err := ask(ctx, s.admin, "/cells")
	if err != nil {
		return evidence.Document{}, err
	}
	defer func() { _ = body.Close() }() // it was read whole or is of no use
	doc, err := evidence.ReadDocument(body)
	if err != nil {
		return evidence.Document{}, noError{fmt.Sprintf("%s/cells: %v", s.admin, err)}
	}
	return doc, nil
}
