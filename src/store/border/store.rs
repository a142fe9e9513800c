//! The trait that the API server, the leader's duties and the node streams stand on.

use crate::border::{Health, Leadership, StoreError, StoreStatus};
use raftsman_state::{Outcome, Txn, View};
use std::time::Duration;
use tokio::sync::watch;

/// A replicated map. Any member answers everything.
#[async_trait::async_trait]
pub trait Store: Send + Sync + 'static {
    /// The view as it is here and now, perhaps behind (`resourceVersion=0`).
    fn view(&self) -> View;

    /// A linearizable view: it holds every write that was acknowledged anywhere before this call.
    async fn read(&self) -> Result<View, StoreError>;

    /// The term in which this member leads, confirmed by a majority in a round of messages that began after this call.
    /// Whoever leads later was elected after it.
    async fn confirm(&self) -> Result<u64, StoreError>;

    /// A view at this revision or newer, waiting for it at most so long, else [`StoreError::Behind`].
    async fn at_least(&self, revision: u64, wait: Duration) -> Result<View, StoreError>;

    /// Replicates and applies; forwarded to the leader when that is another member, and re-sent to the next leader when it
    /// dies, with one outcome. When it returns, [`Store::view`] of this member holds it too. Cancelling the future does
    /// not undo the write.
    async fn propose(&self, txn: Txn) -> Result<Outcome, StoreError>;

    /// The newest published revision; changes after every transaction that made changes, once its view is published.
    fn revisions(&self) -> watch::Receiver<u64>;

    /// Who leads.
    fn leadership(&self) -> watch::Receiver<Leadership>;

    /// Whether linearizable answers are possible.
    fn health(&self) -> watch::Receiver<Health>;

    /// Counters and histograms in Prometheus' text form, for `/metrics`; reads the sizes of files.
    fn metrics(&self) -> String;

    /// For people.
    fn status(&self) -> StoreStatus;
}
