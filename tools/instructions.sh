#!/usr/bin/env bash
# Counts the processor instructions of one decision over the corpus under callgrind, and exits 1 if they are more than 3 %
# away from the committed number. UPDATE=1 commits the new one to the file. Two runs of different length are subtracted, so
# that what happens once (the start, the contract, the first verification of each token) does not count.
set -euo pipefail
cd "$(dirname "$0")/.."

go=${GO:-go}
file=test/budget/testdata/instructions.$("$go" env GOARCH).txt
short=20
long=220
tolerance=3 # percent; repeated runs differ by less than 0.5 %

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
CGO_ENABLED=0 "$go" test -c -trimpath -o "$dir/budget.test" ./test/budget

run() { # run N: decides the corpus N times; prints the instructions and the decisions of one round
  local log="$dir/$1.log"
  # One thread, no collections and no preemption by signals: these depend on time, and time is a tool's here. The runtime
  # would read the cycle counter by an instruction that valgrind does not know, when two of its threads want one lock.
  if ! (cd test/budget && env GOMAXPROCS=1 GOGC=off GODEBUG=asyncpreemptoff=1,cpu.rdtscp=off \
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$dir/budget.test" \
    -test.run '^$' -test.bench '^BenchmarkDecision$' -test.benchtime "${1}x" >"$log" 2>&1); then
    cat "$log" >&2
    return 1
  fi
  awk '/ Collected : / { n = $4 }
       /^BenchmarkDecision/ { for (i = 2; i < NF; i++) if ($(i + 1) == "decisions/op") d = $i }
       END { if (n == "" || d == "") exit 1; printf "%.0f %.0f\n", n, d }' "$log" || { cat "$log" >&2; return 1; }
}

read -r less decisions < <(run "$short")
read -r more _ < <(run "$long")
got=$(((more - less) / ((long - short) * decisions)))

if [[ -n ${UPDATE:-} ]]; then
  echo "$got" >"$file"
fi
if [[ ! -e $file ]]; then
  echo "instructions: $got per decision, and there is no $file to compare with; run make counts-update" >&2
  exit 1
fi
want=$(<"$file")
away=$(awk -v got="$got" -v want="$want" 'BEGIN { printf "%.1f", (got - want) / want * 100 }')
echo "instructions: $got per decision over $decisions vectors, committed are $want, $away % away"
if awk -v a="$away" -v t=$tolerance 'BEGIN { exit !(a > t || a < -t) }'; then
  echo "instructions: more than $tolerance % away: find the cause; if it is meant, run make counts-update and say so in the commit" >&2
  exit 1
fi
