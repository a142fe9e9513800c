//! Hosts that joined, by the keys with which they asked. A key outlives a membership, ids do not.

use crate::member::membership::record::{Record, Wants, records};
use raftsman_state::View;

/// The highest id that any member has or had; 0 if none is known. Later members have higher ones.
pub fn last_member_id(view: &View) -> u64 {
    records(view).into_keys().max().unwrap_or(0)
}

/// The host with this key became a member with an id above `past`, and was removed since.
pub fn was_removed(view: &View, key: &str, past: u64) -> bool {
    let records = records(view);
    let own = |record: &&Record| !key.is_empty() && record.key == key && record.id > past;
    let mut own = records.values().map(|(record, _)| record).filter(own).peekable();
    own.peek().is_some() && own.all(|record| record.wants == Wants::Gone)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::member::membership::record::write;
    use raftsman_state::State;

    #[test]
    fn a_key_is_of_a_removed_member_until_it_joins_anew() {
        let mut state = State::default();
        let mut keep = |id: u64, key: &str, wants: Wants| {
            let (name, address) = (format!("m{id}"), format!("10.0.0.{id}:6444"));
            let record = Record { id, name, address, wants, replaces: None, key: key.to_owned() };
            let before = records(&state.view()).get(&id).map(|(_, revision)| *revision);
            state.apply(1, &write(&record, before, 1).unwrap());
            state.view()
        };
        keep(3, "", Wants::Gone);
        let view = keep(4, "a", Wants::Voter);
        assert_eq!((last_member_id(&view), was_removed(&view, "a", 0)), (4, false));
        assert!(!was_removed(&view, "", 0) && !was_removed(&view, "b", 0));
        let view = keep(4, "a", Wants::Gone);
        assert!(was_removed(&view, "a", 0) && was_removed(&view, "a", 3));
        // It asks with another token, which was bound when 4 was the last one.
        assert!(!was_removed(&view, "a", 4));
        let view = keep(5, "a", Wants::Learner);
        assert!(!was_removed(&view, "a", 0) && !was_removed(&view, "a", 4));
        let view = keep(5, "a", Wants::Gone);
        assert!(was_removed(&view, "a", 4));
    }
}
