//! A log index that only grows, and who waits for it.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::oneshot;

/// How far the published view is. Everyone who waits is woken once, when its own index is reached: not with every batch.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    /// The index after the newest that was reached.
    next: AtomicU64,
    waiting: Mutex<BTreeMap<u64, Vec<oneshot::Sender<()>>>>,
}

impl Reached {
    pub(crate) fn new(index: Option<u64>) -> Self {
        let this = Self::default();
        this.advance(index);
        this
    }

    /// The newest index that was reached.
    pub(crate) fn index(&self) -> Option<u64> {
        self.next.load(Ordering::Acquire).checked_sub(1)
    }

    /// This one is reached now, and all before it.
    pub(crate) fn advance(&self, index: Option<u64>) {
        let Some(index) = index else { return };
        // Before the lock: who comes after it sees it.
        self.next.fetch_max(index + 1, Ordering::AcqRel);
        let reached = {
            let mut waiting = self.waiting.lock();
            let later = waiting.split_off(&(index + 1));
            std::mem::replace(&mut *waiting, later)
        };
        for waiter in reached.into_values().flatten() {
            let _ = waiter.send(());
        }
    }

    /// Waits until an index is reached.
    pub(crate) async fn wait(&self, index: u64) {
        let reached = {
            if self.index() >= Some(index) {
                return;
            }
            let mut waiting = self.waiting.lock();
            if self.index() >= Some(index) {
                return;
            }
            let (waiter, reached) = oneshot::channel();
            let same = waiting.entry(index).or_default();
            // Who gave up needs no place.
            if same.len() == same.capacity() {
                same.retain(|waiter| !waiter.is_closed());
            }
            same.push(waiter);
            reached
        };
        // Its sender is dropped with this value only.
        let _ = reached.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn each_waits_for_its_own_index() {
        let reached = Reached::new(Some(3));
        assert_eq!(reached.index(), Some(3));
        assert!(reached.wait(3).now_or_never().is_some());
        let (mut five, mut seven) = (Box::pin(reached.wait(5)), Box::pin(reached.wait(7)));
        assert!((&mut five).now_or_never().is_none() && (&mut seven).now_or_never().is_none());
        reached.advance(Some(4));
        assert!((&mut five).now_or_never().is_none());
        reached.advance(Some(6));
        assert!((&mut five).now_or_never().is_some());
        assert!((&mut seven).now_or_never().is_none());
        reached.advance(Some(7));
        assert!(seven.now_or_never().is_some());
        assert!(reached.waiting.lock().is_empty());
    }

    #[test]
    fn it_never_goes_back_and_forgets_who_gave_up() {
        let reached = Reached::new(None);
        assert_eq!(reached.index(), None);
        for _ in 0..1000 {
            assert!(reached.wait(9).now_or_never().is_none());
        }
        assert!(reached.waiting.lock()[&9].len() < 100);
        reached.advance(Some(9));
        reached.advance(Some(2));
        assert_eq!(reached.index(), Some(9));
    }
}
