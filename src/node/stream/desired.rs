//! What masters say, taken in: into the world, onto the disk, and on to the agent's loop.

use super::cache::{Cache, Position};
use crate::world::{Change, Name, World};
use parking_lot::RwLock;
use raftsman_proto::v1::{Delete, Put, Synced, Welcome};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::mpsc;

/// News for the agent's loop.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// These changed.
    Changed(Vec<Change>),
    /// The picture is complete: what is absent is gone. The stream began in this row of renewals.
    Synced(u32),
    /// A leader's word was given for the pod with this uid, in answer to these words.
    Word(String, String),
    /// The masters no longer have the pod with this uid.
    Gone(String),
}

type Key = (String, Name);

/// The desired state and where it stands.
pub struct Desired {
    world: Arc<RwLock<World>>,
    cache: Cache,
    position: Position,
    kept_at: u64,
    known: BTreeSet<Key>,
    /// Seen on this stream, until its first `Synced`.
    seen: Option<BTreeSet<Key>>,
    new_epoch: bool,
    /// The row of renewals in which this stream began.
    row: u32,
    /// Changes since the last `Synced`: pods come before what they name.
    pending: Vec<Change>,
    told: mpsc::UnboundedSender<Told>,
}

impl Desired {
    /// From what an earlier agent kept.
    pub fn new(cache: Cache, world: Arc<RwLock<World>>, told: mpsc::UnboundedSender<Told>) -> Self {
        let (position, kept) = cache.load();
        let mut known = BTreeSet::new();
        for object in kept {
            match world.write().put(&object.resource, &object.name, &object.json) {
                Ok(_) => {
                    known.insert((object.resource, object.name));
                }
                Err(error) => {
                    tracing::warn!(resource = object.resource, name = ?object.name, %error, "kept object is unreadable");
                }
            }
        }
        let kept_at = position.revision;
        Self { world, cache, position, kept_at, known, seen: None, new_epoch: false, row: 0, pending: Vec::new(), told }
    }

    /// Revision, epoch and masters.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// A new stream begins.
    pub fn connected(&mut self, welcome: &Welcome, row: u32) {
        self.row = row;
        self.seen = Some(BTreeSet::new());
        self.new_epoch = self.position.epoch != 0 && self.position.epoch != welcome.epoch;
        if self.new_epoch {
            tracing::warn!(
                old = self.position.epoch,
                new = welcome.epoch,
                "the masters were restored: unknown pods are kept"
            );
            self.position.revision = 0;
        }
        self.position.epoch = welcome.epoch;
        self.know(&welcome.masters);
        self.cache.position(&self.position);
    }

    /// The masters are others now: these are asked from here on, also after a restart.
    pub fn masters(&mut self, masters: Vec<String>) {
        self.know(&masters);
        self.cache.position(&self.position);
    }

    fn know(&mut self, masters: &[String]) {
        if !masters.is_empty() {
            self.position.masters = masters.to_vec();
        }
    }

    /// The stream has ended: what was not synced yet counts for nothing.
    pub fn disconnected(&mut self) {
        self.seen = None;
        self.tell();
        self.keep_position();
    }

    fn saw(&mut self, revision: u64) {
        self.position.revision = self.position.revision.max(revision);
    }

    /// A batch is complete.
    fn tell(&mut self) {
        if !self.pending.is_empty() {
            // The loop ends before the stream only when the agent does.
            let _ = self.told.send(Told::Changed(std::mem::take(&mut self.pending)));
        }
    }

    /// An object as it now is.
    pub fn put(&mut self, put: Put) {
        self.saw(put.revision);
        let name = (put.namespace, put.name);
        let changes = self.world.write().put(&put.resource, &name, &put.json);
        match changes {
            Ok(changes) => {
                self.cache.put(&put.resource, &name, put.json);
                if put.resource == "pods" {
                    self.position.kept.remove(&name);
                }
                let key = (put.resource, name);
                if let Some(seen) = &mut self.seen {
                    seen.insert(key.clone());
                }
                self.known.insert(key);
                self.pending.extend(changes);
            }
            Err(error) => {
                tracing::error!(resource = put.resource, name = ?name, %error, "a master sent an object that cannot be read");
                // It exists, so its absence from the world means nothing.
                if let Some(seen) = &mut self.seen {
                    seen.insert((put.resource, name));
                }
            }
        }
    }

    /// An object that is gone.
    pub fn delete(&mut self, delete: Delete) {
        self.saw(delete.revision);
        let name = (delete.namespace, delete.name);
        self.position.kept.remove(&name);
        self.forget(&(delete.resource, name));
    }

    fn forget(&mut self, key: &Key) {
        self.known.remove(key);
        if let Some(seen) = &mut self.seen {
            seen.remove(key);
        }
        self.cache.remove(&key.0, &key.1);
        let changes = self.world.write().delete(&key.0, &key.1);
        self.pending.extend(changes);
    }

    /// Everything up to this revision was sent.
    pub fn synced(&mut self, synced: &Synced) {
        self.saw(synced.revision);
        let Some(seen) = self.seen.take() else {
            self.tell();
            return;
        };
        let absent: Vec<Key> = self.known.difference(&seen).cloned().collect();
        for key in absent {
            let pod = key.0 == "pods";
            if pod && (self.new_epoch || self.position.kept.contains(&key.1)) {
                self.position.kept.insert(key.1);
                continue;
            }
            let volume = key.0 == "persistentvolumes";
            self.forget(&key);
            if volume && self.new_epoch {
                // Masters that were restored from a backup may not know it yet or any more: its data stays.
                self.pending.retain(|change| !matches!(change, Change::VolumeGone(_)));
            }
        }
        self.new_epoch = false;
        self.tell();
        self.cache.position(&self.position);
        self.kept_at = self.position.revision;
        let _ = self.told.send(Told::Synced(self.row));
    }

    /// The masters do not have this pod. One that is kept for a new epoch stays until it is deleted in so many words.
    pub fn gone(&self, uid: String) {
        let kept = |name: &Name| self.position.kept.contains(name);
        if self.world.read().pods().any(|(name, pod)| pod.metadata.uid.as_ref() == Some(&uid) && kept(name)) {
            return;
        }
        let _ = self.told.send(Told::Gone(uid));
    }

    /// A leader's word was given.
    pub fn word(&self, uid: String, promise: String) {
        let _ = self.told.send(Told::Word(uid, promise));
    }

    /// Writes the position down, if it has moved.
    pub fn keep_position(&mut self) {
        if self.kept_at != self.position.revision {
            self.kept_at = self.position.revision;
            self.cache.position(&self.position);
        }
    }

    /// Waits until the disk has everything.
    pub async fn flush(&self) {
        self.cache.flush().await;
    }
}
