//! Watchers: cursors into History that move between members.

use crate::invariants::Seen;
use crate::observers::floor;
use crate::recorder::{Recorder, key, value};
use raftsman_state::{Change, Resource};
use raftsman_store::sim::{self, Chance, World};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A cursor that stays with one member for a while and then goes on at another.
pub struct Watcher {
    pub number: u64,
    pub world: Arc<World>,
    pub recorder: Recorder,
    pub chance: Chance,
    /// Changes of a resource that are never forgotten.
    pub history: u64,
    /// How far it is.
    pub reached: Arc<AtomicU64>,
}

/// All changes of a view after a revision, in order; `None`: some are compacted.
pub fn changes(view: &raftsman_state::View, after: u64) -> Option<Vec<Arc<Change>>> {
    let resources: Vec<Resource> = view.tables().map(|(resource, _)| resource.clone()).collect();
    let mut found: Vec<Arc<Change>> = Vec::new();
    for resource in resources {
        // A table that appeared later has nothing before its first change.
        found.extend(view.changes_after(&resource, after).ok()?.cloned());
    }
    found.sort_by_key(|change| change.revision);
    Some(found)
}

impl Watcher {
    /// Watches for ever.
    pub async fn watch(mut self) {
        let mut after = 0;
        self.recorder.see(Seen::Watching { watcher: self.number, after });
        loop {
            sim::sleep(Duration::from_millis(self.chance.range(1..200))).await;
            let running = self.world.running();
            let Some(client) = self.chance.pick(&running).and_then(|id| self.world.client(*id)) else { continue };
            // As at another master: what it has not reached yet is waited for.
            let Ok(view) = client.at_least(after, Duration::from_secs(3)).await else { continue };
            let Some(found) = changes(&view, after) else {
                // 410: a new list, and on from there.
                self.check(after, &view, client.member());
                after = view.revision();
                self.recorder.see(Seen::Watching { watcher: self.number, after });
                self.reached.store(after, Ordering::Relaxed);
                continue;
            };
            for change in found {
                after = change.revision;
                self.recorder.see(Seen::Watched {
                    watcher: self.number,
                    member: client.member(),
                    revision: after,
                    key: key(&change.object),
                    value: (!change.deleted).then(|| value(&change.object)),
                });
            }
            self.reached.store(after, Ordering::Relaxed);
        }
    }

    /// A 410 is right below the floor only, and the floor only below what must be kept, whatever restarts and snapshots came
    /// between.
    fn check(&self, after: u64, view: &raftsman_state::View, member: u64) {
        let (floor, newest) = (floor(view), view.revision());
        if after >= floor || newest - after <= self.history {
            let number = self.number;
            self.recorder.fail(format!(
                "watcher {number} got 410 after {after} from member {member}, which is at {newest} with its floor at {floor}"
            ));
        }
    }
}
