//! What this machine lacks for running containers, said before anything is tried.

use crate::cgroup::Hierarchies;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::fs;
use std::path::Path;

/// Looks for what containers need: root, overlayfs (tried in `directory`, where images and pods are to live) and the
/// cgroup controllers for memory, cpu and pids. Gives one line per thing that is missing, with what to do; empty if all
/// is there.
pub fn preflight(directory: &Path) -> Vec<String> {
    let mut missing = Vec::new();
    if !nix::unistd::geteuid().is_root() {
        missing.push("must run as root (try sudo)".to_owned());
        return missing;
    }
    if let Err(error) = try_overlay(directory) {
        missing.push(format!(
            "overlayfs does not work in {}: {error}; load the kernel module (modprobe overlay), or choose a directory \
             on ext4 or xfs",
            directory.display()
        ));
    }
    match Hierarchies::detect() {
        Ok(hierarchies) => missing.extend(controllers(&hierarchies)),
        Err(error) => missing.push(format!("cgroups cannot be read: {error}")),
    }
    if !Path::new("/proc/self/ns/pid").exists() {
        missing.push("the kernel has no namespaces (/proc/self/ns/pid is missing)".to_owned());
    }
    missing
}

fn controllers(hierarchies: &Hierarchies) -> Vec<String> {
    let needed = ["memory", "cpu", "pids"];
    let absent = needed.into_iter().filter(|name| hierarchies.controller(name).is_none());
    let mut missing: Vec<String> = absent
        .map(|name| {
            format!(
                "the kernel offers no {name} cgroup controller; enable it (kernel command line cgroup_enable={name}) and \
                 mount cgroups below /sys/fs/cgroup"
            )
        })
        .collect();
    let apart = hierarchies.out_of_reach(&needed).join(",");
    if !apart.is_empty() {
        missing.push(format!(
            "the cgroup controllers {apart} are in v2 and others in v1, so containers cannot have all their limits; have \
             them in one version: all in v2 (kernel command line systemd.unified_cgroup_hierarchy=1), or all in v1 (take \
             {apart} out of cgroup_no_v1=)"
        ));
    }
    missing
}

fn try_overlay(directory: &Path) -> std::io::Result<()> {
    fs::create_dir_all(directory)?;
    let scratch = tempfile::Builder::new().prefix(".overlay-").tempdir_in(directory)?;
    for name in ["lower", "upper", "work", "merged"] {
        fs::create_dir(scratch.path().join(name))?;
    }
    let path = scratch.path().display();
    let options = format!("lowerdir={path}/lower,upperdir={path}/upper,workdir={path}/work");
    let target = scratch.path().join("merged");
    mount(Some("overlay"), &target, Some("overlay"), MsFlags::empty(), Some(options.as_str()))?;
    umount2(&target, MntFlags::MNT_DETACH)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::fake::{Fake, Kind};

    #[test]
    fn limits_must_be_in_one_version() {
        for kind in [Kind::V1, Kind::V2] {
            assert_eq!(controllers(&Fake::new(kind).hierarchies), Vec::<String>::new(), "{kind:?}");
        }
        let said = controllers(&Fake::new(Kind::Hybrid).hierarchies);
        assert!(said.len() == 1 && said[0].contains("controllers memory,pids are in v2"), "{said:?}");
        let said = controllers(&Hierarchies::default());
        assert!(said.len() == 3 && said[0].contains("no memory cgroup controller"), "{said:?}");
    }
}
