//! What a member keeps outside of its data directory: that its cluster was formed, and of whom it consists.
//!
//! A host's configuration names the masters of its first start, and nobody rewrites it. A member whose disk is empty must not
//! take that for the cluster: the members may be others by now, and one that forms the cluster a second time acknowledges
//! writes beside those who hold the data. So each member writes down the newest members that it has heard of whenever they
//! change, beside its keys, where they outlive its data. A member that finds them there asks them, and forms nothing.

use crate::files::{Files, RealFiles};
use crate::member::{Core, Seen};
use crate::raft::types::Member;
use crate::rt;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// The file's name.
const FILE: &str = "masters.json";
const NEW: &str = "masters.json.new";

/// After a failed write.
const AGAIN: Duration = Duration::from_secs(5);

/// Where it is kept: a file `masters.json` in a directory of the host.
#[derive(Clone)]
pub struct Register(Arc<dyn Files>);

impl std::fmt::Debug for Register {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Register({})", self.file())
    }
}

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Kept {
    pub(crate) cluster_id: String,
    /// Of the data that the members hold; see [`crate::lineage`].
    pub(crate) lineage: u64,
    /// By id, then name.
    pub(crate) masters: Vec<Master>,
}

/// One of the members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Master {
    pub(crate) id: u64,
    pub(crate) name: String,
    /// Of its peer service.
    pub(crate) address: String,
    pub(crate) voter: bool,
}

impl Kept {
    /// What is to be kept of a cluster. `None` while it is being formed: until somebody has led it, it may have to be formed
    /// again.
    fn of(cluster: &str, lineage: u64, seen: &Seen) -> Option<Self> {
        let at = (*seen.members.log_id())?;
        if at.index() == 0 && seen.leader.is_none() {
            return None;
        }
        let voters: Vec<u64> = seen.members.voter_ids().collect();
        let master = |(id, member): (&u64, &Member)| Master {
            id: *id,
            name: member.name.clone(),
            address: member.address.clone(),
            voter: voters.contains(id),
        };
        Some(Self { cluster_id: cluster.to_owned(), lineage, masters: seen.members.nodes().map(master).collect() })
    }

    /// The members by id.
    pub(crate) fn members(&self) -> BTreeMap<u64, Member> {
        let member = |one: &Master| (one.id, Member { name: one.name.clone(), address: one.address.clone() });
        self.masters.iter().map(member).collect()
    }
}

impl Register {
    /// In this directory, which is created if it is absent.
    ///
    /// # Errors
    /// It cannot be created, or is no directory.
    pub fn open(directory: &Path) -> io::Result<Self> {
        Ok(Self(Arc::new(RealFiles::open(directory)?)))
    }

    /// The file, for messages.
    pub(crate) fn file(&self) -> String {
        format!("{}/{FILE}", self.0.place())
    }

    /// What is kept of this cluster.
    pub(crate) fn read(&self, cluster: &str) -> io::Result<Option<Kept>> {
        if !self.0.list()?.iter().any(|name| name == FILE) {
            return Ok(None);
        }
        let file = self.0.open(FILE)?;
        let mut bytes = vec![0; usize::try_from(file.size()?).map_err(io::Error::other)?];
        file.read_at(&mut bytes, 0)?;
        let kept: Kept = serde_json::from_slice(&bytes).map_err(|error| {
            let text = format!(
                "{} is damaged: {error}. It names the masters of this cluster: copy it from another one's host",
                self.file()
            );
            io::Error::new(io::ErrorKind::InvalidData, text)
        })?;
        Ok((kept.cluster_id == cluster).then_some(kept))
    }

    /// Makes it durable, in the place of what was there.
    pub(crate) fn write(&self, kept: &Kept) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(kept).map_err(io::Error::other)?;
        if self.0.list()?.iter().any(|name| name == NEW) {
            self.0.remove(NEW)?;
        }
        let file = self.0.create(NEW)?;
        file.write_at(&text, 0)?;
        file.sync_data()?;
        self.0.rename(NEW, FILE)?;
        self.0.sync_dir()
    }
}

/// Writes the members down whenever they change, until the store is gone.
pub(crate) async fn keep_register(core: Weak<Core>, register: Register) {
    let Some(mut seen) = core.upgrade().map(|core| core.seen.subscribe()) else { return };
    let (mut kept, mut failing) = (None, false);
    loop {
        let now = {
            let Some(core) = core.upgrade() else { return };
            Kept::of(&core.config.cluster_id, core.door.lineage(), &seen.borrow_and_update())
        };
        let mut again = false;
        if let Some(now) = now.filter(|now| kept.as_ref() != Some(now)) {
            let (inner, writing) = (register.clone(), now.clone());
            match rt::blocking(move || inner.write(&writing)).await.and_then(|written| written) {
                Ok(()) => (kept, failing) = (Some(now), false),
                Err(error) => {
                    again = true;
                    if !std::mem::replace(&mut failing, true) {
                        let file = register.file();
                        tracing::warn!(%error, file, "this master could not find the others again if it lost its disk");
                    }
                }
            }
        }
        let changed = seen.changed();
        let changed = if again { rt::timeout(AGAIN, changed).await.unwrap_or(Ok(())) } else { changed.await };
        if changed.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::raft::types::{LogId, Membership};
    use std::collections::BTreeSet;

    fn seen(index: Option<u64>, leader: Option<u64>) -> Seen {
        let member = |id: u64| (id, Member { name: format!("m{id}"), address: format!("10.0.0.{id}:6444") });
        let nodes: BTreeMap<u64, Member> = (1..=3).map(member).collect();
        let configs = vec![BTreeSet::from([1, 2])];
        let membership = openraft::Membership::new(configs, nodes).unwrap();
        let at = index.map(|index| LogId::new(1.into(), index));
        Seen { term: 1, leader, members: Arc::new(Membership::new(at, membership)) }
    }

    #[test]
    fn a_cluster_counts_as_formed_once_somebody_has_led_it() {
        assert_eq!(Kept::of("c", 7, &seen(None, None)), None);
        assert_eq!(Kept::of("c", 7, &seen(Some(0), None)), None);
        assert!(Kept::of("c", 7, &seen(Some(0), Some(2))).is_some());
        let kept = Kept::of("c", 7, &seen(Some(5), None)).unwrap();
        assert_eq!(kept.masters.iter().map(|one| one.voter).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!(kept.members()[&3], Member { name: "m3".into(), address: "10.0.0.3:6444".into() });
    }

    #[test]
    fn what_was_written_last_is_read_of_the_same_cluster_only_and_damage_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let register = Register::open(directory.path()).unwrap();
        assert_eq!(register.read("c").unwrap(), None);
        register.write(&Kept::of("c", 7, &seen(Some(5), None)).unwrap()).unwrap();
        // What an interrupted write left is no hindrance.
        std::fs::write(directory.path().join(NEW), "{").unwrap();
        let last = Kept::of("c", u64::MAX, &seen(Some(6), None)).unwrap();
        register.write(&last).unwrap();
        assert_eq!(register.read("c").unwrap(), Some(last));
        assert_eq!(register.read("another").unwrap(), None);
        std::fs::write(directory.path().join(FILE), "{").unwrap();
        assert!(register.read("c").unwrap_err().to_string().contains("is damaged"));
    }
}
