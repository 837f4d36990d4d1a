#!/usr/bin/env bash
# Lays out the root folder of the container image in DIR: the static binary and an empty folder for its configuration.
# The Dockerfile copies it into an empty image and the tests run it under chroot, so that both are the same thing.
set -euo pipefail

dir=${1:?usage: rootfs.sh DIR}
mkdir -p "$dir"
if [[ -n $(ls -A "$dir") ]]; then
  echo "rootfs: $dir is not empty" >&2
  exit 1
fi
dir=$(cd "$dir" && pwd)

cd "$(dirname "$0")/.."
make --no-print-directory build BIN="$dir/sidewarden"
mkdir -p "$dir/etc/sidewarden"
chmod 755 "$dir" "$dir/etc" "$dir/etc/sidewarden" "$dir/sidewarden"
