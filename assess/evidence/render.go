package evidence

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/sidewarden/sidewarden/policy"
)

const legend = `legend: left gateway, right backend
  E refuses   N does not   ~ only sometimes   o lets through, attempts unknown
  a answers can mean both   ? unknown   - does not exist   !n violations that got through
  * too few trials for the claim   ·s refuses inside success answers   ·m by "not found" or empty lists
  ·x only a server error stops it   ·i the policy cannot decide   ·u cannot be tested from here
`

const unprovenNote = "arrivals are taken to have passed the gateway; nothing in the requests proves it"

// errWriter keeps the first error, so that a table needs only one check.
type errWriter struct {
	w   io.Writer
	err error
}

func (e *errWriter) printf(format string, args ...any) {
	if e.err == nil {
		_, e.err = fmt.Fprintf(e.w, format, args...)
	}
}

// WriteMatrix writes a table of operations by controls with the state of both
// positions, a legend, and what is unknown. Controls without any evidence are
// not columns; they are counted below. Its only errors are those of w.
func WriteMatrix(w io.Writer, doc Document) error {
	out := &errWriter{w: w}
	operations, controls, at := axes(doc)
	if len(controls) == 0 {
		out.printf("no request put any control to the test yet\n")
	} else {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		rows := &errWriter{w: table}
		for _, c := range controls {
			rows.printf("\t%s", show(string(c)))
		}
		rows.printf("\n")
		for _, op := range operations {
			fields := []string{show(op)}
			for _, c := range controls {
				field := ""
				if cell, ok := at[[2]string{op, string(c)}]; ok {
					field = symbols(cell)
				}
				fields = append(fields, field)
			}
			rows.printf("%s\n", strings.TrimRight(strings.Join(fields, "\t"), "\t"))
		}
		if rows.err != nil {
			return rows.err
		}
		if err := table.Flush(); err != nil {
			return err
		}
		out.printf("\n%s", legend)
		if unproven(doc) {
			out.printf("  %s\n", unprovenNote)
		}
	}
	writeUnknown(out, doc)
	return out.err
}

// axes returns the operations and those controls that have evidence, in the
// order of the document and of evaluation.
func axes(doc Document) (operations []string, controls []policy.Control, at map[[2]string]Cell) {
	at = make(map[[2]string]Cell, len(doc.Cells))
	seen := make(map[policy.Control]bool)
	known := map[string]bool{}
	for _, c := range doc.Cells {
		at[[2]string{c.Operation, string(c.Control)}] = c
		if !known[c.Operation] {
			known[c.Operation] = true
			operations = append(operations, c.Operation)
		}
		if !seen[c.Control] && hasEvidence(c) {
			seen[c.Control] = true
			controls = append(controls, c.Control)
		}
	}
	slices.SortStableFunc(controls, compareControls)
	return operations, controls, at
}

func hasEvidence(c Cell) bool {
	return c.Confounded > 0 || c.Undecided > 0 || tried(c.Gateway) || tried(c.Backend)
}

func tried(c Counts) bool { return c.N > 0 || c.K > 0 || c.Ambiguous > 0 || c.Unattributable > 0 }

// symbols is one field of the matrix.
func symbols(c Cell) string {
	text := symbol(c.Gateway.State) + symbol(c.Backend.State)
	if c.Has(ModLowN) {
		text += "*"
	}
	if c.Class == ClassUntestable {
		text += "·u"
	}
	if c.Class == ClassIndeterminatePolicy {
		text += "·i"
	}
	if c.Has(ModSoft) {
		text += "·s"
	}
	if c.Has(ModMasked) {
		text += "·m"
	}
	if c.Has(ModErrorMasked) {
		text += "·x"
	}
	if c.Backend.K > 0 && c.Class != ClassUntestable {
		text += fmt.Sprintf(" !%d", c.Backend.K)
	}
	return text
}

func symbol(s State) string {
	switch s {
	case StateENF:
		return "E"
	case StateNOT:
		return "N"
	case StatePART:
		return "~"
	case StateOPEN:
		return "o"
	case StateAMB:
		return "a"
	case StateNA:
		return "-"
	case StateUNK:
	}
	return "?"
}

func unproven(doc Document) bool {
	return slices.ContainsFunc(doc.Cells, func(c Cell) bool { return c.Gateway.Unproven })
}

// writeUnknown says what no request put to the test, and what cannot be.
func writeUnknown(out *errWriter, doc Document) {
	out.printf("\n")
	writeCount(out, doc, ClassUnobserved, "unknown: %d of %s saw no trial\n")
	writeCount(out, doc, ClassUntestable, "untestable: %d of %s cannot be tested from here\n")
}

func writeCount(out *errWriter, doc Document, class Class, format string) {
	total := 0
	byControl := make(map[policy.Control]int)
	for _, c := range doc.Cells {
		if c.Class == class {
			total++
			byControl[c.Control]++
		}
	}
	if total == 0 && class != ClassUnobserved {
		return
	}
	out.printf(format, total, plural(uint64(len(doc.Cells)), "cell"))
	line := ""
	for _, control := range slices.SortedFunc(maps.Keys(byControl), compareControls) {
		item := fmt.Sprintf("%s %d", show(string(control)), byControl[control])
		switch {
		case line == "":
			line = "  " + item
		case len(line)+len(item) > 98:
			out.printf("%s,\n", line)
			line = "  " + item
		default:
			line += ", " + item
		}
	}
	if line != "" {
		out.printf("%s\n", line)
	}
}

// WriteTop writes the n gaps to look at first in plain words. Its only errors
// are those of w.
func WriteTop(w io.Writer, doc Document, n int) error {
	out := &errWriter{w: w}
	all := Top(doc, -1)
	shown := all[:min(max(n, 0), len(all))]
	if len(all) == 0 {
		out.printf("no gap was seen\n")
	}
	for i, g := range shown {
		out.printf("%2d  %s  %s  %s\n    %s\n", i+1, title(g.Cell), show(string(g.Cell.Control)), show(g.Cell.Operation), g.Sentence)
	}
	if rest := len(all) - len(shown); rest > 0 {
		out.printf("and %s more\n", plural(uint64(rest), "gap"))
	}
	if unproven(doc) {
		out.printf("\n%s\n", unprovenNote)
	}
	unobserved := 0
	for _, c := range doc.Cells {
		if c.Class == ClassUnobserved {
			unobserved++
		}
	}
	out.printf("unknown: %d of %s saw no trial\n", unobserved, plural(uint64(len(doc.Cells)), "cell"))
	return out.err
}

func title(c Cell) string {
	words := []string{string(c.Class)}
	for _, m := range c.Modifiers {
		words = append(words, string(m))
	}
	return strings.Join(words, " ")
}

// WriteCell writes everything that is known of one cell. Its only errors are
// those of w.
func WriteCell(w io.Writer, c Cell) error {
	out := &errWriter{w: w}
	out.printf("%s  %s  %s\n%s\n", show(string(c.Control)), show(c.Operation), title(c), Sentence(c))
	if c.Gateway.Unproven {
		out.printf("%s\n", unprovenNote)
	}
	if (c.Control == policy.AzAccount || c.Control == policy.AzDelegate) && leaks(c) > 0 {
		out.printf("a delegation that the policy does not know would look the same\n")
	}
	out.printf("\njudged %s, could not decide %d; %s decide nothing, having violated another control too\n\n",
		plural(c.Requests, "request"), c.Undecided, plural(c.Confounded, "violation"))
	if out.err != nil {
		return out.err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	rows := &errWriter{w: table}
	rows.printf("position\treason\tinstance\tstate\ttrials\tleaks\tambiguous\tunattributable\tanswers\n")
	writeCounts(rows, "gateway", "all", "all", c.Gateway)
	writeCounts(rows, "backend", "all", "all", c.Backend)
	for _, s := range c.Strata {
		instance := cmp.Or(show(s.Instance), "none")
		if s.Gateway != nil {
			writeCounts(rows, "gateway", string(s.Reason), instance, *s.Gateway)
		}
		if tried(s.Backend) {
			writeCounts(rows, "backend", string(s.Reason), instance, s.Backend)
		}
	}
	if rows.err != nil {
		return rows.err
	}
	return table.Flush()
}

func writeCounts(out *errWriter, position, reason, instance string, c Counts) {
	trials := fmt.Sprint(c.N)
	if c.State == StateOPEN {
		trials = "?"
	}
	answers := make([]string, 0, len(c.Answers))
	for _, class := range slices.Sorted(maps.Keys(c.Answers)) {
		answers = append(answers, fmt.Sprintf("%s %d", show(string(class)), c.Answers[class]))
	}
	out.printf("%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\n", position, show(reason), instance, c.State, trials,
		c.K, c.Ambiguous, c.Unattributable, cmp.Or(strings.Join(answers, ", "), "-"))
}
