//! Follows Raft's elections and turns them into [`Leadership`].

use crate::border::{Leadership, MemberAt, Members, StoreError};
use crate::codec::encode_bytes;
use crate::member::{Core, Seen};
use crate::raft::types::{Command, Member, Raft, term_of};
use crate::rt;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::Fatal;
use openraft::vote::RaftLeaderId;
use raftsman_state::Txn;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Runs until Raft ends.
pub(crate) async fn follow_leadership(core: Arc<Core>, raft: Raft) {
    let mut metrics = raft.server_metrics();
    let mut established: Option<u64> = None;
    let mut stalls = core.door.stalls();
    loop {
        let stalled = *stalls.borrow_and_update();
        let seen = {
            let now = metrics.borrow_watched();
            Seen { term: now.vote.leader_id.term(), leader: now.current_leader, members: now.membership_config.clone() }
        };
        let ours = seen.leader == Some(core.config.member);
        core.seen.send_if_modified(|before| {
            let changed = *before != seen;
            if changed {
                let other = seen.leader.is_some() && (before.leader, before.term) != (seen.leader, seen.term);
                core.metrics.leader_changes.fetch_add(u64::from(other), Ordering::Relaxed);
                *before = seen.clone();
            }
            changed
        });
        publish_members(&core, &seen);
        established = established.filter(|term| ours && !stalled && *term == seen.term);
        publish(&core, &seen, established);
        let changed = if ours && !stalled && established.is_none() {
            tokio::select! {
                biased;
                confirmed = establish(&raft, seen.term) => {
                    established = confirmed.then_some(seen.term);
                    if confirmed {
                        continue;
                    }
                    // Refused or lost: try again unless something else happens first.
                    tokio::select! {
                        biased;
                        changed = metrics.changed() => changed,
                        () = rt::sleep(Duration::from_millis(50)) => Ok(()),
                    }
                }
                changed = metrics.changed() => changed,
            }
        } else {
            tokio::select! {
                biased;
                changed = metrics.changed() => changed,
                // Its sender lives as long as `core`.
                _ = stalls.changed() => Ok(()),
            }
        };
        if changed.is_err() {
            break;
        }
    }
    let reason = raft.metrics().borrow_watched().running_state.clone();
    core.end(match reason {
        Err(Fatal::Stopped) => StoreError::Closed,
        // It ended without a word, and this member had not been told to end: that would have come first.
        Ok(()) => StoreError::Storage("Raft has ended by a panic, which the log shows".into()),
        Err(fatal) => StoreError::Storage(fatal.to_string()),
    });
}

fn publish(core: &Core, seen: &Seen, leading: Option<u64>) {
    let leading = leading.filter(|_| core.ended.borrow().is_none());
    core.lease.establish(leading);
    let leadership = Leadership { term: seen.term, leader: seen.leader, leading };
    core.leadership.send_if_modified(|before| {
        let changed = *before != leadership;
        *before = leadership;
        changed
    });
}

fn publish_members(core: &Core, seen: &Seen) {
    let voters: BTreeSet<u64> = seen.members.voter_ids().collect();
    let at = |(id, member): (&u64, &Member)| MemberAt {
        id: *id,
        name: member.name.clone(),
        address: member.address.clone(),
        voter: voters.contains(id),
    };
    let members = Members { all: seen.members.nodes().map(at).collect() };
    core.members.send_if_modified(|before| {
        let changed = **before != members;
        if changed {
            *before = Arc::new(members);
        }
        changed
    });
}

/// Has an entry of this process applied in this term.
async fn establish(raft: &Raft, term: u64) -> bool {
    let Ok(nothing) = encode_bytes(&Txn::default()) else {
        return false;
    };
    match raft.client_write(Command(nothing)).await {
        Ok(written) => term_of(&written.log_id) == term,
        Err(_) => false,
    }
}
