//! For tests: a thread that is waited for, so that no database is still open when the process ends (RocksDB aborts then).

use crate::rt::Worker;

/// Joins when dropped: to be declared after what keeps the thread alive.
pub(crate) struct Joined(pub Option<Worker>);

impl Drop for Joined {
    fn drop(&mut self) {
        let ended = self.0.take().is_none_or(Worker::join);
        assert!(std::thread::panicking() || ended, "the thread panicked");
    }
}
