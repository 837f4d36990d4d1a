#!/usr/bin/env bash
# Reads the output of BenchmarkContract and prints one line per request and version of OpenAPI: the least processor time of the
# runs (what disturbs a measurement only adds to it) beside its budget and beside kin-openapi in the same run. OVER marks what
# is above its budget, not fast enough beside kin, or not flat or linear. Exits 1 when nothing was measured.
set -euo pipefail

awk '
  /^BenchmarkContract\// {
    name = $1
    sub(/^BenchmarkContract\//, "", name)
    sub(/-[0-9]+$/, "", name)
    gsub(/_/, " ", name)
    split(name, part, "/")
    for (i = 2; i < NF; i++) value[$(i + 1)] = $i
    row = part[1] "/" part[2]
    cpu = value["cpu-ns/op"] + 0
    if (part[3] == "kin") {
      if (!(row in kin) || cpu < kin[row]) kin[row] = cpu
      kinallocs[row] = value["allocs/op"]
      next
    }
    if (!(row in least)) { order[n++] = row; least[row] = cpu }
    if (cpu < least[row]) least[row] = cpu
    budget[row] = value["budget-ns/op"]
    allocs[row] = value["allocs/op"]
    most[row] = value["budget-allocs/op"]
    faster[row] = value["times-faster"]
    size[row] = value["size-B"]
    next
  }
  /FAIL|panic/ { bad = 1 }
  bad || /^cpu:/ { print }
  function over(text) { mark = mark "  OVER, " text; overs++ }
  # compared checks that what a row costs per unit is within a factor of another row.
  function compared(row, other, per, perother, factor) {
    if (!(row in least) || !(other in least)) { print "bench: " row " or " other " was not measured"; failed = 1; return }
    x = (least[row] / per) / (least[other] / perother)
    printf "%-46s %.2f times, at most %.2f%s\n", row " beside " other, x, factor, x > factor ? "  OVER" : ""
    if (x > factor) overs++
  }
  END {
    if (n == 0 || bad) { print "bench: not every request was measured"; exit 1 }
    printf "%-34s %6s %10s %9s %7s %7s %8s %10s %8s %7s\n", "contract", "", "µs", "budget", "allocs", "budget", "ns/byte", "kin, µs", "allocs", "times"
    for (i = 0; i < n; i++) {
      row = order[i]
      split(row, part, "/")
      mark = ""
      if (budget[row] + 0 > 0 && least[row] > budget[row]) over(sprintf("%.1f x", least[row] / budget[row]))
      if (budget[row] + 0 > 0 && most[row] + 0 > 0 && allocs[row] + 0 > most[row]) over("in allocations")
      times = row in kin ? kin[row] / least[row] : 0
      if (times < faster[row]) over(sprintf("not %d times as fast as kin", faster[row]))
      printf "%-34s %6s %10.2f %9s %7d %7s %8s %10s %8s %7s%s\n", part[1], part[2], least[row] / 1000,
        budget[row] + 0 ? sprintf("%.2f", budget[row] / 1000) : "", allocs[row], most[row] + 0 ? most[row] + 0 : "",
        size[row] + 0 ? sprintf("%.2f", least[row] / size[row]) : "", row in kin ? sprintf("%.2f", kin[row] / 1000) : "",
        row in kin ? kinallocs[row] : "", row in kin ? sprintf("%.1f", times) : "", mark
    }
    compared("routing among 100/3.0.3", "routing among 10/3.0.3", 1, 1, 1.5)
    compared("routing among 1000/3.0.3", "routing among 10/3.0.3", 1, 1, 1.5)
    for (v = 0; v < 2; v++) {
      version = v ? "3.1.0" : "3.0.3"
      small = "POST of 16 KiB/" version
      compared("POST of 256 KiB/" version, small, size["POST of 256 KiB/" version] + 0, size[small] + 0, 1.5)
      compared("POST of 1 MiB/" version, small, size["POST of 1 MiB/" version] + 0, size[small] + 0, 1.5)
    }
    printf "%d over\n", overs
    exit failed
  }'
