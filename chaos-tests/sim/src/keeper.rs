//! Keeps machines running: starts those that went down, as an operator or a service manager would.

use crate::observers;
use crate::recorder::Recorder;
use parking_lot::Mutex;
use raftsman_store::border::{StoreError, StoreStatus};
use raftsman_store::sim::{self, Chance, Crash, World};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// What a disk says that has no space, or fails.
const FAILURES: [&str; 2] = ["no space left on the disk", "input/output error"];

/// See the module.
pub struct Keeper {
    pub world: Arc<World>,
    pub recorder: Recorder,
    inner: Mutex<Inner>,
}

struct Inner {
    chance: Chance,
    /// Machines that are down, and when they start again.
    due: BTreeMap<u64, Duration>,
    /// Machines whose disk was lost and that have not caught up yet.
    wiped: BTreeSet<u64>,
    /// Of these, the ones whose disk is damaged: emptied when the member refuses it.
    damaged: BTreeSet<u64>,
    /// Machines whose disk was full or failed: what was tried ahead of its need then may end them later.
    failed: BTreeSet<u64>,
    /// Changes of the members that are under way.
    changes: usize,
    /// Machines that are to come.
    joining: usize,
    /// Machines that ever were to come.
    joins: u64,
    /// Members that were removed, perhaps, and do not know it yet.
    leaving: BTreeSet<u64>,
    /// Members that anybody ever asked to remove: also after a refusal, because another may have asked for the same.
    asked: BTreeSet<u64>,
    /// Machines that stay down.
    held: BTreeSet<u64>,
    /// Everything is well: nothing may fail to start, and nothing waits.
    calm: bool,
    /// The faults are over.
    healed: bool,
}

fn voters(status: &StoreStatus) -> usize {
    status.members.iter().filter(|member| member.voter).count()
}

impl Keeper {
    /// A keeper of all machines, none of which runs yet.
    pub fn new(world: Arc<World>, recorder: Recorder, chance: Chance) -> Arc<Self> {
        let inner = Inner {
            chance,
            due: BTreeMap::new(),
            wiped: BTreeSet::new(),
            damaged: BTreeSet::new(),
            failed: BTreeSet::new(),
            changes: 0,
            joining: 0,
            joins: 0,
            leaving: BTreeSet::new(),
            asked: BTreeSet::new(),
            held: BTreeSet::new(),
            calm: false,
            healed: false,
        };
        Arc::new(Self { world, recorder, inner: Mutex::new(inner) })
    }

    /// From now on machines start at once and must start.
    pub fn calm(&self) {
        let mut inner = self.inner.lock();
        inner.calm = true;
        inner.due.clear();
    }

    /// From now on nothing befalls the cluster any more.
    pub fn heal(&self) {
        self.inner.lock().healed = true;
    }

    /// The faults are over: none may end later, for it would bring back what was usual in its time.
    pub fn is_healed(&self) -> bool {
        self.inner.lock().healed
    }

    /// From now on machines stay down for a while.
    pub fn storm(&self) {
        self.inner.lock().calm = false;
    }

    /// Empties a disk, unless that could cost more than the cluster promises to survive.
    pub fn wipe(&self, id: u64) -> bool {
        let lost = self.lose(id);
        if lost {
            self.world.wipe(id);
        }
        lost
    }

    /// Turns a bit around on a disk while its member is down, unless emptying it could cost too much: the member may refuse it.
    pub fn flip(&self, id: u64, directory: &str) -> bool {
        if !self.lose(id) {
            return false;
        }
        self.inner.lock().damaged.insert(id);
        self.world.crash(id, Crash::Process);
        self.world.flip(id, directory)
    }

    /// A disk is full from now on, or fails now and then.
    pub fn fails(&self, id: u64) {
        self.inner.lock().failed.insert(id);
    }

    /// A disk may be lost now, and counts as lost from now on: one at a time, all other members having theirs and being there.
    fn lose(&self, id: u64) -> bool {
        let all = self.world.machines();
        let others_well = all.iter().filter(|other| **other != id).all(|other| {
            let status =
                self.world.client(*other).filter(|client| client.ended().is_none()).map(|client| client.status());
            // A member that has not caught up does not vote: of two voters the other alone could not elect.
            status.is_some_and(|status| status.last_log > 0 && voters(&status) == all.len())
        });
        let mut inner = self.inner.lock();
        if all.len() < 3 || !others_well || !inner.wiped.is_empty() || inner.changes > 0 || !inner.leaving.is_empty() {
            return false;
        }
        inner.wiped.insert(id)
    }

    /// A change of the members begins, unless a member is catching up: how many vote must not change then.
    pub fn begin_change(&self) -> bool {
        let mut inner = self.inner.lock();
        let may = inner.wiped.is_empty();
        inner.changes += usize::from(may);
        may
    }

    /// A change of the members has ended.
    pub fn end_change(&self) {
        self.inner.lock().changes -= 1;
    }

    /// A machine is to come, perhaps in the place of another, unless a member is catching up; its number.
    pub fn begin_join(&self, replaces: Option<u64>) -> Option<u64> {
        if !self.begin_change() {
            return None;
        }
        let mut inner = self.inner.lock();
        inner.leaving.extend(replaces);
        inner.asked.extend(replaces);
        inner.joining += 1;
        inner.joins += 1;
        Some(inner.joins)
    }

    /// It has come or was refused.
    pub fn end_join(&self) {
        self.inner.lock().joining -= 1;
        self.end_change();
    }

    /// A member is to be removed, unless a member is catching up.
    pub fn begin_leave(&self, member: u64) -> bool {
        if self.inner.lock().leaving.contains(&member) || !self.begin_change() {
            return false;
        }
        let mut inner = self.inner.lock();
        inner.asked.insert(member);
        inner.leaving.insert(member);
        true
    }

    /// A member was not removed.
    pub fn stays(&self, member: u64) {
        self.inner.lock().leaving.remove(&member);
    }

    /// Members that were removed and do not know it yet, and how many machines are to come.
    pub fn comings_and_goings(&self) -> (Vec<u64>, usize) {
        let inner = self.inner.lock();
        (inner.leaving.iter().copied().collect(), inner.joining)
    }

    /// These stay down when they go down.
    pub fn hold(&self, machines: &[u64]) {
        self.inner.lock().held = machines.iter().copied().collect();
    }

    /// Looks after the machines for ever.
    pub async fn keep(self: Arc<Self>) {
        loop {
            self.look().await;
            sim::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn look(&self) {
        let now = sim::elapsed();
        for id in self.world.machines() {
            if let Some(client) = self.world.client(id) {
                if let Some(StoreError::Removed(why)) = client.ended() {
                    if !self.inner.lock().asked.contains(&id) {
                        self.recorder.fail(format!("member {id} ended, and nobody removed it: {why}"));
                    }
                    self.world.retire(id);
                    let mut inner = self.inner.lock();
                    inner.leaving.remove(&id);
                    inner.wiped.remove(&id);
                    inner.damaged.remove(&id);
                    inner.due.remove(&id);
                } else if let Some(error) = client.ended() {
                    let (calm, damaged) = {
                        let mut inner = self.inner.lock();
                        // Once, and only for this: it is started again.
                        let text = error.to_string();
                        let told = FAILURES.iter().any(|failure| text.contains(failure));
                        let late = inner.calm && told && inner.failed.remove(&id);
                        (inner.calm && !late, inner.damaged.remove(&id))
                    };
                    if damaged {
                        self.world.wipe(id);
                        continue;
                    }
                    if calm && !matches!(error, StoreError::Closed) {
                        self.recorder.fail(format!("member {id} ended although nothing is wrong: {error}"));
                    }
                    self.world.crash(id, Crash::Process);
                } else if client.health().ready {
                    let mut inner = self.inner.lock();
                    inner.wiped.remove(&id);
                    inner.damaged.remove(&id);
                }
                continue;
            }
            let start = {
                let mut inner = self.inner.lock();
                if inner.held.contains(&id) {
                    continue;
                }
                let wait = if inner.calm { 0 } else { inner.chance.range(0..3_000) };
                let due = *inner.due.entry(id).or_insert(now + Duration::from_millis(wait));
                now >= due
            };
            if start {
                self.start(id).await;
            }
        }
    }

    async fn start(&self, id: u64) {
        let calm = self.inner.lock().calm;
        let started = self.world.start(id).await;
        let mut inner = self.inner.lock();
        inner.due.remove(&id);
        match started {
            Ok(()) => {
                if let Some(client) = self.world.client(id) {
                    sim::spawn(observers::leadership(client.clone(), self.recorder.clone()));
                    sim::spawn(observers::history(client, self.recorder.clone(), inner.chance.fork()));
                }
            }
            // As its message says: empty the disk, and start again.
            Err(StoreError::Storage(_)) if inner.damaged.remove(&id) => {
                drop(inner);
                self.world.wipe(id);
            }
            Err(error) if calm => {
                self.recorder.fail(format!("member {id} does not start although nothing is wrong: {error}"))
            }
            Err(_) => {}
        }
    }
}
