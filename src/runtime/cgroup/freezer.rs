//! Freezing a group with all below it: the `freezer` controller (v1) or `cgroup.freeze` (v2).

use crate::cgroup::Hierarchies;
use crate::cgroup::mounts::below;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Processes leave the kernel and stop in less, unless a device holds them.
const PATIENCE: Duration = Duration::from_secs(1);

/// The freezer of one group.
#[derive(Debug, Clone)]
pub(crate) struct Freezer {
    group: PathBuf,
    v2: bool,
}

impl Freezer {
    /// Where the machine has one: the v1 controller first, for there are the processes of a hybrid machine.
    pub(crate) fn of(hierarchies: &Hierarchies, group: &str) -> Option<Self> {
        let (mount, v2) = match hierarchies.controller("freezer") {
            Some((mount, v2)) => (mount, v2),
            None => (hierarchies.v2_mount()?, true),
        };
        Some(Self { group: below(mount, group), v2 })
    }

    fn set(&self, frozen: bool) -> io::Result<()> {
        let (file, word) = match (self.v2, frozen) {
            (true, true) => ("cgroup.freeze", "1"),
            (true, false) => ("cgroup.freeze", "0"),
            (false, true) => ("freezer.state", "FROZEN"),
            (false, false) => ("freezer.state", "THAWED"),
        };
        let path = self.group.join(file);
        fs::write(&path, word).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }

    /// Everything in the group stops where it is, and what comes into it too. Does not wait for the last of them.
    pub(crate) fn freeze(&self) -> io::Result<()> {
        self.set(true)
    }

    /// Freezes, and waits until nothing runs any more.
    pub(crate) fn freeze_and_wait(&self) -> io::Result<()> {
        self.freeze()?;
        let deadline = Instant::now() + PATIENCE;
        while !self.is_still() {
            if Instant::now() > deadline {
                return Err(io::Error::other(format!("{}: a process does not freeze", self.group.display())));
            }
            // The kernel tells of it by no event that both versions have.
            std::thread::sleep(Duration::from_millis(1));
            self.freeze()?;
        }
        Ok(())
    }

    /// The group is there.
    pub(crate) fn exists(&self) -> bool {
        self.group.exists()
    }

    /// Everything in the group goes on.
    pub(crate) fn thaw(&self) -> io::Result<()> {
        self.set(false)
    }

    /// It is frozen, or on its way.
    pub(crate) fn is_frozen(&self) -> bool {
        let (file, thawed) = if self.v2 { ("cgroup.freeze", "0") } else { ("freezer.state", "THAWED") };
        fs::read_to_string(self.group.join(file)).is_ok_and(|text| text.trim() != thawed)
    }

    /// Nothing in it runs any more.
    fn is_still(&self) -> bool {
        let file = if self.v2 { "cgroup.events" } else { "freezer.state" };
        let text = fs::read_to_string(self.group.join(file)).unwrap_or_default();
        if self.v2 { text.lines().any(|line| line == "frozen 1") } else { text.trim() == "FROZEN" }
    }
}

/// Thaws a group's own directory, if it was frozen itself.
pub(super) fn thaw_if_frozen(group: &Path) {
    for (state, file, frozen, word) in
        [("freezer.self_freezing", "freezer.state", "1", "THAWED"), ("cgroup.freeze", "cgroup.freeze", "1", "0")]
    {
        if fs::read_to_string(group.join(state)).is_ok_and(|text| text.trim() == frozen) {
            let _ = fs::write(group.join(file), word);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::process::{Child, Command};

    /// A group of this machine with a process in it, as root; leaves nothing.
    struct Group(Freezer, Child);

    impl Group {
        fn new(mount: &Path, v2: bool) -> Self {
            let group = mount.join(format!("raftsman-freezer-{}-{v2}", std::process::id()));
            fs::create_dir(&group).unwrap();
            let child = Command::new("sh").args(["-c", "while :; do sleep 0.01; done"]).spawn().unwrap();
            fs::write(group.join("cgroup.procs"), child.id().to_string()).unwrap();
            Self(Freezer { group, v2 }, child)
        }
    }

    impl Drop for Group {
        fn drop(&mut self) {
            let _ = self.1.kill();
            let _ = self.0.thaw();
            let _ = self.1.wait();
            while fs::read_to_string(self.0.group.join("cgroup.procs")).is_ok_and(|text| !text.is_empty()) {
                std::thread::yield_now();
            }
            let removed = fs::remove_dir(&self.0.group);
            if !std::thread::panicking() {
                removed.unwrap();
            }
        }
    }

    #[test]
    fn both_versions_freeze_thaw_and_let_the_frozen_die() {
        let here = Hierarchies::detect().unwrap();
        let v1 = here.controller("freezer").map(|(mount, _)| (mount.to_owned(), false));
        let v2 = here.v2_mount().map(|mount| (mount.to_owned(), true));
        for (mount, v2) in v1.into_iter().chain(v2) {
            let mut group = Group::new(&mount, v2);
            let freezer = group.0.clone();
            assert!(freezer.exists() && !freezer.is_frozen());
            freezer.freeze_and_wait().unwrap();
            assert!(freezer.is_frozen());
            freezer.thaw().unwrap();
            assert!(!freezer.is_frozen());
            freezer.freeze_and_wait().unwrap();
            group.1.kill().unwrap();
            thaw_if_frozen(&freezer.group);
            group.1.wait().unwrap();
            assert!(!freezer.is_frozen());
        }
    }
}
