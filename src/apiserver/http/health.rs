//! `/healthz`, `/livez`, `/readyz`.

use super::answer::{Answer, bytes};
use std::fmt::Write as _;

/// One check: its name and, if it fails, why.
pub(crate) type Check = (&'static str, Result<(), String>);

/// The answer to a health path such as `readyz` or `readyz/raft`.
pub(crate) fn health(path: &str, verbose: bool, checks: &[Check]) -> Answer {
    let (endpoint, one) = path.split_once('/').unwrap_or((path, ""));
    let considered: Vec<&Check> = checks.iter().filter(|(name, _)| one.is_empty() || *name == one).collect();
    if !one.is_empty() && considered.is_empty() {
        return bytes(404, "text/plain; charset=utf-8", format!("{endpoint} has no check {one:?}\n"));
    }
    let failed = considered.iter().any(|(_, result)| result.is_err());
    if !failed && !verbose {
        return bytes(200, "text/plain; charset=utf-8", "ok");
    }
    let mut out = String::new();
    for (name, result) in considered {
        let _ = match result {
            Ok(()) => writeln!(out, "[+]{name} ok"),
            Err(why) => writeln!(out, "[-]{name} failed: {why}"),
        };
    }
    let _ = writeln!(out, "{endpoint} check {}", if failed { "failed" } else { "passed" });
    bytes(if failed { 500 } else { 200 }, "text/plain; charset=utf-8", out)
}
