//! The tasks that a member consists of. It needs each of them for as long as it serves.

use crate::border::StoreError;
use crate::member::Core;
use crate::rt::Runner;
use std::future::Future;
use std::sync::Arc;

/// Starts them.
pub(super) struct Parts<'a> {
    pub(super) runner: &'a Runner,
    pub(super) core: &'a Arc<Core>,
}

impl Parts<'_> {
    /// Starts one. Should it end while the member serves, by a panic or otherwise, the member ends with it: half a member that
    /// still votes is worse than none.
    pub(super) fn start(&self, name: &'static str, part: impl Future<Output = ()> + Send + 'static) {
        let part = self.runner.spawn(part);
        let core = Arc::downgrade(self.core);
        self.runner.spawn(async move {
            let how = match part.await {
                Ok(()) => "ended early".to_owned(),
                Err(error) => format!("ended: {error}"),
            };
            // One that stops has said so before its tasks end.
            if let Some(core) = core.upgrade()
                && core.check().is_ok()
            {
                let reason = format!("{name} {how}");
                tracing::error!("{reason}: this member stops");
                core.end(StoreError::Storage(reason));
            }
        });
    }
}
