//! `/raftsman/v1/status`: the store as this master sees it, at once or as soon as somebody leads.

use super::Params;
use raftsman_api::status::Status;
use raftsman_store::border::{Store, StoreStatus};
use std::time::Duration;

/// The longest that a request may wait for a leader (seconds).
const LONGEST: i64 = 10;

/// The status. With `leaderWithinSeconds` it waits, so long at most, until a leader is known, and with
/// `leaderOtherThan` (a member's id) until another one is: right after a leader's death the others still name it.
///
/// # Errors
/// 400 for what is no number, or is out of range.
pub(crate) async fn status(store: &dyn Store, params: &Params) -> Result<StoreStatus, Status> {
    let Some(seconds) = params.number("leaderWithinSeconds")? else {
        return Ok(store.status());
    };
    if !(0..=LONGEST).contains(&seconds) {
        let why = format!("leaderWithinSeconds: {seconds} is out of range: say 0 to {LONGEST}");
        return Err(Status::bad_request(why));
    }
    let other_than = params.number("leaderOtherThan")?.and_then(|id| u64::try_from(id).ok());
    let mut leadership = store.leadership();
    let known = leadership.wait_for(|now| now.leader.is_some() && now.leader != other_than);
    // Without one in time, the status says so.
    let _ = tokio::time::timeout(Duration::from_secs(seconds.unsigned_abs()), known).await;
    Ok(store.status())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use raftsman_store::border::Leadership;
    use raftsman_store::memory::MemoryStore;

    #[tokio::test(start_paused = true)]
    async fn waits_for_a_new_leader_and_no_longer_than_asked() {
        let store = MemoryStore::default();
        let ask = |query: &'static str| async { status(&store, &Params::parse(query)).await };
        assert_eq!(ask("").await.unwrap().leader, Some(1));
        assert_eq!(ask("leaderWithinSeconds=5").await.unwrap().leader, Some(1));
        let elect = async {
            for leader in [None, Some(1), Some(2)] {
                tokio::time::sleep(Duration::from_secs(1)).await;
                store.set_leadership(Leadership { term: 2, leader, leading: None });
            }
        };
        let (found, ()) = tokio::join!(ask("leaderOtherThan=1&leaderWithinSeconds=5"), elect);
        assert_eq!(found.unwrap().leader, Some(2));
        assert_eq!(ask("leaderOtherThan=2&leaderWithinSeconds=5").await.unwrap().leader, Some(2), "says what it knows");
        for bad in ["leaderWithinSeconds=11", "leaderWithinSeconds=-1", "leaderWithinSeconds=x"] {
            assert_eq!(ask(bad).await.unwrap_err().code, 400, "{bad}");
        }
    }
}
