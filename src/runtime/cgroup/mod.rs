//! Control groups of pods on v1, v2 and hybrid hosts: each controller where it is mounted.
//!
//! A container's own group is made by libcontainer from its OCI specification; here are the pod's groups above it, the
//! group of the supervisors, reading what the OOM killer did, and removing.

#[cfg(test)]
pub(crate) mod fake;
mod freezer;
mod limits;
mod mounts;

pub(crate) use freezer::Freezer;
pub(crate) use limits::PodLimits;
pub(crate) use mounts::Hierarchies;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Processes in a group and below it, in every hierarchy.
pub(crate) fn processes(hierarchies: &Hierarchies, group: &str) -> Vec<i32> {
    let mut pids: Vec<i32> =
        hierarchies.paths(group).iter().flat_map(|path| tree(path)).flat_map(|path| own(&path)).collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

fn own(path: &Path) -> Vec<i32> {
    let text = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).collect()
}

/// The group and all below it, the deepest first.
fn tree(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Ok(entries) = fs::read_dir(path) {
        for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            found.extend(tree(&entry.path()));
        }
        found.push(path.to_owned());
    }
    found
}

/// Sends KILL to everything in a group until nothing is left or the time is over.
pub(crate) fn kill_all(hierarchies: &Hierarchies, group: &str, patience: Duration) -> io::Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        let pids = processes(hierarchies, group);
        if pids.is_empty() {
            return Ok(());
        }
        for pid in &pids {
            crate::sys::kill_pid(*pid, libc::SIGKILL);
        }
        // A frozen process (v1) dies only when it thaws, before it does anything else.
        hierarchies.paths(group).iter().flat_map(|path| tree(path)).for_each(|path| freezer::thaw_if_frozen(&path));
        if Instant::now() > deadline {
            return Err(io::Error::other(format!("cgroup {group}: processes {pids:?} do not end")));
        }
        // The kernel tells of an empty v1 group by no event.
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Removes a group with all below it from every hierarchy. Its last processes may take a moment to leave.
pub(crate) fn remove(hierarchies: &Hierarchies, group: &str) -> io::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(2);
    for path in hierarchies.paths(group).iter().flat_map(|path| tree(path)) {
        loop {
            match fs::remove_dir(&path) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) if Instant::now() > deadline => {
                    return Err(io::Error::new(error.kind(), format!("remove cgroup {}: {error}", path.display())));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }
    Ok(())
}

/// Removes the groups above a removed one that have become empty.
pub(crate) fn remove_empty_parents(hierarchies: &Hierarchies, group: &str) {
    let mut parent = Path::new(group).parent();
    while let Some(above) = parent.and_then(Path::to_str).filter(|above| above.len() > 1) {
        for path in hierarchies.paths(above) {
            // Refused while it has groups or processes.
            let _ = fs::remove_dir(path);
        }
        parent = Path::new(above).parent();
    }
}

/// How many processes of a group the OOM killer has killed.
pub(crate) fn oom_kills(hierarchies: &Hierarchies, group: &str) -> u64 {
    let Some((mount, v2)) = hierarchies.controller("memory") else {
        return 0;
    };
    let file = if v2 { "memory.events" } else { "memory.oom_control" };
    let text = fs::read_to_string(mounts::below(mount, group).join(file)).unwrap_or_default();
    parse_oom(&text)
}

fn parse_oom(text: &str) -> u64 {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_versions() {
        assert_eq!(parse_oom("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), 3);
        assert_eq!(parse_oom("low 0\nhigh 0\nmax 12\noom 2\noom_kill 1\noom_group_kill 0\n"), 1);
        assert_eq!(parse_oom(""), 0);
    }
}
