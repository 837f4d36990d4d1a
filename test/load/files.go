package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// write puts load.json, load.csv and load.svg into a folder.
func (r *report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	asJSON, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	asCSV, err := r.csv()
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"load.json": append(asJSON, '\n'), "load.csv": asCSV, "load.svg": r.chart()} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// csv returns one line per workload, profile and value.
func (r *report) csv() ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	lines := [][]string{{
		"workload", "profile", "value", "median", "least", "most",
		"to_bare", "to_bare_least", "to_bare_most", "to_bare_tuned", "to_bare_tuned_least", "to_bare_tuned_most",
	}}
	for _, row := range r.Summary {
		for _, k := range keys() {
			v, ok := row.Values[k]
			if !ok {
				continue
			}
			line := []string{row.Workload, row.Profile, string(k)}
			for _, s := range []*spread{&v.spread, v.ToBare, v.ToTuned} {
				if s == nil {
					line = append(line, "", "", "")
				} else {
					line = append(line, number(s.Median), number(s.Least), number(s.Most))
				}
			}
			lines = append(lines, line)
		}
	}
	if err := w.WriteAll(lines); err != nil {
		return nil, fmt.Errorf("write the table: %w", err)
	}
	return b.Bytes(), nil
}
