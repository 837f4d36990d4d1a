package explain

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// WriteJSON writes the explanation as one JSON document.
func (e *Explanation) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(e)
}

// WriteTable writes the explanation for a person.
func (e *Explanation) WriteTable(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "request    %s\noperation  %s\ntime       %s\n", e.Request, e.Operation, e.Time.UTC().Format(time.RFC3339))
	identity := "nobody proved to be anybody"
	if len(e.Identity) > 0 {
		parts := make([]string, len(e.Identity))
		for i, in := range e.Identity {
			parts[i] = in.Name + " " + in.Value
		}
		identity = strings.Join(parts, "; ")
	}
	if e.Source != "" {
		fmt.Fprintf(&b, "source     %s\n", e.Source)
	}
	fmt.Fprintf(&b, "identity   %s\npolicy     %s\n\n", identity, e.Policy)
	e.table(&b)
	e.first(&b)
	for _, a := range e.Answers {
		a.write(&b)
	}
	if len(e.Notes) > 0 {
		b.WriteByte('\n')
	}
	for _, note := range e.Notes {
		fmt.Fprintf(&b, "- %s\n", note)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// table writes one row per control, and what it looked at below it.
func (e *Explanation) table(b *strings.Builder) {
	if len(e.Controls) == 0 {
		return
	}
	rows := [][]string{{"CONTROL", "MODE", "VERDICT", "WHY"}}
	for i := range e.Controls {
		c := &e.Controls[i]
		rows = append(rows, []string{plainText(string(c.ID)), plainText(c.Mode), plainText(c.Effect), c.why()})
	}
	widths := make([]int, 3)
	for _, row := range rows {
		for i := range widths {
			widths[i] = max(widths[i], len(row[i]))
		}
	}
	for i, row := range rows {
		fmt.Fprintln(b, strings.TrimRight(fmt.Sprintf("%-*s  %-*s  %-*s  %s", widths[0], row[0], widths[1], row[1], widths[2], row[2], row[3]), " "))
		if i == 0 {
			continue
		}
		c := &e.Controls[i-1]
		for _, in := range c.Inputs {
			fmt.Fprintf(b, "    %s: %s\n", in.Name, in.Value)
		}
		if c.Set != "" {
			fmt.Fprintf(b, "    mode set in: %s\n", c.Set)
		}
	}
	b.WriteByte('\n')
}

// first names the control that a token alone fails first.
func (e *Explanation) first(b *strings.Builder) {
	if len(e.Answers) > 0 {
		return
	}
	for i := range e.Controls {
		if c := &e.Controls[i]; c.ID == e.First {
			fmt.Fprintf(b, "first objection  %s, %s\n", plainText(string(c.ID)), c.why())
			return
		}
	}
	b.WriteString("first objection  none\n")
}

// why joins reason, detail, cause and exception.
func (c *Control) why() string {
	var parts []string
	for _, part := range []struct{ name, value string }{
		{"", string(c.Reason)}, {"", c.Detail}, {"because of ", string(c.Cause)}, {"excepted by ", c.Exception},
	} {
		if part.value != "" {
			parts = append(parts, part.name+plainText(part.value))
		}
	}
	return strings.Join(parts, ", ")
}

func (a *Answer) write(b *strings.Builder) {
	line := "forwarded, " + a.Disposition
	if a.Status != 0 {
		line = fmt.Sprintf("%s: %d %s", a.Disposition, a.Status, http.StatusText(a.Status))
	}
	if a.Decides != "" {
		line += ", decided by " + string(a.Decides)
	}
	fmt.Fprintf(b, "%-14s %s\n", a.Mode, line)
	if len(a.Stripped) > 0 {
		fmt.Fprintf(b, "%-14s taken away: %s\n", "", strings.Join(a.Stripped, ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(a.Header)) {
		fmt.Fprintf(b, "%-14s %s: %s\n", "", name, plainText(a.Header[name]))
	}
	if a.Body != "" {
		fmt.Fprintf(b, "%-14s %s\n", "", plainText(a.Body))
	}
}

// plainText is a text on a terminal: what is no printable ASCII is escaped.
func plainText(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r >= ' ' && r <= '~' {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
