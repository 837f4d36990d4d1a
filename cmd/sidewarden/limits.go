package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/sidewarden/sidewarden/config"
)

// maxLimitsBytes bounds what is read of an answer.
const maxLimitsBytes = 16 << 20

// limitsOptions say which sidecar is asked and how its answer is printed.
type limitsOptions struct {
	admin, config, output string
	number                int
}

func limitsCommand() *cobra.Command {
	o := limitsOptions{number: 5}
	cmd := &cobra.Command{
		Use:   "limits",
		Short: "Print how far the limits and quotas of a running sidecar are used up",
		Long: `Print how far the limits and quotas of a running sidecar are used up.

It asks the admin listener: that of --admin, or the one that a configuration names. Clients, accounts and peers are
pseudonyms, those of clients and accounts the same as in records.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	cmd.Flags().StringVar(&o.admin, "admin", defaultAdmin, "URL of the admin listener")
	cmd.Flags().StringVar(&o.config, "config", "", "configuration file that names the admin listener, instead of --admin")
	cmd.Flags().StringVarP(&o.output, "output", "o", "table", "table or json")
	cmd.Flags().IntVarP(&o.number, "number", "n", o.number, fmt.Sprintf("how many keys of each limit, at most %d", maxFullest))
	cmd.MarkFlagsMutuallyExclusive("admin", "config")
	return cmd
}

func (o limitsOptions) run(ctx context.Context, w io.Writer) error {
	if o.output != "table" && o.output != "json" {
		return usageError{fmt.Sprintf("-o %q: write table or json", o.output)}
	}
	if o.number < 0 || o.number > maxFullest {
		return usageError{fmt.Sprintf("-n %d: write 0 to %d", o.number, maxFullest)}
	}
	admin := o.admin
	if o.config != "" {
		cfg, err := config.Load(o.config, config.Env{})
		if err != nil {
			return problems(o.config, err)
		}
		if admin, err = adminOf(cfg); err != nil {
			return err
		}
	}
	doc, err := readLimits(ctx, admin)
	if err != nil {
		return err
	}
	for i := range doc.Limits {
		l := &doc.Limits[i]
		l.Fullest = l.Fullest[:min(o.number, len(l.Fullest))]
	}
	if o.output == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(doc)
	}
	return doc.print(w)
}

// adminOf returns the URL of the admin listener that a configuration names. One
// that listens on every address is asked on loopback.
func adminOf(cfg *config.Config) (string, error) {
	host, port, err := net.SplitHostPort(cfg.Admin.Address)
	if err != nil {
		return "", noError{fmt.Sprintf("admin.address is %q: write host:port", cfg.Admin.Address)}
	}
	if port == "0" {
		return "", noError{"admin.address leaves the port to the system: name the admin listener with --admin"}
	}
	if a, err := netip.ParseAddr(host); host == "" || err == nil && a.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port), nil
}

func readLimits(ctx context.Context, admin string) (limitsDocument, error) {
	body, err := ask(ctx, admin, "/limits")
	if err != nil {
		return limitsDocument{}, err
	}
	var doc limitsDocument
	err = json.NewDecoder(io.LimitReader(body, maxLimitsBytes)).Decode(&doc)
	if err = errors.Join(err, body.Close()); err != nil {
		return limitsDocument{}, noError{fmt.Sprintf("%s/limits: %v", admin, err)}
	}
	return doc, nil
}

// print writes one row per limit and mode, and then the fullest keys.
func (d limitsDocument) print(w io.Writer) error {
	if len(d.Limits) == 0 {
		_, err := fmt.Fprintln(w, "no limits: add them under limits in the configuration")
		return err
	}
	var b strings.Builder // a table in memory cannot fail
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	writeRow(table, "LIMIT", "CONTROL", "MODE", "KEY", "ALLOWS", "BUCKETS", "EXHAUSTED", "OVERFLOWED", "RESETS")
	keys := 0
	for _, l := range d.Limits {
		writeRow(table, l.Name, l.Control, l.Mode, strings.Join(l.Key, "+"), l.allows(), l.Buckets, l.Exhausted, l.Overflowed, l.resets(d.Time))
		keys += len(l.Fullest)
	}
	_ = table.Flush()
	if keys > 0 {
		_, _ = b.WriteString("\n")
		writeRow(table, "LIMIT", "CONTROL", "MODE", "USED", "OF", "BY")
		for _, l := range d.Limits {
			for _, k := range l.Fullest {
				writeRow(table, l.Name, l.Control, l.Mode, k.Used, k.Of, k)
			}
		}
		_ = table.Flush()
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeRow adds a row to a table in memory, without the control characters that
// what answered may have sent to the terminal.
func writeRow(table *tabwriter.Writer, cells ...any) {
	words := make([]string, len(cells))
	for i, c := range cells {
		words[i] = strings.Map(func(r rune) rune {
			if unicode.IsPrint(r) {
				return r
			}
			return -1
		}, fmt.Sprint(c))
	}
	_, _ = fmt.Fprintln(table, strings.Join(words, "\t"))
}

func (l limitUsage) allows() string {
	if l.Quota != "" {
		return l.Quota
	}
	return fmt.Sprintf("%s burst %d", l.Rate, l.Burst)
}

// resets returns when the period of a quota ends, and how long that is.
func (l limitUsage) resets(now time.Time) string {
	if l.Resets == nil {
		return "-"
	}
	return fmt.Sprintf("%s (in %s)", l.Resets.Format(time.RFC3339), l.Resets.Sub(now).Round(time.Second))
}

// String returns the parts of the key that there are.
func (k keyUsage) String() string {
	var parts []string
	for _, p := range []struct{ name, value string }{
		{"account", k.Account},
		{"of", k.Namespace},
		{"client", k.Client},
		{"of", k.Issuer},
		{"peer", k.Peer},
		{"operation", k.Operation},
		{"key", k.Other},
	} {
		if p.value != "" {
			parts = append(parts, p.name+" "+p.value)
		}
	}
	return strings.Join(parts, " ")
}
