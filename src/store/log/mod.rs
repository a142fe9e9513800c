//! The Raft log, on files of its own ([`crate::files`]).
//!
//! Appends return at once with the entries readable from the cache; one thread writes what has queued up meanwhile as one
//! **group**: one write and one sync serve many requests, and never hold up a heartbeat. Groups stand one after the other in
//! **segments**, files of a fixed size whose space was written before, so that a sync has no metadata to write; the next
//! one is prepared in advance, and purged ones are used again. A group carries entries and all else that a member must
//! remember (vote, purge point, truncation), so the newest one tells everything. What changes seldom, and which segments
//! there are, stands in the **manifest**.
//!
//! Every sector carries a checksum and the number of its group. How the end of the log is found, and how a write cut short
//! is told from damage: `recover` and `frame`. No error of a write or a sync is ever retried: the member ends.

mod appender;
mod cache;
mod damage;
mod frame;
mod group;
mod index;
mod manifest;
mod pool;
mod progress;
mod reader;
mod recover;
mod segment;
mod segment_log;
mod storage;
mod writer;

pub(crate) use progress::Progress;
pub(crate) use reader::LogReader;
pub(crate) use segment_log::{LogOptions, OpenLog, SegmentLog};
pub(crate) use storage::LogStorage;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod kill_tests;
#[cfg(test)]
mod log_tests;
