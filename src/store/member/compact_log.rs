//! Keeps the log short: snapshots by the bytes that would have to be applied again, and which entries go.
//!
//! Raft itself purges nothing here: it counts entries, and takes what a member still needs after the snapshot that is being
//! sent to it, so that a slow transfer under writes would never come to its end.

use crate::files::Tree;
use crate::member::Core;
use crate::raft::types::{LogId, Raft};
use crate::rt;
use openraft::async_runtime::watch::WatchReceiver;
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How often the log is looked at.
const EVERY: Duration = Duration::from_millis(500);

/// Files of the log that may hold nothing yet: the one being filled, one made ahead, and spare ones.
const EMPTY: u64 = 4;

/// What the log of a member is like. Entries are counted from 0; ends are the index after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    /// Entries before this are gone.
    begin: u64,
    /// Entries before this are in the newest snapshot.
    snapshot: u64,
    /// Entries before this are applied.
    applied: u64,
    /// Entries before this are there.
    end: u64,
    /// Bytes of files that hold entries.
    bytes: u64,
    /// Every other member has the entries before this; only a leader knows, and it counts only what that one acknowledged.
    held: Option<u64>,
}

/// What the configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limits {
    /// Entries that stay below a snapshot.
    keep: u64,
    snapshot_bytes: u64,
    log_bytes: u64,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Plan {
    snapshot: bool,
    /// Entries before this go.
    purge: Option<u64>,
}

fn plan(look: Look, limits: Limits) -> Plan {
    let count = look.end.saturating_sub(look.begin).max(1);
    // As if all were of one size: sizes of files are known, those of entries not.
    let bytes_of = |entries: u64| share(look.bytes, entries, count);
    let snapshot = bytes_of(look.applied.saturating_sub(look.snapshot)) >= limits.snapshot_bytes;
    // A member that is being sent a snapshot has acknowledged less than what is there: all that follows its snapshot stays.
    let wanted = look.snapshot.saturating_sub(limits.keep).min(look.held.unwrap_or(u64::MAX));
    let too_long = look.bytes > limits.log_bytes;
    // A quarter more than must be, so that this is not done for every entry.
    let stay = share(count, limits.log_bytes / 4 * 3, look.bytes.max(1));
    let forced = if too_long { look.end.saturating_sub(stay).min(look.snapshot) } else { 0 };
    let upto = wanted.max(forced);
    Plan {
        snapshot: snapshot || (too_long && look.applied > look.snapshot),
        purge: (upto > look.begin).then_some(upto),
    }
}

/// `whole` × `part` ÷ `of`.
fn share(whole: u64, part: u64, of: u64) -> u64 {
    u64::try_from(u128::from(whole) * u128::from(part) / u128::from(of.max(1))).unwrap_or(u64::MAX)
}

/// Does so until the store is gone.
pub(crate) async fn compact_log(core: Weak<Core>, tree: Arc<dyn Tree>, segment_bytes: u64) {
    loop {
        rt::sleep(EVERY).await;
        let Some(core) = core.upgrade() else { break };
        if core.ended.borrow().is_some() {
            break;
        }
        let Some(raft) = core.raft.get() else { continue };
        let (root, spare) = (tree.clone(), segment_bytes * EMPTY);
        let bytes = match rt::blocking(move || log_bytes(&*root)).await {
            Ok(Ok(bytes)) => bytes.saturating_sub(spare),
            // A disk that fails is told by those who must write.
            Ok(Err(error)) | Err(error) => {
                tracing::debug!(%error, "the size of the log is not known");
                continue;
            }
        };
        let every = core.config.snapshot_every;
        let limits =
            Limits { keep: every / 2, snapshot_bytes: core.config.snapshot_bytes, log_bytes: core.config.log_bytes };
        let plan = plan(look(raft, bytes), limits);
        // What ended meanwhile has said why.
        if plan.snapshot {
            let _ = raft.trigger().snapshot().await;
        }
        if let Some(before) = plan.purge {
            let _ = raft.trigger().purge_log(before - 1).await;
        }
    }
}

fn look(raft: &Raft, bytes: u64) -> Look {
    let metrics = raft.metrics();
    let metrics = metrics.borrow_watched();
    let after = |id: &Option<LogId>| id.as_ref().map_or(0, |id| id.index() + 1);
    let others = metrics.replication.as_ref().map(|all| all.iter().filter(|(id, _)| **id != metrics.id));
    Look {
        begin: after(&metrics.purged),
        snapshot: after(&metrics.snapshot),
        applied: after(&metrics.last_applied),
        end: metrics.last_log_index.map_or(0, |index| index + 1),
        bytes,
        held: others.and_then(|others| others.map(|(_, matched)| after(matched)).min()),
    }
}

/// Bytes of the log's files.
fn log_bytes(tree: &dyn Tree) -> io::Result<u64> {
    let files = tree.directory("log")?;
    let mut bytes = 0;
    for name in files.list()? {
        match files.open(&name).and_then(|file| file.size()) {
            Ok(size) => bytes += size,
            // Removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { keep: 100, snapshot_bytes: 10_000, log_bytes: 100_000 };

    /// Entries of 10 bytes.
    const LOOK: Look = Look { begin: 1_000, snapshot: 1_500, applied: 2_000, end: 2_000, bytes: 10_000, held: None };

    #[test]
    fn a_snapshot_is_due_by_the_bytes_since_the_last() {
        assert!(!plan(LOOK, LIMITS).snapshot);
        assert!(plan(Look { bytes: 20_000, ..LOOK }, LIMITS).snapshot);
        assert!(!plan(Look { bytes: 20_000, snapshot: 1_990, ..LOOK }, LIMITS).snapshot);
        assert!(!plan(Look { begin: 0, snapshot: 0, applied: 0, end: 0, bytes: 0, held: None }, LIMITS).snapshot);
    }

    #[test]
    fn what_members_lack_stays_and_some_for_those_that_lag_a_little() {
        assert_eq!(plan(LOOK, LIMITS).purge, Some(1_400));
        assert_eq!(plan(Look { held: Some(1_999), ..LOOK }, LIMITS).purge, Some(1_400));
        assert_eq!(plan(Look { held: Some(1_200), ..LOOK }, LIMITS).purge, Some(1_200));
        // It has nothing, and is sent a snapshot: what comes after that stays.
        assert_eq!(plan(Look { held: Some(0), ..LOOK }, LIMITS).purge, None);
        assert_eq!(plan(Look { snapshot: 0, ..LOOK }, LIMITS).purge, None);
    }

    #[test]
    fn a_log_that_is_too_long_goes_whoever_lacks_it_but_never_beyond_a_snapshot() {
        let long = Look { bytes: 200_000, held: Some(0), snapshot: 1_990, ..LOOK };
        // 75,000 bytes of 200 a piece stay.
        assert_eq!(plan(long, LIMITS), Plan { snapshot: true, purge: Some(1_625) });
        assert_eq!(plan(Look { snapshot: 1_500, ..long }, LIMITS), Plan { snapshot: true, purge: Some(1_500) });
        assert_eq!(plan(Look { snapshot: 900, ..long }, LIMITS), Plan { snapshot: true, purge: None });
    }
}
