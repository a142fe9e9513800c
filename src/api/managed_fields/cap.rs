//! An end to the growth of `managedFields`: many managers that each write once would make every object large.

use super::entry::{Entry, Operation};

/// Most managers of updates; upstream's number. Those that apply are not counted: they take their fields away themselves.
const UPDATERS_MOST: usize = 10;
/// Who the oldest updates are put down to.
const ANCIENT: &str = "ancient-changes";

/// Folds the oldest updates of each version into one until there are few enough.
pub(super) fn cap(entries: &mut Vec<Entry>) {
    let mut count = entries.iter().filter(|entry| entry.operation == Operation::Update).count();
    if count <= UPDATERS_MOST {
        return;
    }
    let (mut updates, mut kept): (Vec<Entry>, Vec<Entry>) =
        std::mem::take(entries).into_iter().partition(|entry| entry.operation == Operation::Update);
    // What was folded before goes on growing.
    updates.sort_by(|a, b| {
        let age = |entry: &Entry| (entry.manager != ANCIENT, entry.time.clone(), entry.manager.clone());
        age(a).cmp(&age(b))
    });
    for update in updates {
        let same = |entry: &&mut Entry| entry.operation == Operation::Update && entry.api_version == update.api_version;
        match kept.iter_mut().find(same).filter(|_| count > UPDATERS_MOST) {
            Some(bucket) => {
                ANCIENT.clone_into(&mut bucket.manager);
                bucket.subresource.clear();
                bucket.fields = bucket.fields.union(&update.fields);
                bucket.time = update.time;
                count -= 1;
            }
            None => kept.push(update),
        }
    }
    *entries = kept;
}
