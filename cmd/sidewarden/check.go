package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/sidewarden/sidewarden/policy"
	"github.com/sidewarden/sidewarden/policy/compile"
	"github.com/sidewarden/sidewarden/policy/openapi"
)

func checkCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Validate a configuration and print what it means",
		Long: `Validate a configuration with everything that it names, and print the effective configuration, the mode of every
control for every operation, what judges it by the contract, its paths, and the lines that would make each control enforce.

Exits with 1 and every problem when something is wrong. Starts nothing and fetches nothing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := load(path, nil, zap.NewNop())
			if err != nil {
				return err
			}
			if _, err := openings(l, path); err != nil {
				return err
			}
			l.printWarnings(cmd.ErrOrStderr())
			return l.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "", "configuration file")
	if err := cmd.MarkFlagRequired("config"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

// print writes the effective configuration as YAML; what it means follows as YAML
// comments, so that the whole output is a configuration file.
func (l *loaded) print(w io.Writer) error {
	effective, err := l.config.Effective()
	if err != nil {
		return err
	}
	var b strings.Builder
	b.Write(effective)
	fmt.Fprintf(&b, "\n# policy %s\n#\n# What serves each operation (S shadow, E enforce, - no token to judge, . no rule):\n#\n", l.output.Policy.Digest)
	matrix(&b, l.output.Policy)
	b.WriteString("#\n# What judges each operation by the contract:\n#\n")
	engines(&b, l.output)
	b.WriteString("#\n# Where each operation is:\n#\n")
	places(&b, l.output.Policy)
	if lines := compile.EnforceLines(l.output.Policy); len(lines) > 0 {
		b.WriteString("#\n# To make a control enforce, merge its line:\n#\n#   " + strings.Join(lines, "\n#   ") + "\n")
	}
	_, err = io.WriteString(w, b.String())
	return err
}

// matrix writes one row per operation, one column per control.
func matrix(b *strings.Builder, p *policy.Policy) {
	operations := append(slices.Clone(p.Operations), p.Unmatched)
	var controls []policy.Control
	for _, entry := range policy.Catalogue() {
		if slices.ContainsFunc(operations, func(op *policy.Operation) bool { return modeIn(op, entry.ID) != policy.Off }) {
			controls = append(controls, entry.ID)
		}
	}
	header := []string{"operation"}
	for _, c := range controls {
		header = append(header, string(c))
	}
	rows := [][]string{header}
	for _, op := range operations {
		row := []string{op.ID}
		for _, c := range controls {
			row = append(row, letter(op, c))
		}
		rows = append(rows, row)
	}
	table(b, rows)
}

// engines writes one row per operation, with what judges its parts by the contract.
func engines(b *strings.Builder, out *compile.Output) {
	declared := map[string]openapi.Engines{}
	for _, c := range out.Contracts {
		for _, op := range c.Operations() {
			declared[op.Method+" "+op.Template] = op.Engines()
		}
	}
	rows := [][]string{{"operation", "parameters", "body", "answers"}}
	for _, op := range out.Policy.Operations {
		if e, ok := declared[op.Method+" "+op.Template]; ok { // not a health check
			rows = append(rows, []string{op.ID, string(e.Parameters), byEngine(e.Body), byEngine(e.Answers)})
		}
	}
	table(b, rows)
}

// byEngine lists media types behind what judges them, such as "stream: application/json".
func byEngine(all map[string]openapi.Engine) string {
	types := map[openapi.Engine][]string{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		types[all[name]] = append(types[all[name]], name)
	}
	var parts []string
	for _, engine := range []openapi.Engine{openapi.EngineStream, openapi.EngineSyntax, openapi.EngineSize, openapi.EngineType, openapi.EngineUndecided} {
		if names := types[engine]; len(names) == 1 && names[0] == "" {
			parts = append(parts, string(engine))
		} else if len(names) > 0 {
			parts = append(parts, string(engine)+": "+strings.Join(names, ", "))
		}
	}
	if len(parts) == 0 {
		return string(openapi.EngineNone)
	}
	return strings.Join(parts, "; ")
}

// places writes one row per path under which an operation or a health check is
// served.
func places(b *strings.Builder, p *policy.Policy) {
	var rows [][]string
	for _, op := range slices.Concat(p.Operations, p.Health) {
		for _, at := range op.Places() {
			method := at.Method
			if at.Head {
				method += " HEAD"
			}
			rows = append(rows, []string{at.ID, method, at.Template})
		}
	}
	table(b, rows)
}

// table writes rows as YAML comments, in columns.
func table(b *strings.Builder, rows [][]string) {
	w := tabwriter.NewWriter(b, 0, 0, 1, ' ', 0)
	for _, cells := range rows {
		_, _ = fmt.Fprintln(w, "#  "+strings.Join(cells, "\t")) // to memory
	}
	_ = w.Flush() // as above
}

func modeIn(op *policy.Operation, c policy.Control) policy.Mode {
	for _, rule := range op.Rules {
		if rule.Control == c {
			return rule.Mode
		}
	}
	return policy.Off
}

func letter(op *policy.Operation, c policy.Control) string {
	if slices.ContainsFunc(op.Rules, func(r *policy.Rule) bool { return r.Control == c && compile.Untestable(r) }) {
		return "-"
	}
	switch modeIn(op, c) {
	case policy.Off:
		return "."
	case policy.Shadow:
		return "S"
	case policy.Enforce:
		return "E"
	}
	return "?"
}
