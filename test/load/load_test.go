package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestQuick drives every part of the harness once over the real program. What it
// measures means nothing; what it asserts is what every measurement rests on.
func TestQuick(t *testing.T) {
	lookAtSources(t)
	dir := t.TempDir()
	var out, log bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-quick", "-out", dir}, nil, &out, &log), "%s", &log)

	var r report
	content, err := os.ReadFile(filepath.Join(dir, "load.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(content, &r))
	cells := map[string]cell{}
	controls := map[string]bool{}
	for _, c := range r.Cells {
		cells[c.Workload+"/"+c.Profile] = c
		if strings.Contains(c.Profile, ".") {
			controls[c.Profile] = true
		}
	}
	require.GreaterOrEqual(t, len(controls), 17, "every control is driven alone")
	for _, w := range workloads(1) {
		for _, p := range profiles(nil) {
			if !w.drives(p) || r.Absent[p.name] != "" {
				continue
			}
			c, driven := cells[w.name+"/"+p.name]
			if !assert.True(t, driven, "workload %s does not drive profile %s", w.name, p.name) {
				continue
			}
			assert.Positive(t, c.Requests, "%s/%s", w.name, p.name)
			assert.Positive(t, c.Values[keyRate], "%s/%s", w.name, p.name)
			assert.Positive(t, c.Values[keyResident], "%s/%s", w.name, p.name)
			if p.name != modeEnforce || w.name != "mix" {
				assert.Equal(t, map[int]int64{200: c.Requests}, c.Statuses, "%s/%s: nothing but an enforcing sidecar answers by itself", w.name, p.name)
			}
		}
	}
	for c := range controls {
		assert.True(t, c == controlReplay || cells["get/"+c].Requests > 0 && cells["post-1k/"+c].Requests > 0, "control %s is not driven alone", c)
	}
	denied := cells["mix/"+modeEnforce].Statuses
	assert.Positive(t, denied[403]+denied[401]+denied[404]+denied[400], "the mix has violations, and enforce blocks them")
	assert.NotEmpty(t, out.String())
	checkFiles(t, dir, &r)
}

// checkFiles reads the other two files as their formats.
func checkFiles(t *testing.T, dir string, r *report) {
	t.Helper()
	table, err := os.Open(filepath.Join(dir, "load.csv"))
	require.NoError(t, err)
	defer func() { assert.NoError(t, table.Close()) }()
	lines, err := csv.NewReader(table).ReadAll()
	require.NoError(t, err)
	assert.Greater(t, len(lines), len(r.Summary), "the table has a line per value")
	chart, err := os.Open(filepath.Join(dir, "load.svg"))
	require.NoError(t, err)
	defer func() { assert.NoError(t, chart.Close()) }()
	elements := 0
	for d := xml.NewDecoder(chart); ; elements++ {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			require.NoError(t, err, "the chart is no XML")
		}
	}
	assert.Greater(t, elements, len(r.Summary))
}

// lookAtSources looks at every file that the programs are made from: the go command
// keeps the result of a test until a file that the test looked at changes, and does
// not see what a compiler looked at that the test started.
func lookAtSources(t *testing.T) {
	t.Helper()
	const root = "../.."
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "bin" || d.Name() == "dist"):
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		_, err = os.Stat(path)
		return err
	}))
}

func TestOptionsRefuseWhatMakesNoSense(t *testing.T) {
	for name, args := range map[string][]string{
		"no rounds":           {"-rounds", "0"},
		"no time":             {"-duration", "0s"},
		"hours":               {"-duration", "2h"},
		"an unknown flag":     {"-fast"},
		"an argument":         {"everything"},
		"a broken expression": {"-only", "("},
		"no rate":             {"-rate", "0"},
	} {
		_, err := parseOptions(args, io.Discard)
		assert.ErrorContains(t, err, "wrong usage", name)
	}
	o, err := parseOptions(nil, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, 3, o.rounds)
}
