//! A host's link loses packets, doubles them, or carries little.

use super::{Fault, touch};
use crate::lab::{Lab, Part, run, try_run};
use crate::record::Touch;
use anyhow::Result;
use std::collections::BTreeSet;

/// See the module.
pub enum What {
    /// So many of a hundred packets from the host are lost.
    Loss(u32),
    /// So many to it come twice.
    Duplicate(u32),
    /// It hears so many kbit a second.
    Rate(u32),
}

/// See the module.
pub struct Link {
    pub(super) host: String,
    pub(super) what: What,
}

impl Fault for Link {
    fn describe(&self) -> String {
        match self.what {
            What::Loss(percent) => format!("{percent} % of the packets from {} lost", self.host),
            What::Duplicate(percent) => format!("{percent} % of the packets to {} doubled", self.host),
            What::Rate(kbit) => format!("link to {} carries {kbit} kbit/s", self.host),
        }
    }

    fn touch(&self) -> Touch {
        Touch { slow: !matches!(self.what, What::Duplicate(_)), ..touch(&[&self.host]) }
    }

    fn parts(&self) -> BTreeSet<(String, Part)> {
        Part::of(&[&self.host], &[Part::Link])
    }

    fn inject(&mut self, lab: &Lab) -> Result<()> {
        match self.what {
            What::Loss(percent) => lab.rules.lose(&self.host, percent),
            What::Duplicate(percent) => lab.rules.double(&self.host, percent),
            What::Rate(kbit) => {
                let (link, rate) = (lab.rules.link(&self.host), format!("{kbit}kbit"));
                let queue = ["tbf", "rate", &rate, "burst", "16k", "latency", "2s"];
                run("tc", &[&["qdisc", "replace", "dev", &link, "root"][..], &queue].concat()).map(drop)
            }
        }
    }

    fn heal(&mut self, lab: &Lab) -> Result<()> {
        match self.what {
            What::Loss(_) => lab.rules.clear(&self.host, "loss"),
            What::Duplicate(_) => lab.rules.clear(&self.host, "double"),
            What::Rate(_) => try_run("tc", &["qdisc", "del", "dev", &lab.rules.link(&self.host), "root"]),
        }
        Ok(())
    }
}
