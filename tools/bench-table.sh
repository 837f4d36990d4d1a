#!/usr/bin/env bash
# Reads the output of BenchmarkStage and prints one line per stage and request: the least processor time of the runs
# (what disturbs a measurement only adds to it), its budget, and OVER where it is more. Exits 1 when nothing was measured.
set -euo pipefail

awk '
  /^BenchmarkStage\// {
    name = $1
    sub(/^BenchmarkStage\//, "", name)
    sub(/-[0-9]+$/, "", name)
    gsub(/_/, " ", name)
    for (i = 2; i < NF; i++) value[$(i + 1)] = $i
    if (!(name in least)) { order[n++] = name; least[name] = value["cpu-ns/op"] }
    if (value["cpu-ns/op"] + 0 < least[name] + 0) least[name] = value["cpu-ns/op"]
    budget[name] = value["budget-ns/op"]
    allocs[name] = value["allocs/op"]
    most[name] = value["budget-allocs/op"]
    next
  }
  /FAIL|panic/ { bad = 1 }
  bad || /^cpu:/ { print }
  END {
    if (n == 0 || bad) { print "bench: not every stage was measured"; exit 1 }
    printf "%-36s %5s %9s %9s %7s %7s\n", "stage", "", "µs", "budget", "allocs", "budget"
    for (i = 0; i < n; i++) {
      split(order[i], part, "/")
      mark = ""
      if (least[order[i]] + 0 > budget[order[i]] + 0) { mark = "  OVER, " sprintf("%.1f", least[order[i]] / budget[order[i]]) " x"; over++ }
      if (allocs[order[i]] + 0 > most[order[i]] + 0) mark = mark "  OVER in allocations"
      printf "%-36s %5s %9.2f %9.2f %7d %7d%s\n", part[1], part[2], least[order[i]] / 1000, budget[order[i]] / 1000, allocs[order[i]], most[order[i]], mark
      sum[part[2]] += least[order[i]]; of[part[2]] += budget[order[i]]
    }
    for (m in sum) printf "%-36s %5s %9.2f %9.2f\n", "all that is built", m, sum[m] / 1000, of[m] / 1000 | "sort"
    close("sort")
    printf "%d of %d over their budget\n", over, n
  }'
