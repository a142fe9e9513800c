//! Programs of the system.

use anyhow::{Context, Result, bail};
use std::process::{Command, Stdio};

/// Runs a program; it must succeed: its output.
///
/// # Errors
/// What it said.
pub fn run(program: &str, args: &[&str]) -> Result<String> {
    let mut command = Command::new(program);
    let output = command.args(args).stdin(Stdio::null()).output().with_context(|| format!("run {program}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{program} {}: {}", args.join(" "), said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a program that may have nothing to do.
pub fn try_run(program: &str, args: &[&str]) {
    // Undoing what may never have been done.
    let _ = run(program, args);
}
