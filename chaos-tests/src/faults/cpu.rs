//! A host's own process gets next to no processor time.

use super::{Fault, NothingToHit, touch_process};
use crate::lab::{Lab, Part};
use crate::record::Touch;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Microseconds.
const PERIOD: u32 = 100_000;

/// See the module.
pub struct Starve {
    pub(super) host: String,
    pub(super) percent: u32,
}

/// The group that limits: on a machine with cgroup v1 one of ours beside the pods' groups, else the process's own.
enum Group {
    V1(PathBuf),
    V2(PathBuf),
}

impl Starve {
    fn group(&self, lab: &Lab) -> Group {
        let below = Path::new("raftsman").join(&lab.cluster.name).join(&self.host);
        let v1 = Path::new("/sys/fs/cgroup/cpu");
        if v1.join("tasks").exists() {
            Group::V1(v1.join(below).join("starved"))
        } else {
            Group::V2(Path::new("/sys/fs/cgroup").join(below).join("host"))
        }
    }
}

impl Fault for Starve {
    fn describe(&self) -> String {
        format!("process of {} on {} % of a processor", self.host, self.percent)
    }

    fn touch(&self) -> Touch {
        Touch { slow: true, ..touch_process(&self.host) }
    }

    fn parts(&self) -> BTreeSet<(String, Part)> {
        Part::of(&[&self.host], &[Part::Process])
    }

    fn inject(&mut self, lab: &Lab) -> Result<()> {
        let pid = lab.pid(&self.host).ok_or_else(|| NothingToHit(format!("{} does not run", self.host)))?;
        let quota = PERIOD / 100 * self.percent;
        match self.group(lab) {
            Group::V1(dir) => {
                std::fs::create_dir_all(&dir)?;
                std::fs::write(dir.join("cpu.cfs_period_us"), PERIOD.to_string())?;
                std::fs::write(dir.join("cpu.cfs_quota_us"), quota.to_string())?;
                std::fs::write(dir.join("cgroup.procs"), pid.to_string()).context("move the process")
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
            Group::V1(dir) if dir.exists() => {
                std::fs::write(dir.join("cpu.cfs_quota_us"), "-1")?;
                if let Some(pid) = lab.pid(&self.host) {
                    std::fs::write("/sys/fs/cgroup/cpu/cgroup.procs", pid.to_string()).context("move the process")?;
                }
                // Its members have left a moment ago; if it stays, `down` removes it.
                let _ = std::fs::remove_dir(dir);
                Ok(())
            }
            Group::V2(dir) if dir.exists() => {
                std::fs::write(dir.join("cpu.max"), format!("max {PERIOD}")).context("cpu.max")
            }
            _ => Ok(()),
        }
    }
}
