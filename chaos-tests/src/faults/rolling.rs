//! All hosts are started again, one after the other, as for an upgrade.

use super::Fault;
use crate::lab::Lab;
use crate::record::Touch;
use anyhow::Result;

/// Nothing may fail meanwhile, but requests to the one master that is away and names on the one node whose agent is.
pub struct RollingRestart;

impl Fault for RollingRestart {
    fn describe(&self) -> String {
        "rolling restart of all hosts".to_owned()
    }

    fn touch(&self) -> Touch {
        let hosts = ["m1", "m2", "m3", "n1", "n2", "n3"].map(str::to_owned).into();
        Touch { hosts, names: true, ..Touch::default() }
    }

    fn inject(&mut self, lab: &Lab) -> Result<()> {
        lab.raftsman(&format!("host restart --all --name {}", lab.cluster.name)).map(drop)
    }

    fn heal(&mut self, _: &Lab) -> Result<()> {
        Ok(())
    }
}
