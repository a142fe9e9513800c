//! A host's disk is slow, full, read-only, hangs, or fails.

use super::{Fault, on_disk, touch};
use crate::lab::{Lab, Part, run, try_run};
use crate::record::Touch;
use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

/// cgroup v1, limits by device: the journal's thread, which writes most, is in the root group.
const THROTTLE: &str = "/sys/fs/cgroup/blkio/blkio.throttle.write_iops_device";
/// cgroup v2 has no limits in the root group. A host's own group has: what its process writes and syncs is limited, and so
/// is, on ext4, what the journal writes in its name.
const V2: &str = "/sys/fs/cgroup";

/// See the module.
pub enum What {
    /// So many writes a second.
    Slow(u32),
    /// Nothing fits.
    Full,
    /// An error was found, and it remounted itself.
    ReadOnly,
    /// Writes wait until it is thawed.
    Hung,
    /// Every call fails.
    Failed,
}

/// See the module.
pub struct Disk {
    host: String,
    what: What,
    done: bool,
}

impl Disk {
    pub(super) fn new(host: String, what: What) -> Self {
        Self { host, what, done: false }
    }

    fn throttle(&self, lab: &Lab, iops: u32) -> Result<()> {
        let device = lab.disks.device(&self.host)?;
        let number = std::fs::read_to_string(format!("/sys/block/{device}/dev"))?;
        if Path::new(THROTTLE).exists() {
            return std::fs::write(THROTTLE, format!("{} {iops}", number.trim())).context(THROTTLE);
        }
        let group = Path::new("raftsman").join(&lab.cluster.name).join(&self.host);
        // The controller is passed on from group to group.
        let mut above = PathBuf::from(V2);
        for name in std::iter::once(std::ffi::OsStr::new("")).chain(group.iter()) {
            above.push(name);
            std::fs::write(above.join("cgroup.subtree_control"), "+io")
                .with_context(|| format!("the io controller of {}", above.display()))?;
        }
        let file = Path::new(V2).join(&group).join("host").join("io.max");
        std::fs::write(&file, io_max(number.trim(), iops)).with_context(|| file.display().to_string())
    }

    fn ballast(&self, lab: &Lab) -> PathBuf {
        lab.disks.mount_point(&self.host).join("ballast")
    }

    /// As an administrator would: end the process, mount the disk anew, start it.
    fn mount_again(&self, lab: &Lab) -> Result<()> {
        lab.signal(&self.host, Signal::SIGKILL)?;
        lab.await_end(&self.host)?;
        lab.host("kill", &self.host)?;
        lab.disks.unmount(&self.host)?;
        lab.disks.mount(&self.host)?;
        lab.start(&self.host)
    }
}

/// A line of `io.max`; zero is no limit.
fn io_max(device: &str, iops: u32) -> String {
    let limit = if iops == 0 { "max".to_owned() } else { iops.to_string() };
    format!("{device} wiops={limit}")
}

impl Fault for Disk {
    fn describe(&self) -> String {
        let what = match self.what {
            What::Slow(iops) => format!("slow: {iops} writes/s"),
            What::Full => "full".to_owned(),
            What::ReadOnly => "read-only".to_owned(),
            What::Hung => "hanging".to_owned(),
            What::Failed => "failing (EIO)".to_owned(),
        };
        format!("disk of {} {what}", self.host)
    }

    fn touch(&self) -> Touch {
        Touch { slow: matches!(self.what, What::Slow(_)), ..touch(&[&self.host]) }
    }

    fn parts(&self) -> BTreeSet<(String, Part)> {
        let parts: &[Part] = match self.what {
            What::Slow(_) | What::Full => &[Part::Disk],
            // Its pods go with it.
            _ if self.host.starts_with('n') => &Part::ALL,
            // The process is started again, or waits in the kernel and cannot even die.
            What::ReadOnly | What::Hung | What::Failed => &[Part::Disk, Part::Process],
        };
        Part::of(&[&self.host], parts)
    }

    fn inject(&mut self, lab: &Lab) -> Result<()> {
        on_disk(lab, &self.host)?;
        self.done = true;
        match self.what {
            What::Slow(iops) => self.throttle(lab, iops),
            What::Full => {
                let room = run("stat", &["-f", "-c", "%a %S", &lab.disks.mount_point(&self.host).to_string_lossy()])?;
                let mut numbers = room.split_whitespace().filter_map(|word| word.parse::<u64>().ok());
                let bytes = numbers.next().unwrap_or(0) * numbers.next().unwrap_or(0);
                // Most of it at once; the rest, which also holds what describes the file, until nothing fits.
                let most = bytes / 100 * 98;
                run("fallocate", &["-l", &most.to_string(), &self.ballast(lab).to_string_lossy()])?;
                let mut file = std::fs::OpenOptions::new().append(true).open(self.ballast(lab))?;
                for block in [1 << 16, 1 << 12] {
                    let zeroes = vec![0; block];
                    while file.write_all(&zeroes).is_ok() {}
                }
                Ok(())
            }
            What::ReadOnly => lab.disks.stumble(&self.host),
            What::Hung => run("fsfreeze", &["-f", &lab.disks.mount_point(&self.host).to_string_lossy()]).map(drop),
            What::Failed => lab.disks.go_down(&self.host),
        }
    }

    fn heal(&mut self, lab: &Lab) -> Result<()> {
        if !self.done {
            return Ok(());
        }
        match self.what {
            What::Slow(_) => {
                self.throttle(lab, 0)?;
                lab.start(&self.host)
            }
            What::Full => {
                std::fs::remove_file(self.ballast(lab)).context("ballast")?;
                // It may have ended: a full disk is reason enough.
                lab.start(&self.host)
            }
            What::Hung => {
                try_run("fsfreeze", &["-u", &lab.disks.mount_point(&self.host).to_string_lossy()]);
                if lab.dying(&self.host) {
                    // It was killed and could not die: only now it does, and a start would take it for running.
                    lab.await_end(&self.host)?;
                }
                lab.start(&self.host)
            }
            What::ReadOnly | What::Failed => self.mount_again(lab),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_set_and_lifted_in_the_words_of_cgroup_v2() {
        assert_eq!((io_max("7:3", 15), io_max("7:3", 0)), ("7:3 wiops=15".to_owned(), "7:3 wiops=max".to_owned()));
    }

    #[test]
    fn who_starts_a_process_again_has_it_in_hand() {
        let parts = |what| Disk::new("m1".to_owned(), what).parts();
        assert!(parts(What::Hung).contains(&("m1".to_owned(), Part::Process)));
        assert!(!parts(What::Full).contains(&("m1".to_owned(), Part::Process)));
        let node = Disk::new("n1".to_owned(), What::ReadOnly).parts();
        assert!(node.contains(&("n1".to_owned(), Part::Pods)), "a node is ended with all its pods");
    }
}
