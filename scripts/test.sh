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
# Building from nothing is faster without what only a second build or a debugger would use.
[ -z "${CI:-}" ] || export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0

fail() { echo "test.sh: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "must run as root: the tests make namespaces, mounts and cgroups"
case $what in all | unit) ;; *) fail "unknown argument $what; there are: all (without any) and unit" ;; esac

step() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }

# left NAME: what is left of a cluster after its `down`, a line each.
left() {
  local name=$1 path
  pgrep -af "raftsman .*/var/lib/raftsman/$name/" || true
  for path in "/var/lib/raftsman/$name" "/run/raftsman-promises/var~lib~raftsman~$name~"* "/run/raftsman.forward/$name" /run/netns/"$name"-*; do
    if [ -e "$path" ]; then echo "$path"; fi
  done
  awk -v below="/var/lib/raftsman/$name" '$5 == below || index($5, below "/") == 1 { print "mount " $5 }' /proc/self/mountinfo
  find /sys/fs/cgroup -type d -path "*/raftsman/$name" 2>/dev/null || true
  ip -o link | awk -F': ' -v name="$name-" 'index($2, name) == 1 { print "link " $2 }'
  nft list tables | awk -v name="$name" '$3 == "raftsman-" name || $3 == "chaos_" name'
}

# gone NAME: its `down` has left nothing.
gone() {
  local rest
  rest=$(left "$1")
  [ -z "$rest" ] || fail "raftsman down --name $1 has left: $rest"
}

step packages
. scripts/packages.sh
. scripts/rust.sh
install_packages "${build_packages[@]}" "${test_packages[@]}" "${chaos_packages[@]}"
install_rust clippy rustfmt || fail "Rust $minimum_rust or later is needed: install it as https://rustup.rs says"
install_kubectl || fail "the end-to-end tests are driven by kubectl"
install_nextest || fail "cargo-nextest is missing: https://nexte.st says how to install it"

step format
cargo fmt --all --check
for script in scripts/*.sh .ci/run scripts/images/*/files/usr/local/bin/*; do
  bash -n "$script"
done

step build
cargo build --locked --workspace --all-targets

outputs=$(mktemp -d)
clusters=()
clean() {
  local code=$? name job log
  for job in $(jobs -p); do
    pkill -P "$job" || true
    kill "$job" 2>/dev/null || true
    # What runs aside has a session, and so a group, of its own.
    kill -- "-$job" 2>/dev/null || true
  done
  wait
  if [ $code -ne 0 ]; then
    for log in "$outputs"/*; do
      if [ -f "$log" ]; then printf -- '-- %s\n' "${log##*/}"; tail -n 40 "$log"; fi
    done
  fi
  for name in "${clusters[@]}"; do
    if [ $code -ne 0 ]; then
      # None is there if the cluster was never made.
      for log in "/var/lib/raftsman/$name"/*/log; do
        if [ -f "$log" ]; then printf -- '-- %s\n' "$log"; tail -n 40 "$log"; fi
      done
    fi
    "$RAFTSMAN" down --name "$name" >/dev/null || code=1
  done
  rm -r "$outputs"
  exit $code
}
trap clean EXIT

# aside NAME COMMAND...: runs what only computes, beside what mostly waits, and gives way to it. Linux shares processors between
# sessions before it looks at who is nice within one.
declare -A asides=()
aside() {
  local name=$1
  shift
  setsid setpriv --pdeathsig KILL nice -n 19 bash -c 'if [ -e /proc/self/autogroup ]; then echo 19 >/proc/self/autogroup; fi; exec "$@"' aside "$@" \
    >"$outputs/$name" 2>&1 &
  asides[$name]=$!
}

# ended NAME: waits for it, and shows what it said.
ended() {
  local code=0
  wait "${asides[$1]}" || code=$?
  step "$1"
  cat "$outputs/$1"
  [ $code -eq 0 ] || fail "$1: exit code $code"
}

aside simulation "$CARGO_TARGET_DIR/debug/raftsman-sim" --seeds 0..1000

step "unit and room tests"
cargo nextest run --locked --workspace --no-fail-fast

# Not before: nextest waits for whoever builds.
aside lints cargo clippy --locked --workspace --all-targets -- -D warnings

if command -v systemd-analyze >/dev/null; then
  step "systemd unit"
  unit=$(mktemp -d)
  # The program need not be installed where the unit expects it.
  sed "s|/usr/local/bin/raftsman|$CARGO_TARGET_DIR/debug/raftsman|" scripts/raftsman.service > "$unit/raftsman.service"
  systemd-analyze verify "$unit/raftsman.service"
  rm -r "$unit"
fi
if [ "$what" = unit ]; then
  ended lints
  ended simulation
  exit 0
fi

step images
images=${RAFTSMAN_IMAGES:-$HOME/.cache/raftsman/images}
scripts/images.sh "$images"

step "end to end"
export RAFTSMAN=$CARGO_TARGET_DIR/debug/raftsman
e2e=$CARGO_TARGET_DIR/debug/raftsman-e2e
# The second is one that a step makes for itself.
clusters=(e2e e2e-up e2e-fence chaos)

begin=$(date +%s%N)
"$RAFTSMAN" up --name e2e --image-dir "$images" --no-sample
echo "figure  up to all Ready: $((($(date +%s%N) - begin) / 1000000)) ms"

# What waits most of its time goes beside the rest, on a cluster of its own.
beside() {
  local lane failed=0
  "$RAFTSMAN" up --name e2e-fence --image-dir "$images" || return 1
  for lane in losses fence; do
    "$e2e" e2e-fence --lane $lane || failed=1
  done
  "$RAFTSMAN" down --name e2e-fence || return 1
  gone e2e-fence
  return $failed
}
beside >"$outputs/beside" 2>&1 &
second=$!

# At rest: nothing has been asked of it for a while.
sleep 20
for host in m1 n1; do
  pid=$(cat /var/lib/raftsman/e2e/$host/pid)
  echo "figure  resident memory of $host at rest: $(awk '/VmRSS/ {print $2 " " $3}' "/proc/$pid/status")"
done

begin=$(date +%s%N)
said=$outputs/up
"$RAFTSMAN" up --name e2e --image-dir "$images" | tee "$said"
echo "figure  up again to the sample's first answer: $((($(date +%s%N) - begin) / 1000000)) ms"
expect() { grep -Eq "$1" "$said" || fail "up did not print $2"; }
expect '^MASTER +ADDRESS' "the table of masters"
for host in m1 m2 m3; do expect "^$host +[0-9.]+ .* yes " "$host as ready"; done
expect '^NODE +ADDRESS' "the table of nodes"
for host in n1 n2 n3; do expect "^$host +[0-9.]+ .* yes " "$host as ready"; done
expect '^The sample answers at http://[0-9.]+:30001/' "the sample's URL"
expect 'Visits so far: [0-9]+' "the sample's page"
suggested=$(sed '1,/^Try:$/d' "$said" | grep -c '^  [a-z]' || true)
[ "$suggested" = 3 ] || fail "up suggests $suggested commands, not 3"

broken=
for lane in life deaths; do
  # As a job: a signal does not wait for it.
  "$e2e" e2e --lane $lane &
  wait $! || broken+=" $lane"
done
"$RAFTSMAN" down --name e2e
wait "$second" || broken+=" losses or fence"
cat "$outputs/beside"
# Once all others that are named after it are gone as well.
gone e2e
[ -z "$broken" ] || fail "end-to-end steps failed in:$broken"
# Chaos has the machine for itself.
ended lints
ended simulation

# The same seed every time: what it finds is a change of ours.
step "chaos"
"$CARGO_TARGET_DIR/debug/raftsman-chaos" --name chaos --image-dir "$images" --scenario short --minutes 2 --seed 1
"$CARGO_TARGET_DIR/debug/raftsman-chaos" --name chaos --image-dir "$images" --replay chaos-tests/rest.yaml
"$RAFTSMAN" down --name chaos
gone chaos

step done
