#!/usr/bin/env bash
# Prints the folder of every package with a test, benchmark, example or fuzz target whose name matches the pattern. It goes by
# the text of the test files, because to build every package only to ask it takes long. Finding none is an error.
set -euo pipefail

pattern=${1:?usage: test-folders.sh PATTERN}

files=$("${GO:-go}" list -f '{{range .TestGoFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}{{range .XTestGoFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}' ./...)
# shellcheck disable=SC2016 # awk expands it
found=$(grep . <<<"$files" | xargs -r -d '\n' awk -v pattern="$pattern" '
  match($0, /^func (Test|Benchmark|Example|Fuzz)[^(]*\(/) && substr($0, 6, RLENGTH - 6) ~ pattern {
    sub(/\/[^\/]*$/, "", FILENAME)
    print FILENAME
    nextfile
  }' | sort -u)

if [[ -z $found ]]; then
  echo "test-folders: no test of any package matches $pattern" >&2
  exit 1
fi
echo "$found"
