//! All hosts are started again, one after the other, as for an upgrade.

use super::Fault;
use super::members::WAIT;
use crate::lab::{Lab, Part};
use crate::record::Touch;
use anyhow::Result;
use std::collections::BTreeSet;
use std::time::Duration;

const HOSTS: [&str; 6] = ["m1", "m2", "m3", "n1", "n2", "n3"];

/// Nothing may fail meanwhile, but requests to the one master that is away and names on the one node whose agent is.
pub struct RollingRestart;

impl Fault for RollingRestart {
    fn describe(&self) -> String {
        "rolling restart of all hosts".to_owned()
    }

    fn touch(&self) -> Touch {
        let hosts = HOSTS.map(str::to_owned).into();
        Touch { hosts, names: true, ..Touch::default() }
    }

    fn parts(&self) -> BTreeSet<(String, Part)> {
        // It promises something only while everybody else is well.
        Part::of(&HOSTS, &Part::ALL)
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
        lab.raftsman(&format!("host restart --all --name {}", lab.cluster.name)).map(drop)
    }

    fn heal(&mut self, _: &Lab) -> Result<()> {
        Ok(())
    }
}
