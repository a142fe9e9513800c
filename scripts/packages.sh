# The Debian packages that building and testing need; read by the other scripts.
# shellcheck shell=bash disable=SC2034
build_packages=(gcc g++ make mold clang libclang-dev libelf-dev zlib1g-dev pkg-config ca-certificates)
run_packages=(curl python3)
test_packages=(curl python3 bsdutils procps iproute2 nftables busybox-static util-linux docker-registry)
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

# The first whose exec, attach and cp go over WebSocket of themselves, as raftsman serves them.
kubectl_oldest=1.30

# The version of the kubectl on the PATH (1.33.1); 0 if it does not say.
kubectl_version() {
  kubectl version --client -o json 2>/dev/null | sed -n 's/.*"gitVersion": *"v\([0-9.]*\).*/\1/p' | grep . || echo 0
}

# kubectl, if there is none: from a package that is recent enough for all that the tests use, else as upstream gives it away.
# One that is there and older is refused: it is somebody's own.
install_kubectl() {
  local series=v1.34 version architecture file
  if command -v kubectl >/dev/null; then
    version=$(kubectl_version)
    dpkg --compare-versions "$version" lt "$kubectl_oldest" || return 0
    echo "$(command -v kubectl) is version $version, and its exec and cp do not speak WebSocket: put kubectl $kubectl_oldest or later before it on the PATH" >&2
    return 1
  fi
  for package in kubectl kubernetes-client; do
    version=$(apt-cache policy "$package" 2>/dev/null | awk '$1 == "Candidate:" { print $2 }')
    if dpkg --compare-versions "${version:-0}" ge "$kubectl_oldest" && [ "$version" != "(none)" ]; then
      install_packages "$package"
      return
    fi
  done
  architecture=$(dpkg --print-architecture)
  file=$(mktemp)
  echo "installing kubectl"
  if version=$(curl -fsSL --connect-timeout 10 --retry 3 "https://dl.k8s.io/release/stable-${series#v}.txt") &&
    curl -fsSL --connect-timeout 10 --retry 3 -o "$file" "https://dl.k8s.io/release/$version/bin/linux/$architecture/kubectl" &&
    echo "$(curl -fsSL --retry 3 "https://dl.k8s.io/release/$version/bin/linux/$architecture/kubectl.sha256")  $file" | sha256sum --quiet --check; then
    install -m 0755 "$file" /usr/local/bin/kubectl
    rm "$file"
    return
  fi
  rm "$file"
  echo "kubectl is missing, no package of it is known to apt, and https://dl.k8s.io cannot be reached: put one ($kubectl_oldest or later) on the PATH" >&2
  return 1
}
