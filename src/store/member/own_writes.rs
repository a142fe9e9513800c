//! The writes that clients have given this member, counted, so that it can be removed without leaving one in the dark.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::Notify;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct OwnWrites {
    under_way: AtomicUsize,
    drains: AtomicBool,
    none_left: Notify,
}

/// One write, until it is dropped.
#[derive(Debug)]
pub(crate) struct OwnWrite<'a>(&'a OwnWrites);

impl OwnWrites {
    /// Takes a write; `None`: this member takes no more.
    pub(crate) fn begin(&self) -> Option<OwnWrite<'_>> {
        // Counted first: a drain that begins now waits for it, or it sees the drain.
        self.under_way.fetch_add(1, Ordering::SeqCst);
        let write = OwnWrite(self);
        (!self.drains.load(Ordering::SeqCst)).then_some(write)
    }

    /// Takes no more writes from now on; returns when none is under way.
    pub(crate) async fn drain(&self) {
        self.drains.store(true, Ordering::SeqCst);
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

    /// Takes writes again: this member stays.
    pub(crate) fn resume(&self) {
        self.drains.store(false, Ordering::SeqCst);
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
        let mut drained = Box::pin(writes.drain());
        assert!(drained.as_mut().now_or_never().is_none());
        assert!(writes.begin().is_none(), "one more was taken");
        drop(one);
        assert!(drained.as_mut().now_or_never().is_none(), "one is still under way");
        drop(two);
        assert!(drained.as_mut().now_or_never().is_some());
        writes.resume();
        assert!(writes.begin().is_some());
    }
}
