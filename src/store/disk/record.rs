//! What the state's database holds, and under which keys.

use crate::codec::{encode_into, encode_length};
use crate::raft::types::{LogId, Membership};
use raftsman_state::{Applied, Body, Change, Key, Meta, Origin, State};
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::Arc;

/// How far the state is, in the same batch as what it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) applied: Option<LogId>,
    pub(crate) membership: Arc<Membership>,
    pub(crate) revision: u64,
    pub(crate) term: u64,
    pub(crate) epoch: u64,
    pub(crate) base_floor: u64,
}

impl Progress {
    /// The progress of a state after a log entry.
    pub(crate) fn of(state: &State, applied: Option<LogId>, membership: &Arc<Membership>) -> Self {
        Self {
            applied,
            membership: membership.clone(),
            revision: state.revision(),
            term: state.term(),
            epoch: state.epoch(),
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

impl Record {
    /// Appends the encoded record of a change, with one copy of its JSON.
    pub(crate) fn encode(change: &Change, out: &mut Vec<u8>) -> io::Result<()> {
        let previous = change.previous.as_ref().map_or(0, |previous| previous.revision);
        encode_into(&(change.key(), previous), out)?;
        if change.deleted {
            return encode_into(&None::<()>, out);
        }
        let object = &change.object;
        // The tag of an option that holds something.
        out.push(1);
        encode_into(&*object.meta, out)?;
        let (before, after, at) = object.body_parts();
        encode_length(before.len() + after.len(), out);
        out.extend_from_slice(before);
        out.extend_from_slice(after);
        encode_into(&at, out)
    }
}

/// What one applied entry means for the database.
#[derive(Debug, Default)]
pub(crate) struct AppliedEntry {
    pub(crate) applied: Applied,
    pub(crate) origin: Option<Origin>,
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::codec::encode;
    use raftsman_state::{Object, Resource};

    #[test]
    fn a_change_is_encoded_as_its_record() {
        let key = Key::new(&Resource::new("apps", "deployments"), "default", "web");
        let meta = Arc::new(Meta { uid: "u".into(), labels: vec![("a".into(), "b".into())], ..Meta::default() });
        let long = format!("{{\"metadata\":{{\"resourceVersion\":\"\"}},\"x\":\"{}\"}}", "y".repeat(20_000));
        let spliced = Body::spliced(long, 32).unwrap();
        for body in [Body::plain("{}"), spliced, Body::plain("")] {
            let object = Arc::new(Object::new(key.clone(), meta.clone(), &body, 77));
            let older = Arc::new(Object::new(key.clone(), meta.clone(), &Body::plain("old"), 5));
            for (previous, deleted) in [(None, false), (Some(older.clone()), false), (Some(older), true)] {
                let number = previous.as_ref().map_or(0, |previous| previous.revision);
                let content = (!deleted).then(|| (meta.clone(), body.clone()));
                let record = Record { key: key.clone(), previous: number, content };
                let change = Change { revision: 77, object: object.clone(), previous, deleted };
                let mut out = vec![9];
                Record::encode(&change, &mut out).unwrap();
                assert_eq!(out[1..], encode(&record).unwrap());
            }
        }
    }
}
