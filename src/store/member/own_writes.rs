//! The writes that clients have given this member, counted, so that it can be removed without leaving one in the dark.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tokio::sync::Notify;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct OwnWrites {
    under_way: AtomicUsize,
    /// Log index of the record of a removal that this member was told of; 0: none.
    drains: AtomicU64,
    none_left: Notify,
}

/// One write, until it is dropped.
#[derive(Debug)]
pub(crate) struct OwnWrite<'a>(&'a OwnWrites);

impl OwnWrites {
    /// Takes a write; `Err`: this member takes no more, for the removal recorded at this log index.
    pub(crate) fn begin(&self) -> Result<OwnWrite<'_>, u64> {
        // Counted first: a drain that begins now waits for it, or it sees the drain.
        self.under_way.fetch_add(1, Ordering::SeqCst);
        let write = OwnWrite(self);
        match self.drains.load(Ordering::SeqCst) {
            0 => Ok(write),
            recorded => Err(recorded),
        }
    }

    /// Takes no more writes from now on, for the removal recorded at this log index; returns when none is under way.
    pub(crate) async fn drain(&self, recorded: u64) {
        self.drains.store(recorded, Ordering::SeqCst);
        loop {
            let none_left = self.none_left.notified();
            tokio::pin!(none_left);
            none_left.as_mut().enable();
            if self.under_way.load(Ordering::SeqCst) == 0 {
                return;
            }
            none_left.await;
        }
    }

    /// Takes writes again, unless a later removal was begun: that one was given up.
    pub(crate) fn resume(&self, recorded: u64) {
        let _ = self.drains.compare_exchange(recorded, 0, Ordering::SeqCst, Ordering::SeqCst);
    }
}

impl Drop for OwnWrite<'_> {
    fn drop(&mut self) {
        if self.0.under_way.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.none_left.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use futures::FutureExt;

    #[test]
    fn a_drain_takes_no_more_and_waits_for_what_is_under_way() {
        let writes = OwnWrites::default();
        let (one, two) = (writes.begin().unwrap(), writes.begin().unwrap());
        let mut drained = Box::pin(writes.drain(7));
        assert!(drained.as_mut().now_or_never().is_none());
        assert_eq!(writes.begin().err(), Some(7), "one more was taken");
        drop(one);
        assert!(drained.as_mut().now_or_never().is_none(), "one is still under way");
        drop(two);
        assert!(drained.as_mut().now_or_never().is_some());
        writes.resume(5);
        assert_eq!(writes.begin().err(), Some(7), "an earlier removal was given up, not this one");
        writes.resume(7);
        assert!(writes.begin().is_ok());
    }
}
