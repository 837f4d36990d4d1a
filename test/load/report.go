package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// report is the whole of a run, as load.json has it.
type report struct {
	Began    time.Time         `json:"began"`
	Seconds  float64           `json:"seconds"`
	Machine  machine           `json:"machine"`
	Settings settings          `json:"settings"` // of the sidecar's runtime, copied by bare-tuned
	Rounds   int               `json:"rounds"`
	Cell     string            `json:"cell"`   // measured time
	Absent   map[string]string `json:"absent"` // references without numbers, and why
	Asserted []string          `json:"asserted"`
	Summary  []row             `json:"summary"`
	Cells    []cell            `json:"cells"`
}

// row is one profile under one workload over all rounds.
type row struct {
	Profile  string        `json:"profile"`
	Workload string        `json:"workload"`
	Values   map[key]value `json:"values"`
}

// value is a median with its spread, and its ratios to the two bare proxies of the
// same round: as it is shipped, and with the runtime's settings of the sidecar.
type value struct {
	spread
	ToBare  *spread `json:"to_bare,omitempty"`
	ToTuned *spread `json:"to_bare_tuned,omitempty"`
}

// spread is a median of rounds between the least and the most.
type spread struct {
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
}

func spreadOf(values []float64) spread {
	return spread{Median: median(values), Least: slices.Min(values), Most: slices.Max(values)}
}

// asserted is what a run that ends well has shown.
func asserted() []string {
	return []string{
		"every answer had the status that its request must get in its profile",
		"the sidecar wrote one audit record per request, counted in the file and in its metrics",
		"no audit record was dropped, no request was refused by a transport bound",
		"the modes of all controls were read back from check, and the digest of the policy from the process",
		"where every token is new the sidecar's own count of remembered tokens did not grow",
	}
}

func (h *harness) report(begin time.Time) *report {
	return &report{
		Began: begin.UTC(), Seconds: time.Since(begin).Seconds(), Machine: thisMachine(), Settings: h.settings,
		Rounds: h.options.rounds, Cell: h.options.duration.String(), Absent: h.absent, Asserted: asserted(),
		Summary: summarize(h.cells), Cells: h.cells,
	}
}

// summarize makes a row of the cells of all rounds, in the order of the first round.
func summarize(cells []cell) []row {
	overOff(cells)
	type place struct{ workload, profile string }
	var order []place
	at := map[place][]cell{}
	bare := map[place]map[int]cell{}
	for _, c := range cells {
		p := place{c.Workload, c.Profile}
		if at[p] == nil {
			order = append(order, p)
		}
		at[p] = append(at[p], c)
		if c.Profile == nameBare || c.Profile == nameTuned {
			if bare[p] == nil {
				bare[p] = map[int]cell{}
			}
			bare[p][c.Round] = c
		}
	}
	rows := make([]row, 0, len(order))
	for _, p := range order {
		r := row{Profile: p.profile, Workload: p.workload, Values: map[key]value{}}
		for _, k := range keys() {
			if v, ok := over(at[p], k, bare[place{p.workload, nameBare}], bare[place{p.workload, nameTuned}]); ok {
				r.Values[k] = v
			}
		}
		rows = append(rows, r)
	}
	return rows
}

// overOff adds to every cell of a sidecar that judges what it costs beyond one that
// only forwards and records.
func overOff(cells []cell) {
	type place struct {
		workload string
		round    int
	}
	off := map[place]float64{}
	for _, c := range cells {
		if c.Profile == modeOff {
			off[place{c.Workload, c.Round}] = c.Values[keyCPU]
		}
	}
	for _, c := range cells {
		base, cpu := off[place{c.Workload, c.Round}], c.Values[keyCPU]
		judges := c.Profile == modeShadow || c.Profile == modeEnforce || strings.Contains(c.Profile, ".")
		if judges && base > 0 && cpu > 0 {
			c.Values[keyOver] = cpu - base
		}
	}
}

// over returns a value over rounds; false when a round lacks it.
func over(cells []cell, k key, bare, tuned map[int]cell) (value, bool) {
	var all []float64
	for _, c := range cells {
		v, ok := c.Values[k]
		if !ok {
			return value{}, false
		}
		all = append(all, v)
	}
	v := value{spread: spreadOf(all)}
	if k.compared() {
		v.ToBare, v.ToTuned = ratios(cells, k, bare), ratios(cells, k, tuned)
	}
	return v, true
}

// ratios compares the value of every round with that of another proxy in the same
// round; nil unless there is one for each.
func ratios(cells []cell, k key, others map[int]cell) *spread {
	var all []float64
	for _, c := range cells {
		base := others[c.Round].Values[k]
		if base <= 0 {
			return nil
		}
		all = append(all, c.Values[k]/base)
	}
	s := spreadOf(all)
	return &s
}

// compared reports whether a value is a property of the proxy, which has a ratio to
// bare.
func (k key) compared() bool {
	return !slices.Contains([]key{keyOver, keyGenerator, keyGenCores, keyForeign, keyLate}, k)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// print writes the tables.
func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%s, %d cores, Linux %s, %s; %d rounds of %s; the sidecar runs with GOGC=%s GOMEMLIMIT=%s PGO=%t\n",
		r.Machine.CPU, r.Machine.Cores, r.Machine.Kernel, r.Machine.Go, r.Rounds, r.Cell, r.Settings.GOGC, r.Settings.GOMEMLIMIT, r.Settings.PGO)
	fmt.Fprintln(w, "Median over the rounds; after it the ratio to bare in the same round: median, least-most. Latencies and CPU in µs.")
	fmt.Fprintln(w, "CPU has a second ratio: to bare with the sidecar's GOGC, GOMEMLIMIT and PGO. The files have both for every value.")
	for _, name := range []string{"haproxy", "nginx"} {
		if why := r.Absent[name]; why != "" {
			fmt.Fprintf(w, "%s: %s\n", name, why)
		}
	}
	shown := workloads(0)
	for _, wl := range shown {
		rows := slices.DeleteFunc(slices.Clone(r.Summary), func(o row) bool { return o.Workload != wl.name })
		if len(rows) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s: %s, %d connections\n", wl.name, wl.title, wl.connections)
		printRows(w, rows)
	}
	fmt.Fprintln(w, "\nAsserted:")
	for _, a := range r.Asserted {
		fmt.Fprintln(w, "-", a)
	}
}

func printRows(w io.Writer, rows []row) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	write := func(cells ...string) { fmt.Fprintln(table, strings.Join(cells, "\t")+"\t") }
	write("profile", "req/s", "", "CPU/req", "", "to tuned", "over off", "p50", "", "p99", "", "p999", "allocs", "RSS MB", "gen µs", "gen cores", "foreign", "late p99")
	for _, r := range rows {
		cells := []string{r.Profile}
		for _, k := range []key{keyRate, keyCPU, keyOver, keyP50, keyP99} {
			cells = append(cells, r.Values[k].text())
			if k.compared() {
				cells = append(cells, r.Values[k].ToBare.text())
			}
			if k == keyCPU {
				cells = append(cells, r.Values[k].ToTuned.text())
			}
		}
		for _, k := range []key{keyP999, keyAllocs, keyResident, keyGenerator, keyGenCores, keyForeign, keyLate} {
			cells = append(cells, r.Values[k].text())
		}
		write(cells...)
	}
	_ = table.Flush() // printing for a person
}

func (v value) text() string {
	switch {
	case v.spread == spread{}:
		return "-"
	case math.Abs(v.Median) >= 100:
		return strconv.FormatFloat(v.Median, 'f', 0, 64)
	case math.Abs(v.Median) >= 10:
		return strconv.FormatFloat(v.Median, 'f', 1, 64)
	}
	return strconv.FormatFloat(v.Median, 'f', 2, 64)
}

func (s *spread) text() string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf("%.2f (%.2f-%.2f)", s.Median, s.Least, s.Most)
}
