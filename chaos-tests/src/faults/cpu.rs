//! A host gets next to no processor time: its own process, or everything on it.

use super::{Fault, NothingToHit, touch, touch_process};
use crate::lab::{Lab, Part};
use crate::record::Touch;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Microseconds.
const PERIOD: u32 = 100_000;
const V1: &str = "/sys/fs/cgroup/cpu";

/// See the module.
pub struct Starve {
    host: String,
    percent: u32,
    /// Its pods and their supervisors, too.
    whole: bool,
}

/// The group that limits. On a machine with cgroup v1 those that are to be limited and have no group of their own are put
/// into one of ours, which is the last to be named.
enum Group {
    V1(PathBuf, PathBuf),
    V2(PathBuf),
}

impl Starve {
    pub(super) fn process(host: String, percent: u32) -> Self {
        Self { host, percent, whole: false }
    }

    pub(super) fn host(host: String, percent: u32) -> Self {
        Self { host, percent, whole: true }
    }

    fn group(&self, lab: &Lab) -> Group {
        let below = Path::new("raftsman").join(&lab.cluster.name).join(&self.host);
        if Path::new(V1).join("tasks").exists() {
            let (host, ours) = (Path::new(V1).join(&below), Path::new(V1).join(&below).join("starved"));
            Group::V1(if self.whole { host } else { ours.clone() }, ours)
        } else {
            let host = Path::new("/sys/fs/cgroup").join(below);
            Group::V2(if self.whole { host } else { host.join("host") })
        }
    }

    /// Those that have no group of their own among the pods'.
    fn pids(&self, lab: &Lab, own: i32) -> Vec<i32> {
        let beside = if self.whole { lab.supervisors(&self.host) } else { Default::default() };
        [own].into_iter().chain(beside.0).chain(beside.1).collect()
    }
}

/// One that has just ended is nobody's loss.
fn join(group: &Path, pid: i32) -> Result<()> {
    match std::fs::write(group.join("cgroup.procs"), pid.to_string()) {
        Err(error) if error.raw_os_error() != Some(nix::libc::ESRCH) => {
            Err(error).with_context(|| format!("move process {pid} to {}", group.display()))
        }
        _ => Ok(()),
    }
}

impl Fault for Starve {
    fn describe(&self) -> String {
        let what = if self.whole { "everything on" } else { "process of" };
        format!("{what} {} on {} % of a processor", self.host, self.percent)
    }

    fn touch(&self) -> Touch {
        let own = if self.whole { touch(&[&self.host]) } else { touch_process(&self.host) };
        Touch { slow: true, ..own }
    }

    fn parts(&self) -> BTreeSet<(String, Part)> {
        let parts: &[Part] = if self.whole { &[Part::Process, Part::Pods] } else { &[Part::Process] };
        Part::of(&[&self.host], parts)
    }

    fn inject(&mut self, lab: &Lab) -> Result<()> {
        let pid = lab.pid(&self.host).ok_or_else(|| NothingToHit(format!("{} does not run", self.host)))?;
        let quota = PERIOD / 100 * self.percent;
        match self.group(lab) {
            Group::V1(dir, ours) => {
                std::fs::create_dir_all(&ours)?;
                std::fs::write(dir.join("cpu.cfs_period_us"), PERIOD.to_string())?;
                std::fs::write(dir.join("cpu.cfs_quota_us"), quota.to_string())?;
                self.pids(lab, pid).into_iter().try_for_each(|pid| join(&ours, pid))
            }
            Group::V2(dir) => {
                let file = dir.join("cpu.max");
                std::fs::write(&file, format!("{quota} {PERIOD}"))
                    .with_context(|| format!("{}: is the cpu controller on for it?", file.display()))
            }
        }
    }

    fn heal(&mut self, lab: &Lab) -> Result<()> {
        match self.group(lab) {
            Group::V1(dir, ours) if ours.exists() => {
                std::fs::write(dir.join("cpu.cfs_quota_us"), "-1")?;
                // Those that were put there, and what they have started since.
                let all = std::fs::read_to_string(ours.join("cgroup.procs"))?;
                all.lines().filter_map(|line| line.parse().ok()).try_for_each(|pid| join(Path::new(V1), pid))?;
                // Its members have left a moment ago; if it stays, `down` removes it.
                let _ = std::fs::remove_dir(ours);
                Ok(())
            }
            Group::V2(dir) if dir.exists() => {
                std::fs::write(dir.join("cpu.max"), format!("max {PERIOD}")).context("cpu.max")
            }
            _ => Ok(()),
        }
    }
}
