#!/usr/bin/env bash
# Runs every fuzz target of the module, each in its own package, for FUZZTIME (3s). Exits 1 when one fails or none exists.
set -euo pipefail

fuzztime=${FUZZTIME:-3s}
log=$(mktemp)
cache=$(mktemp -d)
trap 'rm -rf "$log" "$cache"' EXIT

# Inputs that earlier runs on this machine found interesting are left out: to replay them can take longer than a smoke run.
fuzz_one() {
  "${GO:-go}" test "$1" -run '^$' -fuzz "^$2\$" -fuzztime "$fuzztime" -fuzzminimizetime 1x \
    -args "-test.fuzzcachedir=$cache/$2" >"$log" 2>&1
}

# Up to and including Go 1.26, a run can end in this error when the time is up and an input is in flight (golang/go#75804).
# It is told apart from a finding by the input that a finding leaves behind.
deadline_race() { grep -q '^ *context deadline exceeded$' "$log" && ! grep -q 'Failing input written to' "$log"; }

targets=$("$(dirname "$0")/list-tests.sh" '^Fuzz')
passed=0
failed=()
while IFS=$'\t' read -r package name; do
  started=$SECONDS
  ok=no
  for _ in 1 2 3; do
    if fuzz_one "$package" "$name" </dev/null; then
      ok=yes
      break
    fi
    deadline_race || break
    echo "again $package $name: the time ran out inside an input"
  done
  execs=$(sed -n 's/.*execs: \([0-9]*\).*/\1/p' "$log" | tail -n 1)
  if [[ $ok == yes && ${execs:-0} -gt 0 ]]; then
    passed=$((passed + 1))
    echo "ok    $package $name: $execs inputs, $((SECONDS - started)) s"
  else
    failed+=("$package $name")
    echo "FAIL  $package $name"
    cat "$log"
  fi
done <<<"$targets"

echo "fuzz: $passed targets passed, ${#failed[@]} failed, $fuzztime each"
if [[ ${#failed[@]} -gt 0 ]]; then
  printf '  %s\n' "${failed[@]}"
  exit 1
fi
