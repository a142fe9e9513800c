//! What a member's `/metrics` shows.

use crate::member::Core;
use crate::metrics::{QUEUES, Text};
use openraft::async_runtime::watch::WatchReceiver;
use std::path::Path;

impl Core {
    /// All of the store's metrics, in Prometheus' text form.
    pub(crate) fn figures(&self) -> String {
        let mut text = Text::default();
        self.metrics.write(&mut text);
        let limit = self.config.max_proposals;
        let (proposals, forwarded) = (self.proposals.room(), self.door.forwarded_room());
        let waiting = [limit - proposals.0, limit - forwarded.0, self.reads.waiting()];
        text.gauges(
            "raftsman_store_queue_requests",
            "Requests that wait, by queue.",
            "queue",
            QUEUES.into_iter().zip(waiting),
        );
        let bytes = self.config.max_proposal_bytes;
        let bytes = [bytes.saturating_sub(proposals.1), bytes.saturating_sub(forwarded.1)];
        text.gauges(
            "raftsman_store_queue_bytes",
            "Bytes of requests that wait, by queue.",
            "queue",
            QUEUES.into_iter().zip(bytes),
        );
        self.raft_figures(&mut text);
        let size = |name: &str| bytes_in(&self.config.data_dir.join(name));
        let sizes = ["log", "state", "snapshots", "incoming"].map(|name| (name, size(name)));
        text.gauges("raftsman_store_disk_bytes", "Bytes of files, by directory of the store.", "directory", sizes);
        text.finish()
    }

    fn raft_figures(&self, text: &mut Text) {
        let seen = self.seen.borrow().clone();
        let leads = self.leadership.borrow().leading.is_some();
        text.gauge("raftsman_raft_term", "The newest Raft term here.", seen.term);
        text.gauge("raftsman_raft_is_leader", "1 while this member leads.", u8::from(leads));
        text.gauge("raftsman_raft_has_leader", "1 while a leader is known here.", u8::from(seen.leader.is_some()));
        text.gauge("raftsman_store_revision", "The newest revision here.", self.published.view().revision());
        let Some(raft) = self.raft.get() else { return };
        let metrics = raft.metrics();
        let metrics = metrics.borrow_watched();
        let last = metrics.last_log_index.unwrap_or(0);
        let index = |id: &Option<crate::raft::types::LogId>| id.as_ref().map_or(0, |id| id.index());
        let indexes = [
            ("last", last),
            ("committed", index(&metrics.cluster_committed)),
            ("applied", self.published.applied.index().unwrap_or(0)),
            ("snapshot", index(&metrics.snapshot)),
            ("purged", index(&metrics.purged)),
        ];
        text.gauges("raftsman_raft_log_index", "Log indexes here, by how far they are.", "stage", indexes);
        // Only a leader knows how far the others are.
        let lag = metrics.replication.iter().flatten().filter(|(id, _)| **id != metrics.id);
        let lag = lag.map(|(id, matched)| (*id, last.saturating_sub(index(matched))));
        text.gauges("raftsman_raft_follower_lag_entries", "Entries that a follower lacks.", "member", lag);
    }
}

/// Bytes of the files in a directory; nothing for what goes away meanwhile.
fn bytes_in(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| {
        let data = entry.metadata().ok()?;
        Some(if data.is_dir() { bytes_in(&entry.path()) } else { data.len() })
    });
    sizes.sum()
}
