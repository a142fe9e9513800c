#!/usr/bin/env bash
# Makes this machine a host of a cluster: puts the program and its systemd unit in place and starts it. As root; again with a
# newer program: replaces it, and leaves what runs alone (then, once all masters have it: raftsman upgrade).
#
#   scripts/install.sh PROGRAM     the built raftsman; /etc/raftsman (of `raftsman pki init`) must be there
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=${1:-}

fail() { echo "install.sh: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "must run as root"
[ -x "$program" ] || fail "name the built program: scripts/install.sh PROGRAM"
[ -d /run/systemd/system ] || fail "this machine does not run systemd: start \"raftsman serve --config /etc/raftsman/config.yaml\" by its service manager, killing that one process only"
[ -f /etc/raftsman/config.yaml ] || fail "/etc/raftsman/config.yaml is missing: copy this host's directory of \`raftsman pki init\` there"

# A running program cannot be overwritten, but it can be replaced.
install -m 0755 "$program" /usr/local/bin/.raftsman.new
mv -f /usr/local/bin/.raftsman.new /usr/local/bin/raftsman
install -m 0644 "$here/raftsman.service" /etc/systemd/system/raftsman.service
systemctl daemon-reload
systemctl enable --quiet raftsman
systemctl start raftsman
systemctl --no-pager --lines 5 status raftsman
