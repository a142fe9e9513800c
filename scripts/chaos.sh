#!/usr/bin/env bash
# Faults until something breaks or the time is over. As root: the cluster is one of real processes on this machine.
#
#   scripts/chaos.sh --minutes N [--scenario NAME] [--seed S]    a cluster of its own, faults, workloads, a report
#   scripts/chaos.sh --replay FILE                               what a written schedule says
#   scripts/chaos.sh --list                                      the scenarios; --scenario all runs each of them once
#   scripts/chaos.sh --summary DIR...                            a table of the runs that left their reports below DIR
#   scripts/chaos.sh --sim --minutes N | --seed S | --seeds A..B the deterministic simulation of the store
#
# The report is report.html below --out DIR (default /tmp/raftsman-chaos), with record.json for the table. The exit code is
# 0 if every invariant holds.
set -euo pipefail
here=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$HOME/.cache/raftsman/target}

case "${1:-}" in
  "" | -h | --help)
    sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
. scripts/packages.sh
. scripts/rust.sh
install_packages "${build_packages[@]}"
install_rust
# Built as up.sh builds it, so that nothing is compiled twice.
cargo build --locked --workspace
if [ "$1" = --sim ]; then
  shift
  exec "$CARGO_TARGET_DIR/debug/raftsman-sim" "$@"
fi
install_packages "${chaos_packages[@]}"
install_kubectl || { echo "chaos.sh: kubectl is missing: one of the workloads is a user with it" >&2; exit 1; }
images=${RAFTSMAN_IMAGES:-$HOME/.cache/raftsman/images}
[ -f "$images/busybox.tar" ] || scripts/images.sh "$images"
export RAFTSMAN=${RAFTSMAN:-$CARGO_TARGET_DIR/debug/raftsman} RAFTSMAN_IMAGES=$images
cd "$here"
exec "$CARGO_TARGET_DIR/debug/raftsman-chaos" "$@"
