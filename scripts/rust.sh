# Rust for the other scripts: what is there if it is new enough, else by rustup.
# shellcheck shell=bash
minimum_rust=1.89
# Where rustup puts it, whether or not this shell knows already.
PATH=$HOME/.cargo/bin:$PATH

rust_is_new_enough() {
  local have
  have=$(cargo --version 2>/dev/null | awk '{ print $2 }')
  [ -n "$have" ] && [ "$(printf '%s\n%s\n' "$minimum_rust" "$have" | sort -V | head -n 1)" = "$minimum_rust" ]
}

# Installs Rust if need be, and those of the given components (clippy, rustfmt) that are missing.
install_rust() {
  local component
  if ! rust_is_new_enough; then
    # No grep -q: it would end the pipe early, and pipefail would take that for a failure.
    if ! command -v rustup >/dev/null && apt-cache policy rustup 2>/dev/null | grep 'Candidate: [0-9]' >/dev/null; then
      echo "installing rustup"
      DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends rustup >/dev/null || return
    fi
    echo "installing Rust"
    if command -v rustup >/dev/null; then
      rustup -q toolchain install stable --profile minimal >/dev/null && rustup -q default stable >/dev/null || return
    elif ! curl --proto '=https' --tlsv1.2 -sSf --retry 3 https://sh.rustup.rs | sh -s -- -q -y --profile minimal >/dev/null; then
      echo "rustup could not be fetched from https://sh.rustup.rs" >&2
      return 1
    fi
    if ! rust_is_new_enough; then
      echo "there is $(cargo --version 2>/dev/null || echo no cargo), Rust $minimum_rust or later is needed" >&2
      return 1
    fi
  fi
  for component in "$@"; do
    case $component in
    rustfmt) cargo fmt --version >/dev/null 2>&1 && continue ;;
    *) cargo "$component" --version >/dev/null 2>&1 && continue ;;
    esac
    echo "installing $component"
    rustup -q component add "$component" >/dev/null || return
  done
}

# cargo-nextest: built as its project gives it away, else from source, which takes minutes.
install_nextest() {
  local build
  ! command -v cargo-nextest >/dev/null || return 0
  case $(uname -m) in aarch64) build=linux-arm ;; *) build=linux ;; esac
  echo "installing cargo-nextest"
  mkdir -p "$HOME/.cargo/bin"
  curl --proto '=https' -fsSL --connect-timeout 10 "https://get.nexte.st/latest/$build" | tar -xz -C "$HOME/.cargo/bin" ||
    cargo install --quiet --locked cargo-nextest
}
