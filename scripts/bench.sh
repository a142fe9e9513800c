#!/usr/bin/env bash
# Measures the replicated store on this machine: three members as processes on loopback, fsync on.
#
#   scripts/bench.sh store|failover|quiet|recovery [FLAGS]   this store alone (see raftsman bench --help)
#   scripts/bench.sh recovery --objects 500000 --load N      a wiped member comes back while N writers go on: none may fail
#   scripts/bench.sh etcd [FLAGS]                            the load of `store`, interleaved with a 3-member etcd
#   scripts/bench.sh etcd --goals                            the same, and which of the goals are met
#   scripts/bench.sh etcd failover|quiet|recovery [FLAGS]    the same for the others
#
# PROFILE=dist builds for published figures (RocksDB is then compiled again, which takes long); the default is the
# profile that everything else uses. Nothing is left: no process, and no file but the build and etcd's unpacked package.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$HOME/.cache/raftsman/target}
profile=${PROFILE:-dev}

fail() { echo "bench.sh: $*" >&2; exit 1; }
[ $# -gt 0 ] || fail "what is to be measured? store, failover, quiet, recovery or etcd"
command -v cargo >/dev/null || fail "cargo is missing: install Rust 1.89 or later (https://rustup.rs)"
command -v setpriv >/dev/null || fail "setpriv is missing: install util-linux"

flags=()
if [ "$1" = etcd ]; then
  shift
  case ${1:-} in
  store | failover | quiet | recovery) what=$1 && shift ;;
  *) what=store ;;
  esac
  etcd=$(command -v etcd || true)
  if [ -z "$etcd" ]; then
    # Unpacked, not installed: the package would start a service.
    cache=$HOME/.cache/raftsman/etcd
    etcd=$cache/usr/bin/etcd
    if [ ! -x "$etcd" ]; then
      command -v apt-get >/dev/null || fail "etcd is missing, and this is no Debian to fetch its package etcd-server from"
      mkdir -p "$cache"
      (cd "$cache" && { apt-get download -qq etcd-server 2>/dev/null || { apt-get update -qq && apt-get download -qq etcd-server; }; })
      dpkg-deb -x "$cache"/etcd-server_*.deb "$cache"
      rm "$cache"/etcd-server_*.deb
    fi
  fi
  "$etcd" --version >&2
  flags=(--etcd "$etcd")
else
  what=$1
  shift
fi

# All members of the workspace, so that features and with them RocksDB's build are everybody's.
cargo build --quiet --locked --workspace --bins --profile "$profile"
directory=$profile
[ "$profile" = dev ] && directory=debug
exec "$CARGO_TARGET_DIR/$directory/raftsman" bench "$what" "${flags[@]}" "$@"
