#!/usr/bin/env bash
# Installs what the tests need: the packages of tools/debian-packages.txt that are missing, as root or through sudo.
# Without either it prints them and exits 1. It installs no recommended packages and starts no service.
set -euo pipefail

list=$(dirname "$0")/debian-packages.txt

present() { # present PROOF...: every command or file is there
  local proof
  for proof in "$@"; do
    case $proof in
      /*) [[ -e $proof ]] || return 1 ;;
      *) command -v "$proof" >/dev/null || return 1 ;;
    esac
  done
}

missing() { # the packages whose proof is not there
  local package proofs
  while read -r package proofs; do
    [[ -z $package || $package == \#* ]] && continue
    # shellcheck disable=SC2086 # proofs is a list of words
    present $proofs || echo "$package"
  done <"$list"
}

mapfile -t packages < <(missing)
[[ ${#packages[@]} -eq 0 ]] && exit 0

give_up() {
  echo "test-deps: $1. The tests need these Debian packages, install them by hand:" >&2
  echo "  ${packages[*]}" >&2
  exit 1
}

command -v apt-get >/dev/null || give_up "there is no apt-get here"

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! sudo -n true 2>/dev/null; then
    give_up "this is neither root nor a user who may sudo without a password"
  fi
  as_root=(sudo -n)
fi

# Packages with a daemon start it when they are installed, unless policy-rc.d says no (exit 101: not allowed).
guard=/usr/sbin/policy-rc.d
if [[ ! -e $guard ]]; then
  trap '"${as_root[@]}" rm -f "$guard"' EXIT
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$guard" >/dev/null
  "${as_root[@]}" chmod 755 "$guard"
fi

echo "test-deps: installing ${packages[*]}"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
"${apt[@]}" update
"${apt[@]}" install -y --no-install-recommends "${packages[@]}"

# Nor shall it start with the machine: the tests run their own instance.
if [[ -d /run/systemd/system && " ${packages[*]} " == *" prometheus "* ]]; then
  "${as_root[@]}" systemctl disable --quiet --now prometheus.service
fi

mapfile -t packages < <(missing)
[[ ${#packages[@]} -eq 0 ]] || give_up "installing left something missing"
