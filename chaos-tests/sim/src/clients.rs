//! Clients that read and write a few keys through all members.

use crate::invariants::{Action, Known, Operation, Seen};
use crate::recorder::{Recorder, value};
use parking_lot::Mutex;
use raftsman_state::{Body, Compare, Key, Meta, Op, Outcome, Resource, Txn};
use raftsman_store::border::StoreError;
use raftsman_store::sim::{self, Chance, World};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// A client gives up after so long.
const PATIENCE: Duration = Duration::from_secs(13);

/// The key of a number.
pub fn key(number: u64) -> Key {
    Key::new(&Resource::from("configmaps"), "default", &format!("k{number}"))
}

/// What a client last saw of a key: content and revision.
type Memory = BTreeMap<u64, Option<(u64, u64)>>;

/// One client.
pub struct Worker {
    pub number: u64,
    pub keys: u64,
    pub world: Arc<World>,
    pub recorder: Recorder,
    pub chance: Chance,
    pub stop: Arc<AtomicBool>,
    /// Operations that were answered.
    pub answered: Arc<AtomicU64>,
    pub memory: Mutex<Memory>,
}

impl Worker {
    /// Works until it is told to stop.
    pub async fn work(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            sim::sleep(Duration::from_micros(self.chance.range(0..60_000))).await;
            let running = self.world.running();
            let Some(client) = self.chance.pick(&running).and_then(|id| self.world.client(*id)) else { continue };
            let number = self.chance.range(0..self.keys);
            let invoked = sim::elapsed();
            let done = if self.chance.percent(35) {
                sim::timeout(PATIENCE, self.read(&client, number)).await
            } else {
                let (txn, action) = self.write(number);
                match sim::timeout(PATIENCE, client.propose(txn)).await {
                    Some(outcome) => Some(self.learn(number, action, outcome)),
                    None => Some(Some((action, false))),
                }
            };
            if let Some(Some((action, answered))) = done {
                let returned = answered.then(sim::elapsed);
                self.answered.fetch_add(u64::from(answered), Ordering::Relaxed);
                let key = key(number).to_string();
                let (client_, member) = (self.number, client.member());
                let operation = Operation { client: client_, member, key, invoked, returned, action };
                self.recorder.see(Seen::Operation(operation));
            }
        }
    }

    async fn read(&self, client: &sim::Client, number: u64) -> Option<(Action, bool)> {
        let view = client.read().await.ok()?;
        let held = view.get(&key(number)).map(|object| (value(object), object.revision));
        self.memory.lock().insert(number, held);
        Some((Action::Read { found: held.map(|(value, _)| value) }, true))
    }

    fn write(&mut self, number: u64) -> (Txn, Action) {
        let value = self.recorder.value();
        let put = Op::Put { key: key(number), meta: Arc::new(Meta::default()), body: Body::plain(value.to_string()) };
        if self.chance.percent(40) {
            return (Txn { ops: vec![put], ..Txn::default() }, Action::Put { value, revision: Known::No });
        }
        let held = self.memory.lock().get(&number).copied().flatten();
        let compare = match held {
            Some((_, revision)) => Compare::Revision(key(number), revision),
            None => Compare::Absent(key(number)),
        };
        let remove = held.is_some() && self.chance.percent(25);
        let op = if remove { Op::Delete { key: key(number) } } else { put };
        let expected = held.map(|(value, _)| value);
        let action = Action::Swap { expected, value: (!remove).then_some(value), revision: Known::No };
        (Txn { compares: vec![compare], ops: vec![op], origin: None }, action)
    }

    /// What an answer means; `None`: the operation certainly did nothing, and nothing was learnt.
    fn learn(&self, number: u64, mut action: Action, answer: Result<Outcome, StoreError>) -> Option<(Action, bool)> {
        match answer {
            Ok(Outcome::Committed(revisions)) => {
                let took = revisions.first().copied().unwrap_or(0);
                let held = match &mut action {
                    Action::Put { value, revision } => {
                        *revision = Known::Yes(took);
                        Some((*value, took))
                    }
                    Action::Swap { value, revision, .. } => {
                        *revision = Known::Yes(Some(took));
                        value.map(|value| (value, took))
                    }
                    Action::Read { .. } => None,
                };
                self.memory.lock().insert(number, held);
                Some((action, true))
            }
            Ok(Outcome::Failed { .. }) => {
                self.memory.lock().remove(&number);
                if let Action::Swap { revision, .. } = &mut action {
                    *revision = Known::Yes(None);
                    return Some((action, true));
                }
                self.recorder.fail(format!("a write without conditions failed: {action:?}"));
                None
            }
            Ok(Outcome::Expired) => {
                self.recorder.fail(format!("a new write was answered as expired: {action:?}"));
                None
            }
            Err(StoreError::Unknown { .. }) => Some((action, false)),
            Err(_) => None,
        }
    }
}
