//! How much may wait for an outcome at once: beyond it requests are refused early.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most bytes of one transaction. Members send entries in messages that hold many of this size; one that fits in none would
/// stand in the log for ever, and nothing after it would be replicated.
pub(crate) const MOST_BYTES: usize = 8 << 20;

/// Bounds in number and in bytes. What is larger than the bound in bytes is admitted alone, unless it is larger than
/// [`MOST_BYTES`].
#[derive(Debug)]
pub(crate) struct Admission {
    count: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    most_bytes: u32,
}

/// Room that is held until it is dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    _count: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

impl Admission {
    pub(crate) fn new(count: usize, bytes: usize) -> Self {
        let most_bytes = u32::try_from(bytes.clamp(1, Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        Self {
            count: Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS))),
            bytes: Arc::new(Semaphore::new(most_bytes as usize)),
            most_bytes,
        }
    }

    /// Room for requests of these sizes, all or none.
    pub(crate) fn admit(&self, sizes: impl IntoIterator<Item = usize>) -> Option<Admitted> {
        let (mut count, mut bytes) = (0u32, 0usize);
        for size in sizes {
            if size > MOST_BYTES {
                return None;
            }
            count = count.checked_add(1)?;
            bytes = bytes.saturating_add(size);
        }
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.most_bytes);
        let count = self.count.clone().try_acquire_many_owned(count).ok()?;
        let bytes = self.bytes.clone().try_acquire_many_owned(bytes).ok()?;
        Some(Admitted { _count: count, _bytes: bytes })
    }

    /// How many requests could still be admitted, and how many bytes.
    pub(crate) fn room(&self) -> (usize, usize) {
        (self.count.available_permits(), self.bytes.available_permits())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_bounds_hold_and_room_comes_back() {
        let admission = Admission::new(3, 100);
        let first = admission.admit([60]).unwrap();
        assert!(admission.admit([41]).is_none(), "too many bytes");
        assert!(admission.admit([1, 1, 1]).is_none(), "too many requests");
        let second = admission.admit([20, 20]).unwrap();
        assert_eq!(admission.room(), (0, 0));
        drop(first);
        assert_eq!(admission.room(), (1, 60));
        drop(second);
        let alone = admission.admit([1_000]).unwrap();
        assert!(admission.admit([1]).is_none());
        drop(alone);
        assert_eq!(admission.room(), (3, 100));
        assert!(admission.admit([MOST_BYTES]).is_some());
        assert!(admission.admit([MOST_BYTES + 1]).is_none(), "larger than an entry may be");
    }
}
