//! Directories that look like cgroup mounts.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::cgroup::Hierarchies;
use std::fs;
use std::path::Path;

/// How controllers are mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Each in a mount of its own.
    V1,
    /// All in one.
    V2,
    /// Memory and pids in v2, the others in v1.
    Hybrid,
}

/// The mounts of a machine below a temporary directory.
pub(crate) struct Fake {
    root: tempfile::TempDir,
    pub hierarchies: Hierarchies,
}

impl Fake {
    pub(crate) fn new(kind: Kind) -> Self {
        let root = tempfile::tempdir().unwrap();
        let all = ["cpu", "cpuset", "memory", "pids"];
        let (v1, v2): (&[&str], Option<(&str, &[&str])>) = match kind {
            Kind::V1 => (&all, None),
            Kind::V2 => (&[], Some(("", &all))),
            Kind::Hybrid => (&["cpu", "cpuset"], Some(("unified", &["memory", "pids"]))),
        };
        let mut mountinfo = String::new();
        for controller in v1 {
            let mount = root.path().join(controller);
            fs::create_dir(&mount).unwrap();
            mountinfo.push_str(&format!("1 0 0:1 / {} rw - cgroup cgroup rw,{controller}\n", mount.display()));
        }
        if v1.contains(&"cpuset") {
            cpuset(&root.path().join("cpuset"), "0-1\n", "0\n");
            // What the kernel makes with a group.
            fs::create_dir(root.path().join("cpuset/pod")).unwrap();
            cpuset(&root.path().join("cpuset/pod"), "\n", "\n");
        }
        if let Some((name, controllers)) = v2 {
            let mount = root.path().join(name);
            fs::create_dir_all(&mount).unwrap();
            fs::write(mount.join("cgroup.controllers"), format!("{}\n", controllers.join(" "))).unwrap();
            mountinfo.push_str(&format!("1 0 0:1 / {} rw - cgroup2 cgroup2 rw\n", mount.display()));
        }
        Self { hierarchies: Hierarchies::of(&mountinfo), root }
    }

    /// All files with their content, sorted.
    pub(crate) fn files(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        walk(self.root.path(), self.root.path(), &mut found);
        found.sort();
        found
    }

    /// One file's content.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.path().join(path)).unwrap()
    }
}

fn cpuset(directory: &Path, cpus: &str, mems: &str) {
    fs::write(directory.join("cpuset.cpus"), cpus).unwrap();
    fs::write(directory.join("cpuset.mems"), mems).unwrap();
}

fn walk(root: &Path, directory: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(root, &path, found);
        } else {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}
