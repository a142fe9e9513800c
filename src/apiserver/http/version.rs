//! `/version`.

use serde_json::{Value, json};

/// The Kubernetes version whose API is served. Clients complain when theirs is more than one minor away.
const MAJOR: u32 = 1;
const MINOR: u32 = 33;

/// What `/version` says.
pub(crate) fn version() -> Value {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    json!({
        "major": MAJOR.to_string(),
        "minor": MINOR.to_string(),
        "gitVersion": format!("v{MAJOR}.{MINOR}.0+raftsman.{}", env!("CARGO_PKG_VERSION")),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none (Rust)",
        "compiler": "rustc",
        "platform": format!("linux/{arch}"),
    })
}
