//! Waiting for something to become true of a pod.

use crate::pods::local::Inner;
use std::time::Duration;
use tokio::time::Instant;

/// Should a supervisor's word be lost, the files are looked at this often.
const FALLBACK: Duration = Duration::from_millis(500);

/// Waits until `is_true`, looking whenever something changes. `false` when the time is over.
pub(crate) async fn wait_until(inner: &Inner, patience: Duration, mut is_true: impl FnMut() -> bool) -> bool {
    let mut events = inner.events.subscribe();
    let deadline = Instant::now() + patience;
    loop {
        if is_true() {
            return true;
        }
        let now = Instant::now();
        if now >= deadline {
            return false;
        }
        let _ = tokio::time::timeout(FALLBACK.min(deadline - now), events.recv()).await;
    }
}
