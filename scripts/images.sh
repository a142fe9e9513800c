#!/usr/bin/env bash
# Builds OCI image archives from Debian (or Ubuntu) packages, without a container engine and without a registry.
#
#   scripts/images.sh [OUTDIR] [NAME...]     NAME: busybox mariadb tomcat-sample; all of them when none is given
#
# OUTDIR (default: $RAFTSMAN_IMAGES, else ~/.cache/raftsman/images) gets NAME.tar for each image. An archive whose
# inputs (packages, this script, the image's own files) have not changed is left as it is.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-${RAFTSMAN_IMAGES:-$HOME/.cache/raftsman/images}}
[ $# -gt 0 ] && shift
names=("$@")
[ ${#names[@]} -gt 0 ] || names=(busybox mariadb tomcat-sample)

fail() { echo "images.sh: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "must run as root: file owners and chroot need it"
for tool in apt-get dpkg-deb tar gzip sha256sum python3 chroot; do
  command -v "$tool" >/dev/null || fail "$tool is missing: apt-get install apt dpkg tar gzip coreutils python3"
done
mkdir -p "$out"
out=$(cd "$out" && pwd)
cache=$out/.packages
mkdir -p "$cache/debs/partial" "$cache/none/partial"
: > "$cache/status"
# Layers carry no time of their own: the same packages give the same bytes.
epoch=1700000000

# An apt that believes that nothing is installed, so that it resolves the whole closure of a package.
private_apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -y \
    -o Dir::State::status="$cache/status" -o Dir::State::extended_states="$cache/extended" \
    -o Dir::Cache::archives="$cache/debs" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
    -o Debug::NoLocking=1 -o APT::Sandbox::User=root -o APT::Install-Recommends=false -o APT::Install-Suggests=false "$@"
}

# The first of the given packages that this release has.
first_of() {
  local package
  for package in "$@"; do
    # No grep -q: it would end the pipe early, and pipefail would take that for a failure.
    if apt-cache policy "$package" 2>/dev/null | grep 'Candidate: [0-9]' >/dev/null; then echo "$package"; return; fi
  done
  return 1
}

# Lines "url file size hash" of the packages' closure, without those that only a booted machine needs.
resolve() {
  # From an empty archive directory: apt leaves out what is already downloaded.
  private_apt -o Dir::Cache::archives="$cache/none" --print-uris install "$@" | sed -n "s/^'\([^']*\)' \([^ ]*\) .*/\1 \2/p" |
    grep -vE '/(systemd|systemd-sysv|udev|libsystemd-shared|dbus|dbus-[a-z-]*|init|cron|logrotate|rsyslog|dmsetup|libdevmapper[^/]*)_[^/]*$' | sort
}

# unpack ROOT LIST: the packages' files, usr-merged, without what no container reads.
unpack() {
  local root=$1 list=$2 dir deb
  mkdir -p "$root"/usr/{bin,sbin,lib} "$root"/{dev,proc,sys,tmp,root,run,etc}
  for dir in bin sbin lib; do ln -s "usr/$dir" "$root/$dir"; done
  for dir in lib64 lib32 libx32; do
    if [ -L "/$dir" ]; then mkdir -p "$root/usr/$dir"; ln -s "usr/$dir" "$root/$dir"; fi
  done
  chmod 1777 "$root/tmp"; chmod 700 "$root/root"
  while read -r _ deb; do
    dpkg-deb --fsys-tarfile "$cache/debs/$deb" | tar -x -C "$root" --keep-directory-symlink --no-overwrite-dir
  done < "$list"
  if [ -d "$root/usr/share/doc" ]; then find "$root/usr/share/doc" -type f ! -name copyright -delete; fi
  rm -rf "$root"/usr/share/{man,info,locale,lintian,bug,bash-completion,zsh} "$root"/var/cache/* "$root"/var/lib/dpkg
  if [ -f "$root/usr/share/base-passwd/passwd.master" ]; then
    cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
    cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
  fi
  # What the alternatives' and the shell's set-up scripts would have linked.
  if [ ! -e "$root/usr/bin/sh" ] && [ -e "$root/usr/bin/dash" ]; then ln -s dash "$root/usr/bin/sh"; fi
  if [ ! -e "$root/usr/bin/awk" ] && [ -e "$root/usr/bin/mawk" ]; then ln -s mawk "$root/usr/bin/awk"; fi
  printf 'hosts: files dns\npasswd: files\ngroup: files\n' > "$root/etc/nsswitch.conf"
  if [ -x "$root/sbin/ldconfig" ]; then chroot "$root" /sbin/ldconfig; rm -rf "$root/var/cache/ldconfig"; fi
}

user() { # user ROOT NAME UID HOME
  grep -q "^$2:" "$1/etc/passwd" || echo "$2:x:$3:$3::$4:/usr/sbin/nologin" >> "$1/etc/passwd"
  grep -q "^$2:" "$1/etc/group" || echo "$2:x:$3:" >> "$1/etc/group"
}

packages_of() {
  case $1 in
  # Not busybox-static: it resolves names by glibc modules that a static program cannot count on.
  busybox) first_of busybox || return ;;
  mariadb)
    echo base-files base-passwd bash coreutils dash sed grep mawk hostname findutils libc-bin tzdata
    first_of mariadb-server-core mariadb-server-core-10.6 || return
    first_of mariadb-client-core mariadb-client-core-10.6 || return ;;
  tomcat-sample)
    echo base-files base-passwd bash coreutils dash sed grep mawk findutils libc-bin tzdata libmariadb-java
    first_of tomcat10 tomcat9 || return
    first_of openjdk-17-jre-headless openjdk-21-jre-headless || return ;;
  *) fail "no image is named $1 (there are: busybox mariadb tomcat-sample)" ;;
  esac
}

# After the packages: the image's own files, then what its set-up scripts would have done.
finish_busybox() {
  local root=$1 applet
  rm -rf "$root/usr/share"
  for applet in $("$root/bin/busybox" --list); do
    [ -e "$root/bin/$applet" ] || ln -s busybox "$root/bin/$applet"
  done
  mkdir -p "$root/var/www" "$root/home"
  printf 'root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/sh\nnobody:x:65534:65534::/home:/bin/sh\n' > "$root/etc/passwd"
  printf 'root:x:0:\nwww-data:x:33:\nnogroup:x:65534:\n' > "$root/etc/group"
}
finish_mariadb() {
  local root=$1
  user "$root" mysql 999 /var/lib/mysql
  mkdir -p "$root/var/lib/mysql" "$root/run/mysqld"
  chown 999:999 "$root/var/lib/mysql" "$root/run/mysqld"
}
finish_tomcat-sample() {
  local root=$1 home base=$1/srv/tomcat
  user "$root" tomcat 998 /srv/tomcat
  home=$(cd "$root" && ls -d usr/share/tomcat[0-9]*  | head -n 1)
  ln -s "/$home" "$root/srv/catalina"
  ln -s "/$(cd "$root" && ls -d usr/lib/jvm/java-*-openjdk-* | head -n 1)" "$root/srv/java"
  mkdir -p "$base"/{conf,lib,logs,temp,work,webapps}
  for file in web.xml catalina.properties; do cp "$root/$home/etc/$file" "$base/conf/$file"; done
  ln -s /usr/share/java/mariadb-java-client.jar "$base/lib/mariadb-java-client.jar"
  cp -r "$here/images/tomcat-sample/files/srv/tomcat/." "$base/"
  chown -R 998:998 "$base"
}

command_of() { # the image's part of the OCI configuration
  cat "$here/images/$1/config.json"
}

build() {
  local name=$1 archive=$out/$1.tar work list inputs packages
  # shellcheck disable=SC2086
  list=$cache/$name.list
  if ! packages=$(packages_of "$name") || ! resolve $packages > "$list"; then
    echo "images.sh: fetching the package index"
    apt-get -q update >/dev/null || fail "apt-get update failed: is a package mirror reachable?"
    packages=$(packages_of "$name") || fail "$name: apt knows no package for it on this release"
    resolve $packages > "$list" || fail "$name: apt cannot resolve: $packages"
  fi
  inputs=$( (cat "$list" "$here/images.sh" "$here/images/pack.py"; cd "$here/images/$name"; find . -type f | sort | xargs sha256sum) | sha256sum | cut -d' ' -f1)
  if [ -f "$archive" ] && [ "$(cat "$cache/$name.inputs" 2>/dev/null)" = "$inputs" ]; then
    echo "$name: unchanged, $archive"
    return
  fi
  echo "$name: $(wc -l < "$list") packages"
  # shellcheck disable=SC2086
  private_apt --download-only install $packages >"$cache/$name.log" 2>&1 ||
    fail "$name: packages could not be downloaded, see $cache/$name.log"
  work=$(mktemp -d "$out/.work-$name.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  unpack "$work/root" "$list"
  if [ -d "$here/images/$name/files" ]; then
    cp -r --preserve=mode "$here/images/$name/files/." "$work/root/"
  fi
  "finish_$name" "$work/root"
  tar -c -C "$work/root" --sort=name --mtime="@$epoch" --numeric-owner --format=posix \
    --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime . > "$work/layer.tar"
  command_of "$name" | python3 "$here/images/pack.py" "$work/layer.tar" "$archive" "$epoch"
  echo "$inputs" > "$cache/$name.inputs"
  rm -rf "$work"
  trap - EXIT
  echo "$name: $archive ($(du -h "$archive" | cut -f1))"
}

for name in "${names[@]}"; do build "$name"; done
