package demo

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/sidewarden/sidewarden/assess/evidence"
	"github.com/sidewarden/sidewarden/policy"
)

// Row is the result for one row of the answer key.
type Row struct {
	Answer Answer
	// Want and Got are classes with their modifiers; after CheckProtected, what the
	// sidecar should have done and did.
	Want, Got string
	OK        bool
}

// Score is the comparison of a run with the key.
type Score struct {
	Rows []Row
	// Right counts the rows that are right, Total all of them.
	Right, Total int
	// Mismatches has one line for everything that is wrong: a row that is not as
	// the key says, and whatever was decided without being in the key.
	Mismatches []string
}

// OK reports whether all is as the key says, and nothing else was decided.
func (s Score) OK() bool { return s.Right == s.Total && len(s.Mismatches) == 0 }

// Write prints the rows, the mismatches and the score.
func (s Score) Write(to io.Writer) error {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ROW\tOPERATION\tCONTROL\tEXPECTED\tMEASURED\t")
	for _, r := range s.Rows {
		mark := "right"
		if !r.OK {
			mark = "WRONG"
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\n", r.Answer.Row, r.Answer.Operation, controlText(r.Answer.Control), r.Want, r.Got, mark)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print the score: %w", err)
	}
	for _, m := range s.Mismatches {
		fmt.Fprintln(to, "mismatch: "+m)
	}
	_, err := fmt.Fprintf(to, "score: %d of %d rows right, %d mismatches\n", s.Right, s.Total, len(s.Mismatches))
	if err != nil {
		return fmt.Errorf("print the score: %w", err)
	}
	return nil
}

func controlText(c policy.Control) string {
	if c == "" {
		return "(all)"
	}
	return string(c)
}

func (s *Score) row(a Answer, want, got string, ok bool) {
	s.Total++
	s.Rows = append(s.Rows, Row{Answer: a, Want: want, Got: got, OK: ok})
	if ok {
		s.Right++
		return
	}
	s.Mismatches = append(s.Mismatches, fmt.Sprintf("row %d: %s %s is %s, the key says %s", a.Row, a.Operation, controlText(a.Control), got, want))
}

// Check reads the cells from the admin listener and compares them with the key.
// It is for a sidecar in shadow.
func (w *World) Check(ctx context.Context) (Score, error) {
	cells, err := w.cells(ctx)
	if err != nil {
		return Score{}, err
	}
	return compare(w.options.Gateway, cells), nil
}

// CheckProtected reads the cells from the admin listener, and compares them and
// the answers of the last Traffic with what an enforcing sidecar owes: every
// violation of the key was refused by the sidecar itself, every clean request
// was served, and nothing leaked to the backend.
func (w *World) CheckProtected(ctx context.Context) (Score, error) {
	cells, err := w.cells(ctx)
	if err != nil {
		return Score{}, err
	}
	return protected(w.options.Gateway, w.last, cells), nil
}

func (w *World) cells(ctx context.Context) ([]evidence.Cell, error) {
	resp, err := w.get(ctx, "/cells")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read the cells: the admin listener answered %s", resp.Status)
	}
	doc, err := evidence.ReadDocument(resp.Body)
	if err != nil {
		return nil, err
	}
	return doc.Cells, nil
}

// compare judges cells by the key of a variant.
func compare(v Variant, cells []evidence.Cell) Score {
	var s Score
	inKey := make([]bool, len(cells))
	for _, a := range KeyOf(v) {
		want := verdictText(a.Class, a.Modifiers, a.Gateway, a.Backend)
		got, ok, found := "no such cell", true, 0
		for i := range cells {
			c := &cells[i]
			if !a.about(c, v) {
				continue
			}
			inKey[i] = true
			text := cellText(c)
			if found++; ok {
				got, ok = text, text == want
			}
			if !ok && a.Control == "" {
				got = string(c.Control) + " " + got
				break
			}
		}
		s.row(a, want, got, ok && found > 0)
	}
	for i := range cells {
		c := &cells[i]
		wrong := v.misled(c)
		if wrong == "" && !inKey[i] && !v.blind(c.Control) && decided(c.Class) {
			wrong = "and the world gives no evidence of that"
		}
		if wrong != "" {
			s.Mismatches = append(s.Mismatches, fmt.Sprintf("%s %s is %s, %s", c.Operation, c.Control, cellText(c), wrong))
		}
	}
	return s
}

// decided reports whether a class claims anything.
func decided(c evidence.Class) bool {
	return c != evidence.ClassUnobserved && c != evidence.ClassNotApplicable
}

func cellText(c *evidence.Cell) string {
	return verdictText(c.Class, c.Modifiers, c.Gateway.State, c.Backend.State)
}

// verdictText names a result in full. How many trials there were is left out: it
// depends on the length of the run.
func verdictText(class evidence.Class, modifiers []evidence.Modifier, gateway, backend evidence.State) string {
	words := []string{string(class)}
	for _, m := range evidence.Modifiers() {
		if m != evidence.ModLowN && slices.Contains(modifiers, m) {
			words = append(words, string(m))
		}
	}
	return fmt.Sprintf("%s (gateway %s, backend %s)", strings.Join(words, " "), gateway, backend)
}

// protected judges the answers of an enforcing run.
func protected(v Variant, sent Stats, cells []evidence.Cell) Score {
	var s Score
	for _, a := range KeyOf(v) {
		entry, ok := policy.Lookup(a.Control)
		if !ok || v.blind(a.Control) {
			continue // nobody violates it, or nobody can see that
		}
		n, refused := sent.Violations[a.place()], sent.Protected[a.place()]
		s.row(a, fmt.Sprintf("all refused with %d", entry.Status), fmt.Sprintf("%d of %d refused", refused, n), n > 0 && refused == n)
	}
	if sent.Clean == 0 || sent.Served != sent.Clean {
		s.Mismatches = append(s.Mismatches, fmt.Sprintf("%d of %d clean requests were served", sent.Served, sent.Clean))
	}
	s.Mismatches = append(s.Mismatches, sent.Surprises...)
	for i := range cells {
		if c := &cells[i]; c.Backend.K > 0 {
			s.Mismatches = append(s.Mismatches, fmt.Sprintf("%s %s: %d violations reached the backend and leaked", c.Operation, c.Control, c.Backend.K))
		}
	}
	return s
}
