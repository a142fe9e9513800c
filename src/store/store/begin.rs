//! How a member that was opened takes part: it starts Raft and votes once it may.

use super::storage;
use crate::border::StoreError;
use crate::files::Tree;
use crate::lineage;
use crate::log::LogStorage;
use crate::member::bootstrap::{self, Known, Start};
use crate::member::{Core, follow_leadership};
use crate::peers::Factory;
use crate::raft::StateMachine;
use crate::raft::config::Timing;
use crate::raft::types::{Member, Raft};
use crate::rt::{self, Instant};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Between two tries to hear from a leader whether this member has caught up.
const AGAIN: Duration = Duration::from_millis(100);

/// Starts Raft, with an empty disk after finding out how, and follows it to its end.
pub(super) async fn run(
    core: Arc<Core>,
    config: Arc<openraft::Config>,
    log: LogStorage,
    machine: StateMachine,
    tree: Arc<dyn Tree>,
) {
    match start(&core, config, log, machine, tree).await {
        Ok(raft) => follow_leadership(core, raft).await,
        Err(error) => core.end(error),
    }
}

async fn start(
    core: &Arc<Core>,
    config: Arc<openraft::Config>,
    log: LogStorage,
    machine: StateMachine,
    tree: Arc<dyn Tree>,
) -> Result<Raft, StoreError> {
    let mut initialize = false;
    let mut rejoining = log.log().rejoining();
    if log.last_index().is_none() && !rejoining {
        let known = Known::read(&core.config).await?;
        let own = (core.door.lineage(), log.vote());
        let (begin, lineage) = bootstrap::gather(&core.config, known, &*core.transport, own).await;
        if lineage != core.door.lineage() {
            // Before anything of that lineage is stored.
            rt::blocking(move || lineage::write(&*tree, lineage)).await.map_err(storage)?.map_err(storage)?;
            core.transport.set_lineage(lineage);
            core.door.set_lineage(lineage);
        }
        let vote = match begin {
            Start::Initialize => {
                initialize = true;
                None
            }
            Start::Join(vote) => vote,
            Start::Removed(why) => return Err(StoreError::Removed(why)),
            Start::Rejoin(vote) => {
                tracing::warn!("the cluster exists and this member's disk is empty: it catches up before it votes");
                rejoining = true;
                vote
            }
        };
        if let Some(vote) = vote {
            log.preset_vote(vote).await.map_err(storage)?;
        }
        log.log().set_rejoining(rejoining).map_err(storage)?;
    }
    // A member that has ever had entries may have given a leader its lease and forgotten it with its last process.
    let held =
        (rejoining || log.last_index().is_some()).then(|| Instant::now() + Timing::of(core.config.profile).lease());
    let factory = Factory::new(core);
    let ending = Arc::downgrade(core);
    let machine = machine.of_level(core.config.level, move |error| {
        if let Some(core) = ending.upgrade() {
            core.end(error);
        }
    });
    let raft = Raft::build(core.config.member, config, factory, log.clone(), machine).await;
    let raft = raft.map_err(|error| StoreError::Storage(error.to_string()))?;
    raft.runtime_config().elect(held.is_none());
    raft.run();
    let _ = core.raft.set(raft.clone());
    core.door.open(raft.clone(), held.is_none());
    if initialize {
        let members: BTreeMap<u64, Member> =
            core.config.members.iter().map(|member| (member.id, member.into())).collect();
        if let Err(error) = raft.initialize(members).await {
            tracing::warn!(%error, "the cluster could not be initialized");
        }
    }
    if let Some(held) = held {
        let (core, raft) = (core.clone(), raft.clone());
        rt::spawn(async move {
            rt::sleep_until(held).await;
            if !rejoining || catch_up(&core, log).await {
                raft.runtime_config().elect(true);
                core.door.allow_votes();
            }
        });
    }
    Ok(raft)
}

/// Waits until this member holds what a leader says is committed: then it may vote again.
async fn catch_up(core: &Core, log: LogStorage) -> bool {
    loop {
        match core.read().await {
            Ok(_) => break,
            Err(StoreError::Closed) => return false,
            // It serves no more: its disk failed, or it was removed while it was away.
            Err(_) if core.check().is_err() => return false,
            // No leader within a read's patience, or too many readers wait.
            Err(_) => rt::sleep(AGAIN).await,
        }
    }
    let cleared = rt::blocking(move || log.log().set_rejoining(false)).await;
    match cleared {
        Ok(Ok(())) => {
            tracing::info!("this member has caught up: it votes again");
            return true;
        }
        Ok(Err(error)) => core.end(storage(error)),
        Err(error) => tracing::error!(%error, "the end of catching up was not stored"),
    }
    false
}
