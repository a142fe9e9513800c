//! A whole host is gone, or off the network.

use super::{Fault, touch};
use crate::lab::{Lab, Part};
use crate::record::Touch;
use anyhow::Result;
use std::collections::BTreeSet;

/// Everything on the host is killed and its network is gone; its disk stays.
pub struct HostLoss {
    pub(super) host: String,
}

impl Fault for HostLoss {
    fn describe(&self) -> String {
        format!("host {} lost with everything on it", self.host)
    }

    fn touch(&self) -> Touch {
        touch(&[&self.host])
    }

    fn parts(&self) -> BTreeSet<(String, Part)> {
        Part::of(&[&self.host], &Part::ALL)
    }

    fn inject(&mut self, lab: &Lab) -> Result<()> {
        lab.host("kill", &self.host)
    }

    fn heal(&mut self, lab: &Lab) -> Result<()> {
        lab.start(&self.host)
    }
}

/// Its link is down; everything on it runs on.
pub struct Unplug {
    pub(super) host: String,
}

impl Fault for Unplug {
    fn describe(&self) -> String {
        format!("host {} off the network", self.host)
    }

    fn touch(&self) -> Touch {
        touch(&[&self.host])
    }

    fn parts(&self) -> BTreeSet<(String, Part)> {
        Part::of(&[&self.host], &[Part::Link])
    }

    fn inject(&mut self, lab: &Lab) -> Result<()> {
        lab.host("cut", &self.host)
    }

    fn heal(&mut self, lab: &Lab) -> Result<()> {
        lab.host("heal", &self.host)
    }
}
