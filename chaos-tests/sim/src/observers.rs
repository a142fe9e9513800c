//! What each life of a member shows: leadership, changes, views.

use crate::invariants::Seen;
use crate::recorder::{Recorder, content, content_at, key, value};
use crate::watchers::changes;
use raftsman_state::View;
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

/// Entries that are told again the next time: another life may have had others there.
const AGAIN: u64 = 5;

/// Puts down what its history, its views and its log show.
pub async fn history(client: Client, recorder: Recorder, mut chance: Chance) {
    let member = client.member();
    let mut after = client.view().revision().saturating_sub(BACK);
    let mut entries = client.status().applied.saturating_sub(BACK);
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
                let floor = floor(&view);
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
        if chance.percent(5) {
            let floor = floor(&view);
            let revision = chance.range(floor..view.revision().max(floor) + 1);
            exact(&client, &recorder, revision);
        }
        if chance.percent(4) {
            // Read while it goes on: what is purged meanwhile is no more to be had.
            for (index, term, digest) in client.log(entries).await.unwrap_or_default() {
                recorder.see(Seen::Entry { member, index, term, digest });
                entries = entries.max((index + 1).saturating_sub(AGAIN));
            }
        }
        sim::sleep(Duration::from_millis(chance.range(5..60))).await;
        if client.gone() {
            return;
        }
    }
}

/// From this revision on everything can be listed.
pub fn floor(view: &View) -> u64 {
    view.tables().map(|(_, table)| table.floor()).max().unwrap_or(0)
}

/// Puts down what a member lists exactly at a revision, which lies at its floor or above.
pub fn exact(client: &Client, recorder: &Recorder, revision: u64) {
    let (member, view) = (client.member(), client.view());
    match content_at(&view, revision) {
        Some(content) => recorder.see(Seen::View { member, revision, content }),
        // The floor may have moved since.
        None if revision < floor(&view) => {}
        None => {
            recorder.fail(format!("member {member} does not list at {revision}, where its floor is {}", floor(&view)))
        }
    }
}

/// Puts down all that a member shows now.
pub fn all(client: &Client, recorder: &Recorder) {
    let (member, view) = (client.member(), client.view());
    let floor = floor(&view);
    for change in changes(&view, floor).unwrap_or_default() {
        let value = (!change.deleted).then(|| value(&change.object));
        recorder.see(Seen::Change { member, revision: change.revision, key: key(&change.object), value });
    }
    recorder.see(Seen::View { member, revision: view.revision(), content: content(&view) });
}
