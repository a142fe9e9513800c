//! Hosts lose their power: everything on them is gone, and their disks forget what was not synced.

use super::{Fault, on_disk, touch};
use crate::lab::{Lab, Part};
use crate::record::Touch;
use anyhow::{Context, Result};
use std::collections::BTreeSet;

/// See the module.
pub struct PowerCut {
    hosts: Vec<String>,
    done: bool,
}

impl PowerCut {
    pub(super) fn of(hosts: Vec<String>) -> Self {
        Self { hosts, done: false }
    }
}

impl Fault for PowerCut {
    fn describe(&self) -> String {
        format!("power cut of {}, unsynced writes lost", self.hosts.join(", "))
    }

    fn touch(&self) -> Touch {
        touch(&self.hosts.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn parts(&self) -> BTreeSet<(String, Part)> {
        Part::of(&self.hosts, &Part::ALL)
    }

    fn inject(&mut self, lab: &Lab) -> Result<()> {
        self.hosts.iter().try_for_each(|host| on_disk(lab, host))?;
        self.done = true;
        // The disks first, and all at the same moment: from here on nothing more is kept.
        for host in &self.hosts {
            lab.disks.go_down(host).with_context(|| format!("power cut of {host}"))?;
        }
        self.hosts.iter().try_for_each(|host| lab.host("kill", host))
    }

    fn heal(&mut self, lab: &Lab) -> Result<()> {
        if !self.done {
            return Ok(());
        }
        for host in &self.hosts {
            lab.disks.unmount(host).with_context(|| format!("unmount the disk of {host}"))?;
            lab.disks.mount(host).with_context(|| format!("mount the disk of {host} again"))?;
        }
        self.hosts.iter().try_for_each(|host| lab.start(host))
    }
}
