//! What is kept about every member that ever was, beside Raft's own membership: ids are never used twice, and what a
//! leader has begun the next one can finish.

use crate::raft::types::Member;
use raftsman_state::{Body, Compare, Key, Meta, Object, Op, Resource, Txn, View};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where records are kept in the state. No API serves it.
pub(crate) const RESOURCE: &str = "raftsman.io/members";

/// What is to become of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Wants {
    /// It votes, or will when it has caught up.
    Voter,
    /// It learns.
    Learner,
    /// It is no member any more, or is about to be none.
    Gone,
}

/// One member's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) wants: Wants,
    /// The member that goes when this one votes.
    #[serde(default)]
    pub(crate) replaces: Option<u64>,
    /// Of the host that asked to join; empty for members of the first cluster.
    #[serde(default)]
    pub(crate) key: String,
}

/// All records, each with its revision.
pub(crate) type Records = BTreeMap<u64, (Record, u64)>;

fn resource() -> Resource {
    Resource::from(RESOURCE)
}

fn key(id: u64) -> Key {
    Key::new(&resource(), "", &id.to_string())
}

/// The records of a view. One that cannot be read is of a newer version: its id counts as used.
pub(crate) fn records(view: &View) -> Records {
    let Some(table) = view.table(&resource()) else { return Records::new() };
    let read = |object: &Arc<Object>| {
        let id: u64 = object.key.name().parse().ok()?;
        let record = serde_json::from_slice(&object.json).unwrap_or_else(|_| Record {
            id,
            name: String::new(),
            address: String::new(),
            wants: Wants::Learner,
            replaces: None,
            key: String::new(),
        });
        Some((id, (record, object.revision)))
    };
    table.list(None, None).filter_map(read).collect()
}

/// The member was removed. With the membership that has been applied this is certain: a record says so before the
/// membership changes, and no id comes back.
pub(crate) fn is_gone(view: &View, id: u64) -> bool {
    let Some(object) = view.get(&key(id)) else { return false };
    serde_json::from_slice::<Record>(&object.json).is_ok_and(|record| record.wants == Wants::Gone)
}

/// A member of this name was removed, and none has it now.
pub(crate) fn is_gone_by_name(view: &View, name: &str) -> bool {
    let mut named = records(view).into_values().filter(|(record, _)| record.name == name).peekable();
    named.peek().is_some() && named.all(|(record, _)| record.wants == Wants::Gone)
}

/// Where no member runs: a record for each of these members by id, which are to vote once they have caught up.
pub(crate) fn to_vote<'a>(members: impl IntoIterator<Item = (u64, &'a Member)>) -> Result<Vec<Op>, serde_json::Error> {
    let op = |(id, member): (u64, &Member)| {
        let Member { name, address } = member.clone();
        let record = Record { id, name, address, wants: Wants::Voter, replaces: None, key: String::new() };
        let body = Body::plain(serde_json::to_vec(&record)?);
        Ok(Op::Put { key: key(id), meta: Arc::new(Meta::default()), body })
    };
    members.into_iter().map(op).collect()
}

/// Writes a record, if it is still as `before` says (its revision; `None`: there is none) and the leader still leads.
pub(crate) fn write(record: &Record, before: Option<u64>, term: u64) -> Result<Txn, serde_json::Error> {
    let key = key(record.id);
    let unchanged = match before {
        Some(revision) => Compare::Revision(key.clone(), revision),
        None => Compare::Absent(key.clone()),
    };
    let op = Op::Put { key, meta: Arc::new(Meta::default()), body: Body::plain(serde_json::to_vec(record)?) };
    Ok(Txn { compares: vec![Compare::Term(term), unchanged], ops: vec![op], origin: None })
}
