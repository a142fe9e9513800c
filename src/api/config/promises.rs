//! Where the nodes of this machine keep their promises ([`crate::fencing`]).

use std::path::{Path, PathBuf};

/// On a tmpfs that all mount namespaces of the machine see, and that ends with its boot.
const PROMISES: &str = "/run/raftsman-promises";

/// The promise of the node whose state is in this directory: named by it, so that who removes the one can remove the other.
pub fn promise_page(state: &Path) -> PathBuf {
    Path::new(PROMISES).join(state.to_string_lossy().trim_matches('/').replace('/', "~"))
}
