//! A backup becomes the first master's data directory.
//!
//! It then looks like the first master of a cluster that is being formed, at the entry that every cluster begins with (log
//! index 0, the membership), only that its state is not empty. So the other masters, with empty disks, join in as at any
//! first start, and get the state as a snapshot.

use super::beginning::Beginning;
use super::offline::{Offline, storage};
use crate::border::StoreError;
use crate::config::StoreConfig;
use crate::disk::{AppliedEntry, Progress};
use crate::lineage;
use crate::member::MEMBERS;
use crate::peers::{Identity, Transport};
use crate::raft::types::{LogId, Member, Membership};
use raftsman_backup::{BackupError, Item, Reader};
use raftsman_state::{Applied, Change, Object, Resource};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long other masters are waited for when they are asked what they hold.
const PATIENCE: Duration = Duration::from_secs(2);

/// Objects that are written at once.
const BATCH: usize = 1000;

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Objects.
    pub objects: u64,
    /// The revision from which the cluster goes on.
    pub revision: u64,
    /// Its epoch.
    pub epoch: u64,
}

/// Makes the data directory of this member, which must be absent or empty, out of a backup. It appears when it is whole.
///
/// # Errors
/// The directory holds something, the backup is not whole, or the disk fails; the directory is as it was then.
pub async fn restore<R: Read>(config: &StoreConfig, reader: &mut Reader<R>) -> Result<Restored, StoreError> {
    unused(&config.data_dir)?;
    let staging = beside(&config.data_dir);
    clear(&staging)?;
    let done = fill(&StoreConfig { data_dir: staging.clone(), ..config.clone() }, reader).await;
    let moved = done.and_then(|restored| put_in_place(&staging, &config.data_dir).map(|()| restored));
    if moved.is_err() {
        // The first error counts.
        let _ = clear(&staging);
    }
    moved
}

async fn fill<R: Read>(config: &StoreConfig, reader: &mut Reader<R>) -> Result<Restored, StoreError> {
    let begins = Beginning::now(reader.manifest().revision, reader.manifest().epoch);
    let (mut offline, _) = Offline::open(config).await?;
    let written = match strangers(config, &*offline.transport).await {
        Ok(()) => write(config, &mut offline, reader, begins).await,
        Err(error) => Err(error),
    };
    let closed = offline.close().await;
    let objects = written?;
    closed?;
    Ok(Restored { objects, revision: begins.revision, epoch: begins.epoch })
}

/// No other master of this cluster may hold anything: it would have to be told from what is restored.
async fn strangers(config: &StoreConfig, transport: &dyn Transport) -> Result<(), StoreError> {
    let others = config.members.iter().filter(|member| member.id != config.member);
    let asked = futures::future::join_all(others.map(|other| async move {
        let asked = async { transport.peer(other.id, &other.into())?.identity(config.member, PATIENCE).await };
        matches!(asked.await, Ok(Identity { last_log: Some(_), .. })).then_some(other.name.as_str())
    }));
    let holding: Vec<&str> = asked.await.into_iter().flatten().collect();
    if holding.is_empty() {
        return Ok(());
    }
    Err(StoreError::Storage(format!(
        "{} of this cluster answer and hold data: a backup is restored into a new cluster; stop them and empty their data \
         directories first",
        holding.join(" and ")
    )))
}

async fn write<R: Read>(
    config: &StoreConfig,
    offline: &mut Offline,
    reader: &mut Reader<R>,
    begins: Beginning,
) -> Result<u64, StoreError> {
    let revision = reader.manifest().revision;
    let mut objects = 0;
    let mut resources: BTreeSet<Resource> = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut batch = Applied::default();
    while let Some(item) = reader.next_item().map_err(backup)? {
        let record = match item {
            Item::Key(_) => continue,
            // The members are others now.
            Item::Object(record) if record.key.resource.as_str() == MEMBERS => continue,
            Item::Object(record) => record,
        };
        if record.revision > revision || !seen.insert(record.revision) {
            let wrong = format!("{} in it has revision {}, which cannot be", record.key, record.revision);
            return Err(StoreError::Storage(format!("the backup is not whole: {wrong}")));
        }
        resources.insert(record.key.resource.clone());
        let object = Arc::new(Object::new(record.key, record.meta, &record.body, record.revision));
        batch.changes.push(Arc::new(Change { revision: record.revision, object, previous: None, deleted: false }));
        objects += 1;
        if batch.changes.len() == BATCH {
            let full = std::mem::take(&mut batch);
            // Not readable as a state before the last batch says what it is.
            offline.disk.applied(vec![entry(full)], Progress::default()).await.map_err(storage)?;
        }
    }
    let floor = begins.revision;
    batch.floors = resources.into_iter().map(|resource| (resource, floor)).collect();
    let first = LogId::new(0.into(), 0);
    let progress = Progress {
        applied: Some(first),
        membership: Arc::new(members(config, first)?),
        revision: floor,
        term: 0,
        epoch: begins.epoch,
        base_floor: floor,
    };
    offline.disk.applied(vec![entry(batch)], progress).await.map_err(storage)?;
    // Says whether all of it reached the disk.
    drop(offline.disk.snapshot().await.map_err(storage)?);
    offline.log.purge_durably(first).await.map_err(storage)?;
    lineage::write(&*offline.tree, lineage::draw()).map_err(storage)?;
    Ok(objects)
}

fn entry(applied: Applied) -> AppliedEntry {
    AppliedEntry { applied, origin: None }
}

/// All configured masters vote.
fn members(config: &StoreConfig, at: LogId) -> Result<Membership, StoreError> {
    let nodes: BTreeMap<u64, Member> = config.members.iter().map(|member| (member.id, member.into())).collect();
    let voters = nodes.keys().copied().collect();
    let membership = openraft::Membership::new(vec![voters], nodes);
    let membership = membership.map_err(|error| StoreError::Storage(format!("settings of the store: {error}")))?;
    Ok(Membership::new(Some(at), membership))
}

fn backup(error: BackupError) -> StoreError {
    StoreError::Storage(error.to_string())
}

fn unused(path: &Path) -> Result<(), StoreError> {
    let held = match std::fs::read_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        listed => listed.and_then(|mut entries| entries.next().transpose()),
    };
    match held {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err(StoreError::Storage(format!(
            "data directory {} holds data already: a backup is restored into a new one; move it away first",
            path.display()
        ))),
        Err(error) => Err(StoreError::Storage(format!("data directory {}: {error}", path.display()))),
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".restoring");
    PathBuf::from(name)
}

fn clear(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::Storage(format!("{}: {error}", path.display())))
        }
        _ => Ok(()),
    }
}

/// Over the empty directory that may be there.
fn put_in_place(staging: &Path, path: &Path) -> Result<(), StoreError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::rename(staging, path)
        .and_then(|()| std::fs::File::open(parent)?.sync_all())
        .map_err(|error| StoreError::Storage(format!("{}: {error}", path.display())))
}
