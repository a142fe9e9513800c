//! What a person sees on the machine that all hosts are on.

use anyhow::{Context, Result};

/// The first process of a pod of one container, as the machine numbers it.
///
/// # Errors
/// It does not run.
pub fn first_process(uid: &str) -> Result<u32> {
    let group = format!("pod{uid}");
    let processes =
        std::fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_first = |pid: &u32| {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        // Numbered 1 where it lives.
        let first = read("status").lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1"));
        first && read("cgroup").contains(&group)
    };
    processes.filter(|pid| *pid > 1).find(is_first).with_context(|| format!("no process runs in {group}"))
}
