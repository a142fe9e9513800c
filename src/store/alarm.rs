//! How a part that cannot go on tells its member.

use std::sync::Arc;
use tokio::sync::watch;

/// Raised once, by the first storage that fails; the member then ends with that reason. Clones are one and the same.
#[derive(Clone)]
pub(crate) struct Alarm(Arc<watch::Sender<Option<String>>>);

impl Alarm {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Says what failed; the first reason stays.
    pub(crate) fn raise(&self, what: &str, error: &std::io::Error) {
        let reason = format!("{what}: {error}");
        let first = self.0.send_if_modified(|raised| {
            let first = raised.is_none();
            if first {
                *raised = Some(reason.clone());
            }
            first
        });
        if first {
            tracing::error!("{reason}: this member stops");
        }
    }

    /// The reason, if it was raised.
    pub(crate) fn reason(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    /// Waits until it is raised.
    pub(crate) async fn raised(&self) -> String {
        let mut receiver = self.0.subscribe();
        // The sender is held by this very value: there is no other end.
        receiver.wait_for(Option::is_some).await.map(|raised| raised.clone().unwrap_or_default()).unwrap_or_default()
    }
}
