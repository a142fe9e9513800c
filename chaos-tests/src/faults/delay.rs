//! Everything that a host says and hears is late: a relay of our own stands between its link and the bridge.

use super::relay::Relay;
use super::{Fault, touch};
use crate::lab::{Lab, Part, run, try_run};
use crate::record::Touch;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::time::Duration;

/// See the module.
pub struct Delay {
    host: String,
    by: Duration,
    relay: Option<Relay>,
}

impl Delay {
    pub(super) fn new(host: String, by: Duration) -> Self {
        Self { host, by, relay: None }
    }

    /// The relay's end, and its peer in the bridge.
    fn pair(&self, lab: &Lab) -> (String, String) {
        let link = lab.rules.link(&self.host);
        (format!("{link}a"), format!("{link}b"))
    }

    fn offloads(&self, lab: &Lab, word: &str) -> Result<()> {
        // A frame on a packet socket must be whole: its sum computed, and no longer than the link carries.
        let inside = lab.rules.link(&self.host);
        let off = ["tx", word, "tso", word, "gso", word];
        let host = [&["netns", "exec", &inside, "ethtool", "-K", "eth0"][..], &off].concat();
        run("ip", &host).map(drop)
    }
}

impl Fault for Delay {
    fn describe(&self) -> String {
        format!("everything to and from {} {} ms late", self.host, self.by.as_millis())
    }

    fn touch(&self) -> Touch {
        Touch { slow: true, ..touch(&[&self.host]) }
    }

    fn parts(&self) -> BTreeSet<(String, Part)> {
        Part::of(&[&self.host], &[Part::Link])
    }

    fn inject(&mut self, lab: &Lab) -> Result<()> {
        let (link, bridge) = (lab.rules.link(&self.host), format!("{}-br", lab.cluster.name));
        let (near, far) = self.pair(lab);
        self.offloads(lab, "off").context("offloads")?;
        run("ip", &["link", "add", &near, "type", "veth", "peer", "name", &far])?;
        run("ethtool", &["-K", &far, "tx", "off", "tso", "off", "gso", "off"])?;
        run("ip", &["link", "set", &far, "master", &bridge, "up"])?;
        run("ip", &["link", "set", &near, "arp", "off", "promisc", "on", "up"])?;
        run("ip", &["link", "set", &link, "nomaster", "arp", "off", "promisc", "on"])?;
        self.relay = Some(Relay::between(&link, &near, self.by / 2)?);
        Ok(())
    }

    fn heal(&mut self, lab: &Lab) -> Result<()> {
        let (link, bridge) = (lab.rules.link(&self.host), format!("{}-br", lab.cluster.name));
        self.relay = None;
        try_run("ip", &["link", "del", &self.pair(lab).0]);
        // A host that was lost meanwhile has a new link, in the bridge already.
        try_run("ethtool", &["-K", &link, "tx", "on"]);
        run("ip", &["link", "set", &link, "arp", "on", "promisc", "off", "master", &bridge])?;
        self.offloads(lab, "on").context("offloads")
    }
}
