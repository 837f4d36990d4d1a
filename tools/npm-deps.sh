#!/usr/bin/env bash
# Installs the npm packages of the OAuth server that the tests start, exactly those of its package-lock.json, into a
# node_modules beside it that git ignores. Does nothing while they are there. No package runs a script of its own.
set -euo pipefail
cd "$(dirname "$0")/../test/testdata/oauth-server"

stamp=node_modules/.installed-lock.json # the tests compare it with the lock file as well
cmp -s package-lock.json "$stamp" && exit 0

for program in node npm; do
  if ! command -v "$program" >/dev/null; then
    echo "npm-deps: $program is not installed, which the OAuth server of the tests needs: see tools/debian-packages.txt" >&2
    exit 1
  fi
done

echo "npm-deps: installing the packages of test/testdata/oauth-server/package-lock.json"
npm ci --ignore-scripts --omit=dev --engine-strict --no-audit --no-fund --no-update-notifier
cp package-lock.json "$stamp" # npm ci began by removing node_modules, so a failed one leaves no stamp
