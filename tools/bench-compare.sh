#!/usr/bin/env bash
# bench-compare.sh BASE BENCH COUNT BENCHTIME PACKAGE...: runs the benchmarks that match BENCH at the revision BASE and in
# this folder, in turn, COUNT times each, and prints benchstat's comparison. In turn, because a machine that is slower for a
# minute would otherwise be taken for a change of the code. Packages that BASE lacks are measured here alone.
set -euo pipefail
cd "$(dirname "$0")/.."

base=${1:?name a revision to compare with: make bench-compare BASE=rev}
bench=$2
count=$3
benchtime=$4
shift 4
go=${GO:-go}

dir=$(mktemp -d)
trap 'git worktree remove --force "$dir/base" 2>/dev/null || true; rm -rf "$dir"' EXIT
git worktree add --quiet --detach "$dir/base" "$base"

build() { # build FOLDER OUT: one test binary per package with tests
  local package
  mkdir -p "$2"
  for package in "${packages[@]}"; do
    (cd "$1" && "$go" list "$package" >/dev/null 2>&1) || continue
    (cd "$1" && "$go" test -c -o "$2/${package//\//_}.test" "$package")
  done
}

run() { # run FOLDER BINARIES OUT
  local package binary
  for package in "${packages[@]}"; do
    binary=$2/${package//\//_}.test
    [[ -x $binary ]] || continue
    echo "pkg: $package" >>"$3"
    (cd "$1/${package#"$module"}" && "$binary" -test.run '^$' -test.bench "$bench" -test.benchmem -test.benchtime "$benchtime") >>"$3"
  done
}

module=$("$go" list -m)
mapfile -t packages < <("$go" list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' "$@" | grep .)
build "$dir/base" "$dir/bin-base"
build "$PWD" "$dir/bin-head"
for ((i = 1; i <= count; i++)); do
  echo "round $i of $count" >&2
  run "$dir/base" "$dir/bin-base" "$dir/base.txt"
  run "$PWD" "$dir/bin-head" "$dir/head.txt"
done
"$go" tool -modfile=tools/benchstat/go.mod benchstat "base=$dir/base.txt" "head=$dir/head.txt"
