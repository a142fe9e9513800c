//! What a leader does for the members by itself: ends what another leader began, lets learners vote that have caught up.

use crate::border::ChangeError;
use crate::member::Core;
use crate::member::membership::plan::{is_pending, settle};
use crate::raft::config::Timing;
use crate::rt::{self, Instant};
use std::sync::Weak;
use std::time::Duration;

/// While a learner catches up, its progress is looked at so often.
const LOOK: Duration = Duration::from_millis(200);

/// Runs until the store is gone.
pub(crate) async fn tend_members(core: Weak<Core>) {
    let Some((mut leadership, mut seen)) =
        core.upgrade().map(|core| (core.leadership.subscribe(), core.seen.subscribe()))
    else {
        return;
    };
    loop {
        let leading = leadership.borrow_and_update().leading.is_some();
        seen.borrow_and_update();
        let again = match core.upgrade() {
            None => return,
            Some(core) if core.ended.borrow().is_some() => return,
            Some(core) if leading => tend(&core).await,
            Some(_) => false,
        };
        let changed = async {
            tokio::select! {
                biased;
                changed = leadership.changed() => changed,
                changed = seen.changed() => changed,
            }
        };
        let changed = if again { rt::timeout(LOOK, changed).await.unwrap_or(Ok(())) } else { changed.await };
        if changed.is_err() {
            return;
        }
    }
}

/// True: there is something left that time brings about.
async fn tend(core: &Core) -> bool {
    // A change that is under way looks after itself, and this again afterwards.
    let Ok(_turn) = core.changes.try_lock() else { return true };
    let Ok(raft) = core.raft().cloned() else { return false };
    let tended = async {
        core.end_joint(&raft).await?;
        loop {
            // Only who answers from here on counts as alive.
            let begun = Instant::now();
            rt::sleep(Timing::of(core.config.profile).round()).await;
            let (roster, mut at) = core.roster(&raft, begun.elapsed()).await?;
            let steps = settle(&roster);
            if steps.is_empty() {
                return Ok(is_pending(&roster));
            }
            if core.would_vote(&raft, &steps, &roster).await.is_err() {
                return Ok(true);
            }
            for step in steps {
                tracing::info!(?step, "changing the members");
                at = core.step(&raft, step, at).await?;
            }
        }
    };
    match tended.await {
        Ok(pending) => pending,
        Err(ChangeError::NotLeader { .. }) => false,
        Err(error) => {
            tracing::warn!(%error, "the members are not as they should be yet");
            true
        }
    }
}
