#!/usr/bin/env bash
# Every test, from format and lints to end to end on a local cluster. As root: containers and namespaces are real.
#
#   scripts/test.sh            everything
#   scripts/test.sh unit       without the local cluster
#
# On a bare Debian 12 it installs what it needs. Nothing is skipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$HOME/.cache/raftsman/target}
what=${1:-all}

fail() { echo "test.sh: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "must run as root: the tests make namespaces, mounts and cgroups"

step() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }

step packages
. scripts/packages.sh
install_packages "${build_packages[@]}" "${test_packages[@]}" "${chaos_packages[@]}"
command -v cargo >/dev/null || fail "cargo is missing: install Rust 1.89 or later (https://rustup.rs)"
command -v kubectl >/dev/null || fail "kubectl is missing: the end-to-end tests are driven by it (https://kubernetes.io/docs/tasks/tools)"
command -v cargo-nextest >/dev/null || cargo install --locked cargo-nextest

step format
cargo fmt --all --check

step build
cargo build --locked --workspace --all-targets

step lints
cargo clippy --locked --workspace --all-targets -- -D warnings

step "unit and room tests"
cargo nextest run --locked --workspace --no-fail-fast

step "simulation of the store"
"$CARGO_TARGET_DIR/debug/raftsman-sim" --seeds 0..150
[ "$what" = all ] || exit 0

step images
images=${RAFTSMAN_IMAGES:-$HOME/.cache/raftsman/images}
scripts/images.sh "$images"

step "end to end"
name=e2e
export RAFTSMAN=$CARGO_TARGET_DIR/debug/raftsman
clean() {
  local code=$?
  if [ $code -ne 0 ]; then
    # None is there if the cluster was never made.
    for log in /var/lib/raftsman/$name/*/log; do
      if [ -f "$log" ]; then printf -- '-- %s\n' "$log"; tail -n 40 "$log"; fi
    done
  fi
  "$RAFTSMAN" down --name $name >/dev/null || code=1
  exit $code
}
trap clean EXIT
begin=$SECONDS
"$RAFTSMAN" up --name $name --image-dir "$images"
echo "figure  up to all Ready: $((SECONDS - begin)) s"
"$CARGO_TARGET_DIR/debug/raftsman-e2e" $name
for host in m1 n1; do
  pid=$(cat /var/lib/raftsman/$name/$host/pid)
  echo "figure  resident memory of $host: $(awk '/VmRSS/ {print $2 " " $3}' "/proc/$pid/status")"
done
"$RAFTSMAN" down --name $name >/dev/null

# The same seed every time: what it finds is a change of ours.
step "chaos"
name=chaos
"$CARGO_TARGET_DIR/debug/raftsman-chaos" --name $name --image-dir "$images" --scenario short --minutes 2 --seed 1
step done
