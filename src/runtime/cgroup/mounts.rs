//! Where each controller is mounted.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The controllers of v1 that libcgroups makes groups in.
const OF_CONTAINERS: [&str; 12] = [
    "blkio",
    "cpu",
    "cpuacct",
    "cpuset",
    "devices",
    "freezer",
    "hugetlb",
    "memory",
    "net_cls",
    "net_prio",
    "perf_event",
    "pids",
];

/// The cgroup mounts of this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hierarchies {
    /// v1 controller (or `name=…`) → its mount.
    v1: BTreeMap<String, PathBuf>,
    /// The v2 mount and the controllers it has.
    v2: Option<(PathBuf, Vec<String>)>,
}

impl Hierarchies {
    /// Reads this process's mounts.
    pub(crate) fn detect() -> io::Result<Self> {
        Ok(Self::of(&fs::read_to_string("/proc/self/mountinfo")?))
    }

    /// Those of a mountinfo; v2 says itself which controllers it has.
    pub(super) fn of(mountinfo: &str) -> Self {
        let mut found = Self::parse(mountinfo);
        if let Some((mount, controllers)) = &mut found.v2 {
            let text = fs::read_to_string(mount.join("cgroup.controllers")).unwrap_or_default();
            *controllers = text.split_whitespace().map(str::to_owned).collect();
        }
        found
    }

    fn parse(mountinfo: &str) -> Self {
        let mut found = Self::default();
        for line in mountinfo.lines() {
            let Some((before, after)) = line.split_once(" - ") else {
                continue;
            };
            let Some(point) = before.split(' ').nth(4).map(PathBuf::from) else {
                continue;
            };
            let mut fields = after.split(' ');
            match (fields.next(), fields.nth(1)) {
                (Some("cgroup2"), _) if found.v2.is_none() => found.v2 = Some((point, Vec::new())),
                (Some("cgroup"), Some(options)) => {
                    let generic = ["rw", "ro", "xattr", "clone_children", "noprefix"];
                    for option in options.split(',') {
                        if !generic.contains(&option) && !option.starts_with("release_agent") {
                            found.v1.entry(option.to_owned()).or_insert_with(|| point.clone());
                        }
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// The mount of a controller, and whether it is v2.
    pub(crate) fn controller(&self, name: &str) -> Option<(&Path, bool)> {
        if let Some(mount) = self.v1.get(name) {
            return Some((mount, false));
        }
        let (mount, controllers) = self.v2.as_ref()?;
        controllers.iter().any(|have| have == name).then_some((mount.as_path(), true))
    }

    /// Those of `names` that are in v2 while the machine has v1 too. Containers go into the groups of v1 there, so nothing
    /// could limit them by these.
    pub(crate) fn out_of_reach<'a>(&self, names: &[&'a str]) -> Vec<&'a str> {
        let apart = |name: &&&str| !self.unified() && self.controller(name).is_some_and(|(_, v2)| v2);
        names.iter().filter(apart).copied().collect()
    }

    /// The mounts of v1 in which every container has a group of its own.
    pub(crate) fn v1_mounts(&self) -> Vec<PathBuf> {
        let known = |name: &&String| OF_CONTAINERS.contains(&name.as_str());
        let mut mounts: Vec<PathBuf> =
            self.v1.keys().filter(known).filter_map(|name| self.v1.get(name).cloned()).collect();
        mounts.sort();
        mounts.dedup();
        mounts
    }

    /// The mount of v2, whatever controllers it has.
    pub(crate) fn v2_mount(&self) -> Option<&Path> {
        self.v2.as_ref().map(|(mount, _)| mount.as_path())
    }

    /// The machine has v2 alone.
    pub(crate) fn unified(&self) -> bool {
        self.v1.is_empty() && self.v2.is_some()
    }

    /// A group's directory in every hierarchy.
    pub(crate) fn paths(&self, group: &str) -> Vec<PathBuf> {
        let mut mounts: Vec<&PathBuf> = self.v1.values().chain(self.v2.iter().map(|(mount, _)| mount)).collect();
        mounts.sort();
        mounts.dedup();
        mounts.into_iter().map(|mount| below(mount, group)).collect()
    }

    /// Makes a group in every hierarchy. With `delegate`, groups below it may have limits (v2 `subtree_control`).
    pub(crate) fn create(&self, group: &str, delegate: bool) -> io::Result<()> {
        for path in self.paths(group) {
            fs::create_dir_all(&path)
                .map_err(|error| io::Error::new(error.kind(), format!("make cgroup {}: {error}", path.display())))?;
        }
        self.fill_cpuset(group)?;
        if let Some((mount, controllers)) = &self.v2 {
            let mut path = mount.clone();
            let mut parts: Vec<&str> = group.split('/').filter(|part| !part.is_empty()).collect();
            if !delegate {
                parts.pop();
            }
            enable(&path, controllers);
            for part in parts {
                path.push(part);
                enable(&path, controllers);
            }
        }
        Ok(())
    }

    /// A v1 cpuset group takes no process before it has processors and memory nodes.
    fn fill_cpuset(&self, group: &str) -> io::Result<()> {
        let Some((mount, false)) = self.controller("cpuset") else {
            return Ok(());
        };
        let mut path = mount.to_owned();
        for part in group.split('/').filter(|part| !part.is_empty()) {
            let above = path.clone();
            path.push(part);
            for file in ["cpuset.cpus", "cpuset.mems"] {
                if fs::read_to_string(path.join(file))?.trim().is_empty() {
                    fs::write(path.join(file), fs::read_to_string(above.join(file))?)?;
                }
            }
        }
        Ok(())
    }

    /// Moves a process into a group of every hierarchy.
    pub(crate) fn enter(&self, group: &str, pid: i32) -> io::Result<()> {
        for path in self.paths(group) {
            fs::write(path.join("cgroup.procs"), pid.to_string())
                .map_err(|error| io::Error::new(error.kind(), format!("enter cgroup {}: {error}", path.display())))?;
        }
        Ok(())
    }
}

/// Controllers that cannot be delegated here are found out when a limit needs them.
fn enable(path: &Path, controllers: &[String]) {
    for controller in controllers {
        let _ = fs::write(path.join("cgroup.subtree_control"), format!("+{controller}"));
    }
}

/// A group's directory below a mount.
pub(crate) fn below(mount: &Path, group: &str) -> PathBuf {
    mount.join(group.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::cgroup::fake::{Fake, Kind};

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

    #[test]
    fn each_controller_where_it_is_mounted() {
        let mut found = Hierarchies::parse(HYBRID);
        found.v2.as_mut().unwrap().1 = vec!["pids".to_owned(), "memory".to_owned()];
        assert_eq!(found.controller("cpu"), Some((Path::new("/sys/fs/cgroup/cpu,cpuacct"), false)));
        assert_eq!(found.controller("memory"), Some((Path::new("/sys/fs/cgroup/memory"), false)));
        assert_eq!(found.controller("pids"), Some((Path::new("/sys/fs/cgroup/unified"), true)));
        assert_eq!(found.controller("hugetlb"), None);
        assert_eq!(found.paths("/a/b").len(), 4);
        assert_eq!(found.v1_mounts(), ["/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/memory"].map(PathBuf::from));
        assert!(!found.unified());
    }

    #[test]
    fn groups_are_made_everywhere_and_delegated_in_v2() {
        let delegated = |fake: &Fake, path: &str| fake.read(&format!("{path}cgroup.subtree_control"));
        let v2 = Fake::new(Kind::V2);
        v2.hierarchies.create("/pod", true).unwrap();
        // A file of a fake keeps the last word only.
        assert_eq!((delegated(&v2, "").as_str(), delegated(&v2, "pod/").as_str()), ("+pids", "+pids"));
        v2.hierarchies.create("/pod/leaf", false).unwrap();
        assert!(!v2.files().iter().any(|(name, _)| name == "pod/leaf/cgroup.subtree_control"), "it takes processes");
        let v1 = Fake::new(Kind::V1);
        v1.hierarchies.create("/pod", true).unwrap();
        assert_eq!(
            (v1.read("cpuset/pod/cpuset.cpus"), v1.read("cpuset/pod/cpuset.mems")),
            ("0-1\n".into(), "0\n".into())
        );
        assert!(!v1.files().iter().any(|(name, _)| name.ends_with("subtree_control")));
        let hybrid = Fake::new(Kind::Hybrid);
        hybrid.hierarchies.create("/pod", true).unwrap();
        hybrid.hierarchies.enter("/pod", 77).unwrap();
        for mount in ["cpu", "cpuset", "unified"] {
            assert_eq!(hybrid.read(&format!("{mount}/pod/cgroup.procs")), "77", "{mount}");
        }
    }

    #[test]
    fn controllers_apart_from_the_others_are_named() {
        let apart = |kind| Fake::new(kind).hierarchies.out_of_reach(&["memory", "cpu", "pids"]);
        assert_eq!(apart(Kind::Hybrid), ["memory", "pids"]);
        assert_eq!((apart(Kind::V1), apart(Kind::V2)), (Vec::new(), Vec::new()));
    }

    #[test]
    fn v2_alone() {
        let found =
            Hierarchies::parse("30 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
        assert!(found.unified());
        assert_eq!(found.paths("/x"), [PathBuf::from("/sys/fs/cgroup/x")]);
    }
}
