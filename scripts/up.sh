#!/usr/bin/env bash
# From nothing to a running cluster on this machine: installs what is missing, builds, starts three masters and three nodes,
# deploys the sample and shows it answering. Debian 12 or later, or Ubuntu; as root. Again: heals what is down.
#
#   scripts/up.sh [--masters N] [--nodes N] [any other flag of `raftsman up`]
#     --masters N, --nodes N             how many of them [default: 3, or what the cluster has]
#     --name NAME, --dir DIR             the cluster's name [local], and where its state is [/var/lib/raftsman/NAME]
#     --image FILE, --image-dir DIR      image archives to load
#     --restore FILE, --passphrase-file FILE    begin with what a backup holds
#     --no-sample                        without the sample
#     --timeout SECONDS                  how long the cluster may take to be ready [180]
set -euo pipefail
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

fail() { echo "up.sh: $*" >&2; exit 1; }
step() { echo "== $*"; }

# The flags first: nobody is to wait for a build to learn of a slip of the pen.
name=local dir=
given=("$@")
while [ $# -gt 0 ]; do
  flag=${1%%=*}
  case $flag in
  -h | --help)
    sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit
    ;;
  --no-sample)
    [ "$1" = "$flag" ] || fail "$flag takes no value"
    shift
    continue
    ;;
  --masters | --nodes | --name | --dir | --image | --image-dir | --restore | --passphrase-file | --timeout) ;;
  *) fail "unknown argument $1; scripts/up.sh --help lists what there is" ;;
  esac
  if [ "$1" != "$flag" ]; then
    value=${1#*=}
    shift
  else
    [ $# -gt 1 ] || fail "$flag needs a value"
    value=$2
    shift 2
  fi
  case $flag in
  --masters | --nodes | --timeout) [[ $value =~ ^[0-9]+$ ]] || fail "$flag needs a number, not \"$value\"" ;;
  --name) name=$value ;;
  --dir) dir=$value ;;
  esac
done
set -- "${given[@]}"
dir=${dir:-/var/lib/raftsman/$name}

# What the machine itself must bring, before anything is installed or built. `raftsman up` looks again, and deeper.
[ "$(id -u)" = 0 ] || fail "must run as root: it makes network namespaces, mounts and cgroups; try: sudo $0${*:+ $*}"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$HOME/.cache/raftsman/target}
export RAFTSMAN_IMAGES=${RAFTSMAN_IMAGES:-$HOME/.cache/raftsman/images}
# shellcheck source=packages.sh
. "$repo/scripts/packages.sh"
# shellcheck source=rust.sh
. "$repo/scripts/rust.sh"
packages=("${build_packages[@]}" "${run_packages[@]}")
command -v apt-get >/dev/null || fail "this is neither Debian nor Ubuntu (no apt-get): install ${packages[*]} and Rust $minimum_rust yourself, then: cargo build && raftsman up"
grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null || fail "this kernel has no overlayfs: modprobe overlay, or use a kernel with it"
[ -d /sys/module/nf_tables ] || grep -qs ' nf_tables_' /proc/kallsyms || modprobe nf_tables 2>/dev/null || fail "this kernel has no nf_tables: modprobe nf_tables, or use a kernel with it"
# MiB that are free where a directory is or will be.
room() {
  local there=$1
  while [ ! -d "$there" ]; do there=$(dirname "$there"); done
  df -Pm "$there" | awk 'NR == 2 { print $4 }'
}
[ -x "$CARGO_TARGET_DIR/debug/raftsman" ] || [ "$(room "$CARGO_TARGET_DIR")" -ge 8192 ] || fail "too little disk: building needs 8192 MiB, $CARGO_TARGET_DIR has $(room "$CARGO_TARGET_DIR"); set CARGO_TARGET_DIR to a larger place"
[ "$(room "$dir")" -ge 2048 ] || fail "too little disk: a cluster needs 2048 MiB, $dir has $(room "$dir"); free some, or choose another place with --dir"

install_packages "${packages[@]}" || fail "apt-get could not install what is missing: is a package mirror reachable?"
install_rust || fail "Rust $minimum_rust or later is needed: install it as https://rustup.rs says, then again"

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
