//! What a backup says about itself.

use raftsman_state::View;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A member of the cluster at the time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberNote {
    /// Member id.
    pub id: u64,
    /// Host name.
    pub name: String,
    /// `host:port` of its peer service.
    pub address: String,
    /// It voted.
    pub voter: bool,
}

/// The first block.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The cluster's name.
    pub cluster: String,
    /// The cluster's id.
    pub cluster_id: String,
    /// The revision that it shows.
    pub revision: u64,
    /// Which life of the cluster it was made in ([`View::epoch`]).
    pub epoch: u64,
    /// When it was made, in seconds since 1970.
    pub time: u64,
    /// The master that made it.
    pub master: String,
    /// raftsman's version there.
    pub program: String,
    /// The members.
    pub members: Vec<MemberNote>,
    /// The cluster's network settings as JSON (`NetworkConfig`); empty if unknown.
    pub network: String,
    /// Objects by resource.
    pub counts: BTreeMap<String, u64>,
    /// Names of the keys and certificates in it.
    pub keys: Vec<String>,
}

impl Manifest {
    /// Takes over what a view knows: revision, epoch and counts.
    pub fn describe(&mut self, view: &View) {
        self.revision = view.revision();
        self.epoch = view.epoch();
        let held = view.tables().filter(|(_, table)| !table.is_empty());
        self.counts = held.map(|(resource, table)| (resource.as_str().to_owned(), table.len() as u64)).collect();
    }

    /// All objects.
    pub fn objects(&self) -> u64 {
        self.counts.values().sum()
    }
}
