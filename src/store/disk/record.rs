//! What the state's database holds, and under which keys.

use crate::raft::types::{LogId, Membership};
use raftsman_state::{Applied, Body, Change, Key, Meta, Origin, SessionRecord, State};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How far the state is, in the same batch as what it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) applied: Option<LogId>,
    pub(crate) membership: Membership,
    pub(crate) revision: u64,
    pub(crate) term: u64,
    pub(crate) epoch: u64,
    pub(crate) base_floor: u64,
}

impl Progress {
    /// The progress of a state after a log entry.
    pub(crate) fn of(state: &State, applied: Option<LogId>, membership: &Membership) -> Self {
        let view = state.view();
        Self {
            applied,
            membership: membership.clone(),
            revision: view.revision(),
            term: view.term(),
            epoch: view.epoch(),
            base_floor: state.base_floor(),
        }
    }
}

/// One change as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) key: Key,
    /// The revision of the change before it; 0 for none.
    pub(crate) previous: u64,
    /// The object, or nothing for a deletion.
    pub(crate) content: Option<(Arc<Meta>, Body)>,
}

impl From<&Change> for Record {
    fn from(change: &Change) -> Self {
        Self {
            key: change.key().clone(),
            previous: change.previous.as_ref().map_or(0, |previous| previous.revision),
            content: (!change.deleted).then(|| (change.object.meta.clone(), change.object.body())),
        }
    }
}

/// What one applied entry means for the database.
#[derive(Debug, Default)]
pub(crate) struct AppliedEntry {
    pub(crate) applied: Applied,
    pub(crate) origin: Option<Origin>,
}

/// Members' sessions as they are after a batch: those that it touched. One record a member, written over and over, needs
/// no tombstones, whatever the number of outcomes that come and go.
pub(crate) type Sessions = Vec<(u64, SessionRecord)>;

/// The sessions of the members that these entries came from.
pub(crate) fn touched(entries: &[AppliedEntry], state: &State) -> Sessions {
    let members: BTreeSet<u64> = entries.iter().filter_map(|entry| entry.origin).map(|origin| origin.member).collect();
    let record = |member| state.sessions().get(&member).map(|record| (member, record.clone()));
    members.into_iter().filter_map(record).collect()
}

pub(crate) const PROGRESS: &[u8] = b"p";
pub(crate) const CHANGE: u8 = b'c';
pub(crate) const FLOOR: u8 = b'f';
pub(crate) const SESSION: u8 = b's';

pub(crate) fn change_key(revision: u64) -> Vec<u8> {
    numbered(CHANGE, &[revision])
}

pub(crate) fn floor_key(resource: &str) -> Vec<u8> {
    let mut key = vec![FLOOR];
    key.extend_from_slice(resource.as_bytes());
    key
}

pub(crate) fn session_key(member: u64) -> Vec<u8> {
    numbered(SESSION, &[member])
}

/// Numbers of a key made by one of the functions above; `None` if it has another form.
pub(crate) fn numbers<const N: usize>(tag: u8, key: &[u8]) -> Option<[u64; N]> {
    let rest = key.strip_prefix(&[tag])?;
    if rest.len() != N * 8 {
        return None;
    }
    let mut out = [0; N];
    for (number, bytes) in out.iter_mut().zip(rest.chunks_exact(8)) {
        *number = u64::from_be_bytes(bytes.try_into().ok()?);
    }
    Some(out)
}

fn numbered(tag: u8, numbers: &[u64]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + numbers.len() * 8);
    key.push(tag);
    for number in numbers {
        key.extend_from_slice(&number.to_be_bytes());
    }
    key
}
