#!/usr/bin/env bash
# Runs every fuzz target of the module, each in its own package, for FUZZTIME (3s). Exits 1 when one fails or none exists. One
# that generated no input in that time, because its seeds took all of it, is run again, at last 16 times as long, and fails then.
set -euo pipefail
cd "$(dirname "$0")/.."

go=${GO:-go}
fuzztime=${FUZZTIME:-3s}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
binary=$dir/fuzz.test
log=$dir/log

times() { # times N DURATION: with every number in it N times as large, so that "1m30s" by 4 is "4m120s"
  awk -v n="$1" -v rest="$2" 'BEGIN {
    while (match(rest, /[0-9.]+/)) {
      out = out substr(rest, 1, RSTART - 1) substr(rest, RSTART, RLENGTH) * n
      rest = substr(rest, RSTART + RLENGTH)
    }
    print out rest }'
}

# The binary does without the go command what it does with it. Inputs that earlier runs on this machine found interesting are
# left out: to replay them can take longer than a smoke run.
fuzz_once() { # fuzz_once PACKAGE NAME DURATION
  (cd "$1" && exec "$binary" -test.paniconexit0 -test.run '^$' -test.fuzz "^$2\$" -test.fuzztime "$3" \
    -test.fuzzminimizetime 1x -test.fuzzcachedir "$dir/cache/$1") </dev/null >"$log" 2>&1
}

# Up to and including Go 1.26, a run can end in this error when the time is up and an input is in flight (golang/go#75804).
# It is told apart from a finding by the input that a finding leaves behind.
deadline_race() { grep -q '^ *context deadline exceeded$' "$log" && ! grep -q 'Failing input written to' "$log"; }

# What the fuzzer calls execs are all calls of the target, those with the seeds included, and it prints none before the last
# seed. What is left without the seeds is what it generated, or minimized of that.
generated() {
  awk 'match($0, /: [0-9]+\/[0-9]+ completed/) { split(substr($0, RSTART + 2, RLENGTH - 2), part, /[\/ ]/); seeds = part[2] }
       match($0, /execs: [0-9]+/) { execs = substr($0, RSTART + 7, RLENGTH - 7) }
       END { print execs == "" ? 0 : execs - seeds }' "$log"
}

fuzz() { # fuzz PACKAGE NAME: leaves in inputs how many were generated; fails when none were, or when one is a finding
  local longer duration try
  for longer in 1 4 16; do
    duration=$(times "$longer" "$fuzztime")
    for try in 1 2 3; do
      fuzz_once "$1" "$2" "$duration" && break
      if [[ $try -eq 3 ]] || ! deadline_race; then
        return 1
      fi
      echo "again $1 $2: the time ran out inside an input"
    done
    inputs=$(generated)
    if [[ $inputs -gt 0 ]]; then
      return 0
    fi
    echo "short $1 $2: no input was generated in $duration"
  done
  return 1
}

passed=0
failed=()
fail() { # fail WHAT
  failed+=("$1")
  echo "FAIL  $1"
  cat "$log"
}

folders=$(tools/test-folders.sh '^Fuzz')
mapfile -t folders <<<"$folders"
for folder in "${folders[@]}"; do
  package=.${folder#"$PWD"}
  # With -fuzz the go command instruments for coverage what it compiles.
  if ! "$go" test -c -fuzz . -o "$binary" "$package" >"$log" 2>&1; then
    fail "$package: does not build"
    continue
  fi
  if ! names=$(cd "$folder" && "$binary" -test.list '^Fuzz' 2>"$log"); then
    fail "$package: does not list its targets"
    continue
  fi
  for name in $names; do
    started=$SECONDS
    if fuzz "$package" "$name"; then
      passed=$((passed + 1))
      echo "ok    $package $name: $inputs inputs, $((SECONDS - started)) s"
    else
      fail "$package $name"
    fi
  done
done

echo "fuzz: $passed targets passed, ${#failed[@]} failed, $fuzztime each or longer"
if [[ ${#failed[@]} -gt 0 ]]; then
  printf '  %s\n' "${failed[@]}"
  exit 1
fi
if [[ $passed -eq 0 ]]; then
  echo "fuzz: no package has a target" >&2
  exit 1
fi
