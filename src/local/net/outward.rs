//! The hosts' way out: the machine forwards for them and lends them its address, as a router would.
//!
//! A firewall of the machine's that drops what is forwarded goes on doing so.

use crate::net::netfilter::{Message, ask, attribute, commit, nested, number, text};
use crate::plan::LocalCluster;
use anyhow::Context;
use ipnet::Ipv4Net;
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::path::{Path, PathBuf};

/// `NFT_MSG_*`.
const NEW_TABLE: u16 = 0;
const GET_TABLE: u16 = 1;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
/// `NLM_F_CREATE` and `NLM_F_APPEND`.
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;
const CHAIN: &str = "postrouting";
/// `NF_INET_POST_ROUTING` and the priority at which sources are translated.
const POSTROUTING: u32 = 4;
const SOURCES: u32 = 100;
/// `NFT_REG_1`, 16 bytes.
const REGISTER: u32 = 1;
/// Longest name of an interface, its zero counted.
const IFNAMSIZ: usize = 16;

/// The machine's side of it.
#[derive(Debug, Clone)]
pub struct Outward {
    forwarding: Forwarding,
}

impl Default for Outward {
    fn default() -> Self {
        let forwarding = Forwarding {
            setting: PathBuf::from("/proc/sys/net/ipv4/ip_forward"),
            users: PathBuf::from("/run/raftsman.forward"),
        };
        Self { forwarding }
    }
}

impl Outward {
    /// Opens the way of a cluster's hosts.
    pub fn open(&self, cluster: &LocalCluster) -> anyhow::Result<()> {
        self.forwarding.need(&cluster.name)?;
        commit(&masquerade(&table(&cluster.name), cluster.subnet, &cluster.bridge()))
            .with_context(|| format!("nf_tables table {}: let the hosts out", table(&cluster.name)))
    }

    /// It is open.
    pub fn is_open(&self, name: &str) -> bool {
        ask(&Message { kind: GET_TABLE, flags: 0, body: text(1, &table(name)) }).is_ok()
    }

    /// Closes it; what a kernel without nf_tables never had is closed.
    pub fn close(&self, name: &str) -> anyhow::Result<()> {
        let table = table(name);
        if self.is_open(name) {
            commit(&[Message { kind: DELETE_TABLE, flags: 0, body: text(1, &table) }])
                .with_context(|| format!("remove nf_tables table {table}"))?;
        }
        self.forwarding.release(name)
    }
}

fn table(name: &str) -> String {
    format!("raftsman-{name}")
}

/// `ip saddr SUBNET oifname != BRIDGE masquerade`, in a table that replaces what is there.
fn masquerade(table: &str, subnet: Ipv4Net, bridge: &str) -> Vec<Message> {
    let message =
        |kind, flags, rest: &[Vec<u8>]| Message { kind, flags, body: [text(1, table), rest.concat()].concat() };
    let expression = |name, data: &[Vec<u8>]| nested(1, &[text(1, name), nested(2, data)]);
    let value = |kind, bytes: &[u8]| nested(kind, &[attribute(1, bytes)]);
    let mut name = bridge.as_bytes().to_vec();
    name.resize(IFNAMSIZ, 0);
    // Header of the network; offset and length of the source address. Operator 0 is equal, 1 is not.
    let rule = [
        expression("payload", &[number(1, REGISTER), number(2, 1), number(3, 12), number(4, 4)]),
        expression(
            "bitwise",
            &[
                number(1, REGISTER),
                number(2, REGISTER),
                number(3, 4),
                value(4, &subnet.netmask().octets()),
                value(5, &[0; 4]),
            ],
        ),
        expression("cmp", &[number(1, REGISTER), number(2, 0), value(3, &subnet.network().octets())]),
        // `NFT_META_OIFNAME`.
        expression("meta", &[number(1, REGISTER), number(2, 7)]),
        expression("cmp", &[number(1, REGISTER), number(2, 1), value(3, &name)]),
        expression("masq", &[]),
    ];
    vec![
        message(NEW_TABLE, CREATE, &[]),
        message(DELETE_TABLE, 0, &[]),
        message(NEW_TABLE, CREATE, &[]),
        message(
            NEW_CHAIN,
            CREATE,
            &[text(3, CHAIN), nested(4, &[number(1, POSTROUTING), number(2, SOURCES)]), number(5, 1), text(7, "nat")],
        ),
        message(NEW_RULE, CREATE | APPEND, &[text(2, CHAIN), nested(4, &rule)]),
    ]
}

/// The machine's setting, on while a cluster needs it; if we turned it on, the last cluster turns it off.
#[derive(Debug, Clone)]
struct Forwarding {
    setting: PathBuf,
    /// One file per cluster; the directory is there only if we turned the setting on.
    users: PathBuf,
}

impl Forwarding {
    fn need(&self, name: &str) -> anyhow::Result<()> {
        let _lock = self.lock()?;
        let what = || format!("turn on {}", self.setting.display());
        let on = std::fs::read_to_string(&self.setting).with_context(what)?.trim() != "0";
        if on && !self.users.exists() {
            return Ok(());
        }
        // Before the setting: what is noted and not done does no harm.
        std::fs::create_dir_all(&self.users).with_context(what)?;
        File::create(self.users.join(name)).with_context(what)?;
        std::fs::write(&self.setting, "1").with_context(what)
    }

    fn release(&self, name: &str) -> anyhow::Result<()> {
        let _lock = self.lock()?;
        let what = || format!("turn off {}", self.setting.display());
        match std::fs::remove_file(self.users.join(name)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            done => done.with_context(what)?,
        }
        // Not empty: another cluster needs it.
        if std::fs::remove_dir(&self.users).is_ok() {
            std::fs::write(&self.setting, "0").with_context(what)?;
        }
        Ok(())
    }

    /// One command at a time, also of different clusters.
    fn lock(&self) -> anyhow::Result<Flock<File>> {
        let dir = self.users.parent().unwrap_or(Path::new("/"));
        let what = || format!("lock {}", dir.display());
        let file = File::open(dir).with_context(what)?;
        Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno).with_context(what)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn forwarding(dir: &Path, before: &str) -> Forwarding {
        let all = Forwarding { setting: dir.join("ip_forward"), users: dir.join("users") };
        std::fs::write(&all.setting, before).unwrap();
        all
    }

    #[test]
    fn the_last_cluster_puts_the_setting_back() {
        let dir = tempfile::tempdir().unwrap();
        let all = forwarding(dir.path(), "0\n");
        let is = || std::fs::read_to_string(&all.setting).unwrap();
        for name in ["a", "b", "a"] {
            all.need(name).unwrap();
            assert_eq!(is(), "1");
        }
        all.release("a").unwrap();
        all.release("a").unwrap();
        assert_eq!(is(), "1", "b is up");
        all.release("b").unwrap();
        assert_eq!(is(), "0");
        assert!(!all.users.exists());
    }

    #[test]
    fn what_was_on_stays_on() {
        let dir = tempfile::tempdir().unwrap();
        let all = forwarding(dir.path(), "1\n");
        all.need("a").unwrap();
        all.release("a").unwrap();
        assert_eq!(std::fs::read_to_string(&all.setting).unwrap(), "1\n");
    }
}
