//! A master's disk is slow, full, read-only, hangs, or fails.

use super::{Fault, touch};
use crate::lab::{Lab, run, try_run};
use crate::record::Touch;
use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Limits by device: the journal's thread, which writes most, is in the root group.
const THROTTLE: &str = "/sys/fs/cgroup/blkio/blkio.throttle.write_iops_device";

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
        anyhow::ensure!(Path::new(THROTTLE).exists(), "{THROTTLE} is missing: slow disks need blkio of cgroup v1");
        std::fs::write(THROTTLE, format!("{} {iops}", number.trim())).context(THROTTLE)
    }

    fn ballast(&self, lab: &Lab) -> PathBuf {
        lab.disks.mount_point(&self.host).join("ballast")
    }

    /// As an administrator would: end the process, mount the disk anew, start it.
    fn mount_again(&self, lab: &Lab) -> Result<()> {
        lab.signal(&self.host, Signal::SIGKILL)?;
        lab.host("kill", &self.host)?;
        lab.disks.unmount(&self.host)?;
        lab.disks.mount(&self.host)?;
        lab.start(&self.host)
    }
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
        touch(&[&self.host])
    }

    fn inject(&mut self, lab: &Lab) -> Result<()> {
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
                lab.start(&self.host)
            }
            What::ReadOnly | What::Failed => self.mount_again(lab),
        }
    }
}
