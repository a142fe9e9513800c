//! The store's views, for the runner of controllers.

use raftsman_controllers::Views;
use raftsman_state::View;
use raftsman_store::border::Store;
use std::sync::Arc;
use tokio::sync::watch;

/// Views of this member: on the leader they hold all that was acknowledged.
pub struct StoreViews(pub Arc<dyn Store>);

impl Views for StoreViews {
    fn view(&self) -> View {
        self.0.view()
    }

    fn revisions(&self) -> watch::Receiver<u64> {
        self.0.revisions()
    }
}
