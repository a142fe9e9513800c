//! A member's log, for comparison with others.

use crate::border::{Store, StoreError};
use crate::codec::encode;
use crate::raft::types::term_of;
use crate::store::RaftStore;
use openraft::RaftLogReader;
use openraft::entry::RaftEntry;
use openraft::storage::RaftLogStorage;
use std::io;

/// Index, term and a digest (FNV-1a) of every entry from this index on that is held and applied.
pub(crate) async fn committed(store: &RaftStore, from: u64) -> Result<Vec<(u64, u64, u64)>, StoreError> {
    let failed = |error: io::Error| StoreError::Storage(error.to_string());
    let mut log = store.door().log().ok_or(StoreError::Closed)?;
    let purged = log.get_log_state().await.map_err(failed)?.last_purged_log_id;
    let first = purged.map_or(0, |purged| purged.index() + 1).max(from);
    let end = store.status().applied + 1;
    if first >= end {
        return Ok(Vec::new());
    }
    let entries = log.get_log_reader().await.try_get_log_entries(first..end).await.map_err(failed)?;
    let digest = |bytes: Vec<u8>| {
        bytes
            .iter()
            .fold(0xcbf2_9ce4_8422_2325, |digest: u64, byte| (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
    };
    let told = entries.iter().map(|entry| Ok((entry.index(), term_of(&entry.log_id()), digest(encode(entry)?))));
    told.collect::<io::Result<_>>().map_err(failed)
}
