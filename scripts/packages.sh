# The Debian packages that building and testing need; read by the other scripts.
# shellcheck shell=bash disable=SC2034
build_packages=(gcc g++ make mold clang libclang-dev libelf-dev zlib1g-dev pkg-config ca-certificates)
run_packages=(curl python3)
test_packages=(curl python3 bsdutils procps iproute2 nftables busybox-static)
# Disks, links and clocks that can be broken.
chaos_packages=(e2fsprogs util-linux iproute2 nftables ethtool libfaketime openssl perl-base)

# Installs those of its arguments that are missing.
install_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || { echo "missing: ${missing[*]} (this is no Debian: install them by hand)" >&2; return 1; }
  echo "installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
