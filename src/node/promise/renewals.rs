//! The thread that renews.

use super::Keeper;
use crate::error::AgentError;
use crate::stream::Identity;
use parking_lot::RwLock;
use raftsman_proto::v1::masters_client::MastersClient;
use raftsman_proto::v1::{RenewRequest, RenewResponse};
use raftsman_runtime::border::Pods;
use raftsman_runtime::{boottime, hurry_this_thread};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

/// From one renewal to the next.
const EVERY: Duration = Duration::from_secs(1);
/// An answer that takes longer is asked of another master.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Between two masters.
const NEXT: Duration = Duration::from_millis(100);

/// Under which row of renewals the node stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// [`raftsman_runtime::border::Promise::epoch`].
    pub epoch: u32,
    /// The term of the leader that answered its first renewal in this life of the agent.
    pub term: u64,
}

/// Renews the promise while the agent lives.
pub struct Renewals {
    /// Who we are.
    pub identity: Identity,
    /// The cluster's id.
    pub cluster_id: String,
    /// The node's name.
    pub node: String,
    /// Masters, `ip:port`, as far as they are known.
    pub masters: Arc<RwLock<Vec<String>>>,
    /// Where the promise is written.
    pub pods: Arc<dyn Pods>,
    /// No promise holds for longer.
    pub most: Duration,
    /// Told when a row begins.
    pub standing: watch::Sender<Standing>,
}

impl Renewals {
    /// Starts the thread; it ends with `shutdown`.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(self, shutdown: CancellationToken) -> Result<(), AgentError> {
        let failed = |error: std::io::Error| AgentError::Preflight(format!("a thread for renewals: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let work = move || {
            hurry_this_thread();
            runtime.block_on(async {
                tokio::select! {
                    () = self.renew() => {}
                    () = shutdown.cancelled() => {}
                }
            });
        };
        std::thread::Builder::new().name("renewals".to_owned()).spawn(work).map(drop).map_err(failed)
    }

    async fn renew(self) {
        let mut keeper = Keeper::new(self.pods.promise(), self.most);
        let mut at: usize = rand::random_range(0..1024);
        loop {
            let masters = self.masters.read().clone();
            if let Some(master) = masters.get(at % masters.len().max(1))
                && let Ok(endpoint) = self.identity.channel(master)
                && let Ok(Ok(channel)) = timeout(PATIENCE, endpoint.connect()).await
            {
                self.at(channel, &mut keeper).await;
                tracing::debug!(master, "no answer to a renewal; asking the next master");
            }
            at = at.wrapping_add(1);
            sleep(NEXT).await;
        }
    }

    /// Renews at one master until it does not answer.
    async fn at(&self, channel: Channel, keeper: &mut Keeper) {
        let mut client = MastersClient::new(channel);
        loop {
            let sent = boottime();
            let request = RenewRequest { cluster_id: self.cluster_id.clone(), node: self.node.clone() };
            let Ok(Ok(answer)) = timeout(PATIENCE, client.renew(request)).await else { return };
            let RenewResponse { renewed, term, valid_ms } = answer.into_inner();
            if !renewed {
                return;
            }
            let promise = keeper.renewed(sent, Duration::from_millis(valid_ms), boottime());
            self.pods.set_promise(promise);
            self.standing.send_if_modified(|standing| {
                let news = standing.epoch != promise.epoch;
                if news {
                    *standing = Standing { epoch: promise.epoch, term };
                }
                news
            });
            sleep(EVERY.saturating_sub(boottime().saturating_sub(sent))).await;
        }
    }
}
