//! The agent's hold on the output of running containers.
//!
//! A pipe that nobody has open loses what is in it. Its container has it open while it runs, and its supervisor; should
//! the supervisor be killed and the container end before the next one is there, this hold keeps the last words.

use crate::images::blocking;
use crate::pods::local::Inner;
use crate::pods::status;
use crate::supervisor::open_pipes;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

/// Pipes by pod and container id. Nothing is ever read from them.
#[derive(Default)]
pub(crate) struct Pipes(Mutex<HashMap<String, HashMap<String, Vec<File>>>>);

impl Pipes {
    /// Lets go of a pod's.
    pub(crate) fn release(&self, uid: &str) {
        self.0.lock().remove(uid);
    }
}

/// Holds the pipes of a pod's running containers, and no others.
pub(crate) async fn hold(inner: &Arc<Inner>, uid: &str) {
    let (worker, uid) = (inner.clone(), uid.to_owned());
    // It fails only with the runtime that ends.
    let _ = blocking(move || {
        // Locked first, so that what was read last is done last.
        let mut pipes = worker.pipes.0.lock();
        let mut running = status::containers(&worker.config.pod(&uid));
        running.retain(status::Found::is_running);
        if running.is_empty() {
            pipes.remove(&uid);
            return Ok(());
        }
        let held = pipes.entry(uid).or_default();
        held.retain(|id, _| running.iter().any(|found| found.record.id == *id));
        for found in running.iter().filter(|found| !found.record.spec.tty) {
            held.entry(found.record.id.clone())
                .or_insert_with(|| open_pipes(&found.directory).into_iter().map(|(_, file)| file).collect());
        }
        Ok(())
    })
    .await;
}
