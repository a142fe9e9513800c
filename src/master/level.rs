//! The cluster's level follows its members' programs: each says what its own can do, and the leader raises the level when all
//! have said so. Who finds itself below it ends: the store itself applies nothing that comes after (with an error that says
//! so), and nothing goes on beside it.

use raftsman_state::level;
use raftsman_store::border::{Store, StoreError};
use std::sync::Arc;
use std::time::Duration;

/// Between two looks, and after a failed write.
const AGAIN: Duration = Duration::from_millis(500);

/// Follows it; `own` is this program's. Returns why this program may not go on, if that ever comes.
pub async fn follow(store: Arc<dyn Store>, member: u64, own: u32) -> String {
    let (mut revisions, mut leadership) = (store.revisions(), store.leadership());
    loop {
        revisions.borrow_and_update();
        let leading = leadership.borrow_and_update().leading;
        let view = store.view();
        let needed = level::cluster_level(&view);
        if needed > own {
            return StoreError::TooOld { needed, own }.to_string();
        }
        // A view of before the masters' word is no reason to say it again, but harmless.
        let members: Vec<u64> = store.status().members.iter().map(|member| member.id).collect();
        let txn = level::report(&view, member, own, env!("CARGO_PKG_VERSION"))
            .or_else(|| level::raise(&view, &members, leading?));
        if let Some(txn) = txn
            && let Err(error) = store.propose(txn).await
        {
            tracing::debug!(%error, "this program's level is not known to the others yet; trying again");
            tokio::time::sleep(AGAIN).await;
            continue;
        }
        // Revisions come by the thousand, levels with new programs.
        let changed = async {
            tokio::time::sleep(AGAIN).await;
            revisions.changed().await
        };
        tokio::select! {
            changed = changed => if changed.is_err() { std::future::pending().await },
            changed = leadership.changed() => if changed.is_err() { std::future::pending().await },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use raftsman_store::memory::MemoryStore;

    #[tokio::test]
    async fn a_single_master_raises_the_level_to_its_own_and_an_older_program_ends() {
        let store = Arc::new(MemoryStore::default());
        let newer = tokio::spawn(follow(store.clone(), 1, 7));
        let mut revisions = store.revisions();
        while level::cluster_level(&store.view()) < 7 {
            revisions.changed().await.unwrap();
        }
        newer.abort();
        let reason = follow(store.clone(), 1, 6).await;
        assert!(reason.contains("level 6") && reason.contains("level, 7"), "{reason}");
        assert_eq!(level::member_level(&store.view(), 1), Some(7), "it has said nothing");
    }
}
