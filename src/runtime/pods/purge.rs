//! Removing all that an agent ever made, without the agent.

use crate::cgroup::{self, Hierarchies};
use crate::pods::config::PodsConfig;
use crate::pods::{pidfd, status};
use crate::sys;
use std::fs;
use std::time::{Duration, Instant};

/// Killed processes are gone after this.
const PATIENCE: Duration = Duration::from_secs(10);

/// Kills every pod of a state directory and removes its processes, cgroups, mounts and files; images stay. For
/// tearing a node down after its agent has ended. Goes on after an error; gives all of them.
///
/// Mounts are those of the caller's mount namespace; an agent's own one goes with its last process.
pub fn purge(config: &PodsConfig) -> Vec<String> {
    let mut problems = Vec::new();
    let mut note = |result: std::io::Result<()>| {
        if let Err(error) = result {
            problems.push(error.to_string());
        }
    };
    match Hierarchies::detect() {
        Ok(hierarchies) => {
            // All at once. On a hybrid machine the supervisors' v2 group holds the containers' processes too, which die only
            // when their pod's group is thawed, which is in the v1 tree.
            note(cgroup::kill_all(&hierarchies, &config.cgroup_parent, PATIENCE));
            note(cgroup::remove(&hierarchies, &config.cgroup_parent));
            cgroup::remove_empty_parents(&hierarchies, &config.cgroup_parent);
        }
        Err(error) => note(Err(error)),
    }
    for uid in status::uids(config).unwrap_or_default() {
        let Some(processes) = status::processes(&config.pod(&uid)) else {
            continue;
        };
        let deadline = Instant::now() + PATIENCE;
        while pidfd::is_alive(processes.supervisor) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    for directory in [config.pins(), config.pods()] {
        note(sys::unmount_below(&directory));
    }
    // Nobody may have made it.
    let _ = fs::remove_file(&config.promise_page);
    if problems.is_empty() {
        for directory in [config.pins(), config.pods(), config.trash()] {
            if directory.exists()
                && let Err(error) = fs::remove_dir_all(&directory)
            {
                problems.push(format!("{}: {error}", directory.display()));
            }
        }
    }
    problems
}
