package policy_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sidewarden/sidewarden/policy"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldens are the truth tables: what a reviewer reads to see what a change of
// the engine changes.
var goldens = []struct {
	file  string
	table func() string
}{
	{"signals.golden", signalTable},
	{"classes.golden", classTable},
	{"findings.golden", findingTable},
}

func TestTruthTables(t *testing.T) {
	for _, g := range goldens {
		t.Run(g.file, func(t *testing.T) {
			path := filepath.Join("testdata", g.file)
			got := g.table()
			if *update {
				require.NoError(t, os.MkdirAll("testdata", 0o750))
				require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err, "run go test ./policy -run TruthTables -update")
			assert.Equal(t, string(want), got, "if the change is meant, run go test ./policy -run TruthTables -update")
		})
	}
}

func TestNoGoldenFileIsLeftOver(t *testing.T) {
	entries, err := os.ReadDir("testdata")
	require.NoError(t, err)
	var found, known []string
	for _, e := range entries {
		if !e.IsDir() { // folders hold what fuzzing and rapid found
			found = append(found, e.Name())
		}
	}
	for _, g := range goldens {
		known = append(known, g.file)
	}
	assert.ElementsMatch(t, known, found)
}

// outcomes are the columns of the signal table: every class, and the answers in
// which a class reads in more than one way.
func outcomes() []struct {
	name string
	o    policy.Outcome
	own  bool // the soft denial's code belongs to the control's own family
} {
	var all []struct {
		name string
		o    policy.Outcome
		own  bool
	}
	add := func(name string, o policy.Outcome, own bool) {
		all = append(all, struct {
			name string
			o    policy.Outcome
			own  bool
		}{name, o, own})
	}
	for _, c := range policy.Classes() {
		name := strings.TrimPrefix(string(c), "R-")
		add(name, policy.Outcome{Class: c}, false)
		switch c { //nolint:exhaustive // only these classes read in more than one way
		case policy.ClassSoftDeny:
			add(name+"+own", policy.Outcome{Class: c}, true)
		case policy.Class415:
			add(name+"+coded", policy.Outcome{Class: c, Coded: true}, false)
		case policy.ClassSize:
			add(name+"+411", policy.Outcome{Class: c, BackendStatus: http.StatusLengthRequired}, false)
		}
	}
	return all
}

// signalTable has what every answer says at the backend about every control,
// when that control alone denied.
func signalTable() string {
	var b strings.Builder
	b.WriteString(`What an answer of each class says at the backend about a control that alone denied.
E enforced, M masked, S soft, L leaked, W weak, A ambiguous, X unattributable, - no signal.

`)
	w := tabwriter.NewWriter(&b, 0, 0, 1, ' ', 0)
	line := []string{"control", "family"}
	for _, column := range outcomes() {
		line = append(line, column.name)
	}
	fmt.Fprintln(w, strings.Join(line, "\t"))
	for _, e := range policy.Catalogue() {
		line = []string{string(e.ID), string(e.Family)}
		for _, column := range outcomes() {
			o := column.o
			if column.own {
				o.SoftFamily = e.Family
			}
			line = append(line, letter(backendSignal(policy.Classify(decision(denies(e.ID)), o))))
		}
		fmt.Fprintln(w, strings.Join(line, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err.Error()
	}
	return b.String()
}

// backendSignal is the signal of the only observation at the backend; empty when
// there is none.
func backendSignal(seen []policy.Observation) policy.Signal {
	for _, o := range seen {
		if o.Position == policy.AtBackend {
			return o.Signal
		}
	}
	return ""
}

// letter is the plan's letter for a signal.
func letter(s policy.Signal) string {
	switch s {
	case policy.Enforced:
		return "E"
	case policy.Masked:
		return "M"
	case policy.Soft:
		return "S"
	case policy.Leaked:
		return "L"
	case policy.Weak:
		return "W"
	case policy.Ambiguous:
		return "A"
	case policy.Unattributable:
		return "X"
	}
	return "-"
}

// classTable has the class of every status under each shape of an answer.
func classTable() string {
	var b strings.Builder
	b.WriteString(`The class of an answer, for each shape of the answer and every status from 0 to 999.
The first shape is listed in full, each other one where it differs from the first.
`)
	first := shapes()[0]
	for i, s := range shapes() {
		fmt.Fprintf(&b, "\n# %s\n", s.name)
		for status := 0; status < 1000; {
			class := policy.ClassOf(s.answer(status), s.hints)
			differs := class != policy.ClassOf(first.answer(status), first.hints)
			end := status + 1
			for end < 1000 && policy.ClassOf(s.answer(end), s.hints) == class &&
				(class != policy.ClassOf(first.answer(end), first.hints)) == differs {
				end++
			}
			if i == 0 || differs {
				fmt.Fprintf(&b, "%03d-%03d %s\n", status, end-1, class)
			}
			status = end
		}
	}
	return b.String()
}

// findingTable has what becomes of a request with one finding.
func findingTable() string {
	var b strings.Builder
	b.WriteString("What one finding does to its request.\n\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "mode\teffect\ton error\texcepted\tdisposition\tfailed open\tclean")
	for _, mode := range []policy.Mode{policy.Off, policy.Shadow, policy.Enforce} {
		for _, effect := range effects() {
			for _, onError := range []policy.Effect{policy.Indeterminate, policy.Permit} {
				for _, exception := range []string{"", "EX-1"} {
					f := policy.Finding{
						Rule:      &policy.Rule{Control: policy.TokSig, Mode: mode, OnError: onError},
						Verdict:   policy.Verdict{Effect: effect},
						Exception: exception,
					}
					d := decision(f)
					fmt.Fprintf(w, "%s\t%s\t%s\t%t\t%s\t%t\t%t\n",
						mode, effect, onError, exception != "", d.Disposition(), d.FailedOpen(f), d.Clean())
				}
			}
		}
	}
	if err := w.Flush(); err != nil {
		return err.Error()
	}
	return b.String()
}
