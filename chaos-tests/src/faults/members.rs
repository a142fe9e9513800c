//! Masters and nodes come and go, and leadership is handed over.

use super::{Fault, touch};
use crate::lab::{Lab, Part};
use crate::record::Touch;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::time::Duration;

/// Longer than most other faults last.
pub(super) const WAIT: Duration = Duration::from_secs(40);

/// Leadership goes to a master.
pub struct Transfer {
    pub(super) to: String,
}

impl Fault for Transfer {
    fn describe(&self) -> String {
        format!("leadership handed to {}", self.to)
    }

    fn touch(&self) -> Touch {
        // A handover loses nothing, and a request waits for its end.
        Touch::default()
    }

    fn parts(&self) -> BTreeSet<(String, Part)> {
        // Who is down or away cannot take over.
        Part::of(&[&self.to], &[Part::Process, Part::Link])
    }

    fn lasts(&self) -> bool {
        false
    }

    fn asks(&self) -> bool {
        true
    }

    fn inject(&mut self, lab: &Lab) -> Result<()> {
        lab.cluster.raftsman(&format!("members transfer {}", self.to))?.ok().map(drop)
    }

    fn heal(&mut self, _: &Lab) -> Result<()> {
        Ok(())
    }
}

/// A host that joins, and leaves again.
pub struct Added {
    node: bool,
    host: Option<String>,
}

impl Added {
    pub(super) fn master() -> Self {
        Self { node: false, host: None }
    }

    pub(super) fn node() -> Self {
        Self { node: true, host: None }
    }
}

fn hosts(lab: &Lab) -> Result<BTreeSet<String>> {
    let plan = raftsman_local::command::members::read(&lab.cluster.dir())?.context("no cluster")?;
    Ok(plan.hosts.into_iter().map(|host| host.name).collect())
}

impl Fault for Added {
    fn describe(&self) -> String {
        format!("a {} joins, and leaves again", if self.node { "node" } else { "master" })
    }

    fn touch(&self) -> Touch {
        // It is taken away as it is: what runs on it is lost.
        Touch { api: !self.node, pods: self.node, ..Touch::default() }
    }

    fn parts(&self) -> BTreeSet<(String, Part)> {
        // Nobody else knows it.
        BTreeSet::new()
    }

    fn asks(&self) -> bool {
        true
    }

    fn inject(&mut self, lab: &Lab) -> Result<()> {
        let before = hosts(lab)?;
        let more = if self.node { " --node" } else { "" };
        let added = lab.raftsman(&format!("host add --name {}{more}", lab.cluster.name));
        self.host = hosts(lab)?.difference(&before).next().cloned();
        added.map(drop)
    }

    fn heal(&mut self, lab: &Lab) -> Result<()> {
        let Some(host) = &self.host else { return Ok(()) };
        lab.raftsman(&format!("host remove --name {} {host}", lab.cluster.name))?;
        self.host = None;
        Ok(())
    }
}

/// A master's machine is lost for good, and an empty one takes its place.
pub struct Replaced {
    host: String,
    /// The old one is gone, and the new one not yet there.
    lost: bool,
}

impl Replaced {
    pub(super) fn new(host: String) -> Self {
        Self { host, lost: false }
    }

    fn replace(&mut self, lab: &Lab) -> Result<()> {
        lab.raftsman(&format!("host replace --name {} {}", lab.cluster.name, self.host))?;
        self.lost = false;
        Ok(())
    }
}

impl Fault for Replaced {
    fn describe(&self) -> String {
        format!("{} replaced by an empty host", self.host)
    }

    fn touch(&self) -> Touch {
        touch(&[&self.host])
    }

    fn parts(&self) -> BTreeSet<(String, Part)> {
        Part::of(&[&self.host], &Part::ALL)
    }

    fn patience(&self) -> Option<Duration> {
        Some(WAIT)
    }

    fn lasts(&self) -> bool {
        false
    }

    fn asks(&self) -> bool {
        true
    }

    fn inject(&mut self, lab: &Lab) -> Result<()> {
        lab.host("kill", &self.host)?;
        self.lost = true;
        self.replace(lab)
    }

    fn heal(&mut self, lab: &Lab) -> Result<()> {
        if self.lost { self.replace(lab) } else { Ok(()) }
    }
}
