//! All that one member counts.

use crate::metrics::{Histogram, Text};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where requests wait, within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queue {
    /// Proposals of this member's own clients.
    Proposals,
    /// Other members' proposals, on the leader.
    Forwarded,
    /// Linearizable reads.
    Reads,
}

/// Their names, in the order of [`Queue`].
pub(crate) const QUEUES: [&str; 3] = ["proposals", "forwarded", "reads"];

/// Counted where it happens; read when someone asks.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// From a proposal on this member to its outcome, wherever the leader is.
    pub(crate) proposal: Histogram,
    /// From a linearizable read's beginning to its view.
    pub(crate) read: Histogram,
    /// Writing one group to the log, and its fsync.
    pub(crate) fsync: Histogram,
    /// From an append to the log here until it was known here to be committed.
    pub(crate) commit: Histogram,
    /// Applying one batch of committed entries.
    pub(crate) apply: Histogram,
    /// Making one snapshot.
    pub(crate) snapshot: Histogram,
    /// Entries written to the log.
    pub(crate) appended: AtomicU64,
    /// Entries applied.
    pub(crate) applied: AtomicU64,
    /// Requests of other members to append, with and without entries.
    pub(crate) append_requests: AtomicU64,
    /// Times that a leader was seen that was not the leader before.
    pub(crate) leader_changes: AtomicU64,
    /// Rounds to the leader, or from the leader to a quorum, that reads shared.
    pub(crate) read_rounds: AtomicU64,
    refused: [AtomicU64; QUEUES.len()],
}

impl Metrics {
    /// So many requests were refused for want of room.
    pub(crate) fn refuse(&self, queue: Queue, count: usize) {
        self.refused[queue as usize].fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Writes what was counted.
    pub(crate) fn write(&self, text: &mut Text) {
        let histograms = [
            ("raftsman_store_proposal_duration_seconds", "From a proposal here to its outcome.", &self.proposal),
            ("raftsman_store_read_duration_seconds", "Linearizable reads.", &self.read),
            (
                "raftsman_raft_log_fsync_duration_seconds",
                "Writing one group to the Raft log, fsync included.",
                &self.fsync,
            ),
            (
                "raftsman_raft_commit_duration_seconds",
                "From an append to the Raft log here to its known commit.",
                &self.commit,
            ),
            ("raftsman_raft_apply_duration_seconds", "Applying one batch of entries.", &self.apply),
            ("raftsman_store_snapshot_duration_seconds", "Making one snapshot.", &self.snapshot),
        ];
        for (name, help, histogram) in histograms {
            text.histogram(name, help, histogram);
        }
        let counters = [
            ("raftsman_raft_log_entries_written_total", "Entries written to the Raft log.", &self.appended),
            ("raftsman_raft_entries_applied_total", "Entries applied.", &self.applied),
            ("raftsman_raft_append_requests_total", "AppendEntries sent, empty ones included.", &self.append_requests),
            ("raftsman_store_read_rounds_total", "Rounds to the leader or a quorum for reads.", &self.read_rounds),
            ("raftsman_raft_leader_changes_total", "Leaders that followed another.", &self.leader_changes),
        ];
        for (name, help, counter) in counters {
            text.counter(name, help, counter.load(Ordering::Relaxed));
        }
        let refused = QUEUES.into_iter().zip(&self.refused);
        text.counters(
            "raftsman_store_requests_refused_total",
            "Requests refused because a queue was full.",
            "queue",
            refused.map(|(queue, count)| (queue, count.load(Ordering::Relaxed))),
        );
    }
}
