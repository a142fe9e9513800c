//! The thread on which signs of life travel: the API's work does not hold them up.

use crate::nodes::{LeaderMemory, Relay};
use crate::peers::Peers;
use crate::{MasterError, Pems};
use raftsman_store::border::{Members, Store};
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

/// The relay and what it runs on.
pub struct Signs {
    /// Towards the leader's memory.
    pub relay: Relay,
    runtime: Option<Runtime>,
}

impl Signs {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        pems: &Pems,
        memory: Arc<LeaderMemory>,
        store: Arc<dyn Store>,
        members: watch::Receiver<Arc<Members>>,
    ) -> Result<Self, MasterError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("signs-of-life")
            .on_thread_start(raftsman_store::raise_priority)
            .enable_all()
            .build()
            .map_err(|e| MasterError::Server(format!("the thread for nodes' signs of life: {e}")))?;
        let relay = {
            // Its channels to the other masters are its own, and live where they are used first.
            let _inside = runtime.enter();
            Relay::start(memory, Arc::new(Peers::new(pems, members)), store)
        };
        Ok(Self { relay, runtime: Some(runtime) })
    }
}

impl Drop for Signs {
    fn drop(&mut self) {
        // Without waiting: it may be dropped where nobody may wait.
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
    }
}
