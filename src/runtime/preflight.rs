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
        Ok(hierarchies) => {
            for controller in ["memory", "cpu", "pids"] {
                if hierarchies.controller(controller).is_none() {
                    missing.push(format!(
                        "the kernel offers no {controller} cgroup controller; enable it (kernel command line \
                         cgroup_enable={controller}) and mount cgroups below /sys/fs/cgroup"
                    ));
                }
            }
        }
        Err(error) => missing.push(format!("cgroups cannot be read: {error}")),
    }
    if !Path::new("/proc/self/ns/pid").exists() {
        missing.push("the kernel has no namespaces (/proc/self/ns/pid is missing)".to_owned());
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
