#!/usr/bin/env bash
# Prints package, tab, name of every test, benchmark, example and fuzz target whose name matches the pattern.
# Finding none is an error: a check that runs nothing must not look like one that passed.
set -euo pipefail

pattern=${1:?usage: list-tests.sh PATTERN}

folders=$("$(dirname "$0")/test-folders.sh" "$pattern")
mapfile -t folders <<<"$folders"

# go test -list prints the names of a package, then a line about the package.
out=$("${GO:-go}" test -list "$pattern" "${folders[@]}") || { echo "$out" >&2; exit 1; }
found=$(awk '
  $1 == "ok" { for (i = 0; i < n; i++) print $2 "\t" names[i]; n = 0; next }
  $1 == "?" || NF != 1 { n = 0; next }
  { names[n++] = $1 }' <<<"$out")

if [[ -z $found ]]; then
  echo "list-tests: no test of any package matches $pattern" >&2
  exit 1
fi
echo "$found"
