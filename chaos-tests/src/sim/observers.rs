//! What each life of a member shows: leadership, changes, views.

use crate::invariants::Seen;
use crate::sim::recorder::{Recorder, content, key, value};
use crate::sim::watchers::changes;
use raftsman_store::sim::{self, Chance, Client};
use std::time::Duration;

/// Changes before the newest that a life is asked for at its beginning.
const BACK: u64 = 400;

/// Puts down who leads.
pub async fn leadership(client: Client, recorder: Recorder) {
    let mut leadership = client.leaderships();
    loop {
        let now = *leadership.borrow_and_update();
        if let Some(term) = now.leading {
            recorder.see(Seen::Leading { member: client.member(), term });
        }
        if leadership.changed().await.is_err() {
            return;
        }
    }
}

/// Puts down what its history and its views show.
pub async fn history(client: Client, recorder: Recorder, mut chance: Chance) {
    let member = client.member();
    let mut after = client.view().revision().saturating_sub(BACK);
    loop {
        let view = client.view();
        match changes(&view, after) {
            Some(found) => {
                for change in found {
                    let value = (!change.deleted).then(|| value(&change.object));
                    recorder.see(Seen::Change { member, revision: change.revision, key: key(&change.object), value });
                }
            }
            // Compacted: from the floor on.
            None => {
                let floor = view.tables().map(|(_, table)| table.floor()).max().unwrap_or(0);
                if floor > after {
                    after = floor;
                    continue;
                }
            }
        }
        after = after.max(view.revision());
        if chance.percent(10) {
            recorder.see(Seen::View { member, revision: view.revision(), content: content(&view) });
        }
        sim::sleep(Duration::from_millis(chance.range(5..60))).await;
        if client.gone() {
            return;
        }
    }
}

/// Puts down all that a member shows now.
pub fn all(client: &Client, recorder: &Recorder) {
    let (member, view) = (client.member(), client.view());
    let floor = view.tables().map(|(_, table)| table.floor()).max().unwrap_or(0);
    for change in changes(&view, floor).unwrap_or_default() {
        let value = (!change.deleted).then(|| value(&change.object));
        recorder.see(Seen::Change { member, revision: change.revision, key: key(&change.object), value });
    }
    recorder.see(Seen::View { member, revision: view.revision(), content: content(&view) });
}
