package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
)

// The chart's measures, in pixels.
const (
	chartWidth  = 880
	chartLeft   = 170
	chartRight  = 210
	chartBar    = 15
	chartGap    = 34
	chartTop    = 60
	chartBottom = 20
)

// chart draws the CPU per request of every profile, grouped by workload: a bar to
// the median, a line from least to most, and the ratio to bare. Each workload has a
// scale of its own, from zero: a body of 256 KB costs a hundred times a small read.
func (r *report) chart() []byte {
	var groups []workload
	rows := map[string][]row{}
	height := chartTop + chartBottom
	for _, w := range workloads(0) {
		of := slices.DeleteFunc(slices.Clone(r.Summary), func(o row) bool {
			_, measured := o.Values[keyCPU]
			return o.Workload != w.name || !measured
		})
		if len(of) == 0 {
			continue
		}
		groups, rows[w.name] = append(groups, w), of
		height += chartGap + len(of)*chartBar
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n", chartWidth, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	text(&b, 10, 22, "start", `font-size="15"`, "CPU per request of the proxy's process, µs; each workload has its own scale")
	text(&b, 10, 40, "start", `fill="#555"`, fmt.Sprintf("%s, %d cores, %s; median of %d rounds, least to most; ratio to bare", r.Machine.CPU, r.Machine.Cores, r.Machine.Go, r.Rounds))
	y := chartTop
	for _, w := range groups {
		y += chartGap
		scale := newScale(rows[w.name])
		text(&b, 10, y-6, "start", `font-weight="bold"`, w.name+": "+w.title)
		for _, o := range rows[w.name] {
			bar(&b, y, o, scale)
			y += chartBar
		}
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// newScale returns where a value is drawn, so that the longest of some rows fits.
func newScale(rows []row) func(float64) float64 {
	longest := 0.0
	for _, r := range rows {
		longest = max(longest, r.Values[keyCPU].Most)
	}
	return func(v float64) float64 { return chartLeft + (chartWidth-chartLeft-chartRight)*v/longest }
}

func bar(b *bytes.Buffer, y int, o row, scale func(float64) float64) {
	v := o.Values[keyCPU]
	fill := "#7a9cc6"
	if o.Profile == nameBare {
		fill = "#999"
	}
	middle := float64(y) + chartBar/2.0 - 1
	text(b, chartLeft-8, y+chartBar-4, "end", "", o.Profile)
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", chartLeft, y, scale(v.Median)-chartLeft, chartBar-3, fill)
	fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="black"/>`+"\n", scale(v.Least), middle, scale(v.Most), middle)
	text(b, int(scale(v.Most))+6, y+chartBar-4, "start", "", v.text()+"  "+v.ToBare.text())
}

func text(b *bytes.Buffer, x, y int, anchor, attributes, s string) {
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="%s" %s>`, x, y, anchor, attributes)
	_ = xml.EscapeText(b, []byte(s)) // to memory
	b.WriteString("</text>\n")
}
