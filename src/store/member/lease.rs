//! Reads without a round to the others, while the leader's lease lasts.
//!
//! # Why they are safe
//!
//! A member that takes anything from a leader refuses votes, and does not stand itself, until its own clock has gone on
//! by the lease ([`Timing::lease`]). So when a quorum has acknowledged what a leader sent at `t`, nobody else is elected
//! before `t` plus the lease on the fastest of their clocks. The leader trusts that for three quarters of the lease, on
//! its own clock, from the time of *sending*.
//!
//! What is assumed: monotonic clocks of two masters differ in speed by less than a quarter (crystals differ by less than a
//! thousandth), and a master's clock goes on while the master does not run. A process that is stopped, a busy processor or
//! a frozen container keep that; a *machine* that is suspended does not, which is why a jump of the boot clock against
//! the monotonic one ends the use of leases here for as long as they last. A virtual machine whose hypervisor stops its
//! clocks unseen, or that is resumed from a saved state, breaks the assumption: switch leases off there
//! ([`crate::StoreConfig::lease_reads`]; `timing.leaseReads` in a host's configuration).
//!
//! What would break it and is prevented: a member that restarts forgets whom it gave its lease, so it neither votes nor
//! stands for that long ([`crate::RaftStore`]); a transfer of leadership elects at once, so the term's lease is void before
//! the transfer is sent ([`Lease::void`]).

use crate::raft::config::Timing;
use crate::raft::types::Raft;
use crate::rt::{Instant, suspended};
use openraft::async_runtime::watch::WatchReceiver;
use openraft::vote::RaftLeaderId;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Clocks may seem to jump by so much between two looks at both of them.
const JITTER: Duration = Duration::from_millis(5);

/// What this member knows of its own lease.
#[derive(Debug)]
pub(crate) struct Lease {
    /// How long it is trusted after a quorum acknowledged; `None`: never.
    trusted: Option<Duration>,
    /// The term after that in which this process leads and has applied an entry of its own; 0: it does not.
    established: AtomicU64,
    /// The term after the newest whose leadership was offered to another member.
    void_below: AtomicU64,
    clocks: Mutex<Clocks>,
}

#[derive(Debug)]
struct Clocks {
    /// The boot clock less the monotonic one.
    suspended: Duration,
    /// Not trusted before this.
    after: Option<Instant>,
}

impl Lease {
    pub(crate) fn new(timing: Timing, enabled: bool) -> Self {
        Self {
            trusted: enabled.then(|| timing.lease() * 3 / 4),
            established: AtomicU64::new(0),
            void_below: AtomicU64::new(0),
            clocks: Mutex::new(Clocks { suspended: suspended(), after: None }),
        }
    }

    /// This process leads in a term and has applied an entry of its own in it: what others had acknowledged before is
    /// applied here, and what it acknowledges itself is applied first.
    pub(crate) fn establish(&self, term: Option<u64>) {
        self.established.store(term.map_or(0, |term| term + 1), Ordering::Release);
    }

    /// Leadership of this term is offered to another member.
    pub(crate) fn void(&self, term: u64) {
        self.void_below.fetch_max(term + 1, Ordering::AcqRel);
    }

    /// This member leads, and nobody else: what is applied here holds everything that was acknowledged anywhere.
    pub(crate) fn held(&self, raft: &Raft) -> bool {
        let Some(trusted) = self.trusted else { return false };
        let Some(term) = self.established.load(Ordering::Acquire).checked_sub(1) else { return false };
        if term < self.void_below.load(Ordering::Acquire) {
            return false;
        }
        let now = Instant::now();
        let metrics = raft.metrics();
        let acknowledged = {
            let metrics = metrics.borrow_watched();
            // All of one moment: a leadership that was lost and won again is another term.
            let leads = metrics.current_term == term && metrics.vote.leader_id.term() == term && metrics.vote.committed;
            let ours = metrics.current_leader == Some(metrics.id);
            metrics.last_quorum_acked.filter(|_| leads && ours).map(|at| *at)
        };
        acknowledged.is_some_and(|at| now < at + trusted) && self.clocks.lock().steady(suspended(), now, trusted)
    }
}

impl Clocks {
    /// Nothing was suspended of late.
    fn steady(&mut self, suspended: Duration, now: Instant, trusted: Duration) -> bool {
        if suspended.abs_diff(self.suspended) > JITTER {
            tracing::warn!("this machine was suspended: reads ask the other masters for a while");
            // What was acknowledged before it may be older than it seems.
            *self = Self { suspended, after: Some(now + trusted * 2) };
        }
        self.after.is_none_or(|after| now >= after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspension_is_distrusted_for_a_while() {
        let start = Instant::now();
        let trusted = Duration::from_millis(120);
        let mut clocks = Clocks { suspended: Duration::from_secs(9), after: None };
        let steady = |clocks: &mut Clocks, suspended: u64, at: u64| {
            clocks.steady(Duration::from_millis(suspended), start + Duration::from_millis(at), trusted)
        };
        assert!(steady(&mut clocks, 9_003, 0));
        assert!(!steady(&mut clocks, 9_200, 10));
        assert!(!steady(&mut clocks, 9_200, 200));
        assert!(steady(&mut clocks, 9_200, 250));
    }
}
