#!/usr/bin/env bash
# From nothing to a running cluster on this machine: installs what is missing, builds, starts three masters and three nodes,
# deploys the sample and shows it answering. Debian 12 or later, or Ubuntu; as root. Again: heals what is down.
#
#   scripts/up.sh [--masters N] [--nodes N] [any other flag of `raftsman up`]
set -euo pipefail
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$HOME/.cache/raftsman/target}
export RAFTSMAN_IMAGES=${RAFTSMAN_IMAGES:-$HOME/.cache/raftsman/images}
minimum=1.89
# shellcheck source=packages.sh
. "$repo/scripts/packages.sh"
packages=("${build_packages[@]}" "${run_packages[@]}")

fail() { echo "up.sh: $*" >&2; exit 1; }
step() { echo "== $*"; }

# What the machine itself must bring, before anything is installed or built. `raftsman up` looks again, and deeper.
[ "$(id -u)" = 0 ] || fail "must run as root: it makes network namespaces, mounts and cgroups; try: sudo $0 $*"
command -v apt-get >/dev/null || fail "this is neither Debian nor Ubuntu (no apt-get): install ${packages[*]} and Rust $minimum yourself, then: cargo build && raftsman up"
grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null || fail "this kernel has no overlayfs: modprobe overlay, or use a kernel with it"
[ -d /sys/module/nf_tables ] || grep -qs ' nf_tables_' /proc/kallsyms || modprobe nf_tables 2>/dev/null || fail "this kernel has no nf_tables: modprobe nf_tables, or use a kernel with it"
mkdir -p "$CARGO_TARGET_DIR" /var/lib/raftsman
room() { df -Pm "$1" | awk 'NR == 2 { print $4 }'; }
built=
[ -x "$CARGO_TARGET_DIR/debug/raftsman" ] && built=yes
[ -n "$built" ] || [ "$(room "$CARGO_TARGET_DIR")" -ge 8192 ] || fail "too little disk: building needs 8192 MiB, $CARGO_TARGET_DIR has $(room "$CARGO_TARGET_DIR"); set CARGO_TARGET_DIR to a larger place"
[ "$(room /var/lib/raftsman)" -ge 2048 ] || fail "too little disk: a cluster needs 2048 MiB, /var/lib/raftsman has $(room /var/lib/raftsman); free some"

install_packages "${packages[@]}" || fail "apt-get could not install what is missing: is a package mirror reachable?"

# Rust: what is there if it is new enough, else by rustup.
rust_is_new_enough() {
  command -v cargo >/dev/null || return 1
  local have
  have=$(cargo --version 2>/dev/null | awk '{ print $2 }')
  [ -n "$have" ] && [ "$(printf '%s\n%s\n' "$minimum" "$have" | sort -V | head -n 1)" = "$minimum" ]
}
[ -d "$HOME/.cargo/bin" ] && PATH=$HOME/.cargo/bin:$PATH
if ! rust_is_new_enough; then
  if ! command -v rustup >/dev/null && apt-cache policy rustup 2>/dev/null | grep 'Candidate: [0-9]' >/dev/null; then
    step "installing rustup"
    apt-get -q -y install --no-install-recommends rustup >/dev/null || fail "apt-get could not install rustup"
  fi
  step "installing Rust"
  if command -v rustup >/dev/null; then
    rustup -q toolchain install stable --profile minimal >/dev/null && rustup -q default stable >/dev/null ||
      fail "rustup could not install Rust $minimum or later"
  else
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -q -y --profile minimal >/dev/null ||
      fail "Rust $minimum or later is needed and rustup could not be fetched: install it as https://rustup.rs says, then again"
    PATH=$HOME/.cargo/bin:$PATH
  fi
  rust_is_new_enough || fail "Rust $minimum or later is needed, there is $(cargo --version 2>/dev/null || echo none): see https://rustup.rs"
fi

step "building (the first time takes a while: RocksDB is among it)"
# The whole workspace, as the tests build it: other features of the dependencies would build RocksDB again.
(cd "$repo" && cargo build --locked --workspace) || fail "the build failed, see above"
# A running program cannot be overwritten, but it can be replaced.
install -m 0755 "$CARGO_TARGET_DIR/debug/raftsman" /usr/local/bin/.raftsman.new
mv -f /usr/local/bin/.raftsman.new /usr/local/bin/raftsman

step "images"
"$repo/scripts/images.sh" "$RAFTSMAN_IMAGES"

step "cluster"
exec /usr/local/bin/raftsman up "$@"
