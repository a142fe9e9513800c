//! Which programs may be members, and what all of them can do.
//!
//! A change in what [`crate::State::apply`] does, or in what is stored, raises [`LEVEL`] and begins to count only once the
//! cluster's level has reached it: then every member runs a program that has it. The cluster's level never falls, and a
//! program below it may not take part.

use crate::{Body, Compare, Key, Meta, Op, Resource, Txn, View};
use serde_json::{Value, json};
use std::sync::Arc;

/// What this program can do.
pub const LEVEL: u32 = 1;

/// What the members' programs can do, each by its member's id. The API does not serve it.
const MEMBERS: &str = "raftsman/members";
/// What the cluster does. The API does not serve it.
const CLUSTER: &str = "raftsman/cluster";

fn member_key(member: u64) -> Key {
    Key::new(&Resource::from(MEMBERS), "", &member.to_string())
}

fn cluster_key() -> Key {
    Key::new(&Resource::from(CLUSTER), "", "level")
}

fn read(view: &View, key: &Key) -> Option<u32> {
    let value: Value = serde_json::from_slice(&view.get(key)?.json).ok()?;
    value["level"].as_u64().and_then(|level| u32::try_from(level).ok())
}

fn put(key: Key, level: u32, version: &str) -> Op {
    let body = Body::plain(json!({ "level": level, "version": version }).to_string());
    Op::Put { key, meta: Arc::new(Meta::default()), body }
}

/// The lowest level that any member has ever needed: what a new feature asks for. 0 before the first leader has said so.
pub fn cluster_level(view: &View) -> u32 {
    read(view, &cluster_key()).unwrap_or(0)
}

/// What a member has said of its program.
pub fn member_level(view: &View, member: u64) -> Option<u32> {
    read(view, &member_key(member))
}

/// Says what this member's program can do; `None` if that is known.
pub fn report(view: &View, member: u64, level: u32, version: &str) -> Option<Txn> {
    if member_level(view, member) == Some(level) {
        return None;
    }
    Some(Txn { compares: Vec::new(), ops: vec![put(member_key(member), level, version)], origin: None })
}

/// Raises the cluster's level to what all of these members have said; `None` if it is there, or one has said nothing. For
/// the leader of this term.
pub fn raise(view: &View, members: &[u64], term: u64) -> Option<Txn> {
    let said: Option<Vec<u32>> = members.iter().map(|member| member_level(view, *member)).collect();
    let lowest = said?.into_iter().min()?;
    if lowest <= cluster_level(view) {
        return None;
    }
    let key = cluster_key();
    let unchanged = match view.get(&key) {
        Some(object) => Compare::Revision(key.clone(), object.revision),
        None => Compare::Absent(key.clone()),
    };
    Some(Txn { compares: vec![Compare::Term(term), unchanged], ops: vec![put(key, lowest, "")], origin: None })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::State;

    fn say(state: &mut State, member: u64, level: u32) {
        if let Some(txn) = report(&state.view(), member, level, "1.2.3") {
            state.apply(4, &txn);
        }
    }

    #[test]
    fn the_level_is_what_every_member_has_and_never_falls() {
        let mut state = State::default();
        assert_eq!(cluster_level(&state.view()), 0);
        say(&mut state, 1, 2);
        say(&mut state, 2, 3);
        assert_eq!(raise(&state.view(), &[1, 2, 3], 4), None, "the third has said nothing");
        assert_eq!(raise(&state.view(), &[], 4), None);
        say(&mut state, 3, 2);
        state.apply(4, &raise(&state.view(), &[1, 2, 3], 4).unwrap());
        assert_eq!(cluster_level(&state.view()), 2);
        assert_eq!(raise(&state.view(), &[1, 2, 3], 4), None, "nothing new");
        assert_eq!(report(&state.view(), 3, 2, "1.2.3"), None, "it is known");
        // Two of them are replaced by a newer program, then by an older one.
        say(&mut state, 1, 3);
        say(&mut state, 3, 3);
        let stale = raise(&state.view(), &[1, 2, 3], 3).unwrap();
        assert!(state.apply(4, &stale).changes.is_empty(), "of a former leader");
        state.apply(4, &raise(&state.view(), &[1, 2, 3], 4).unwrap());
        say(&mut state, 2, 1);
        assert_eq!(raise(&state.view(), &[1, 2, 3], 4), None);
        assert_eq!(cluster_level(&state.view()), 3);
    }
}
