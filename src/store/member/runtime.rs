//! The thread on which Raft runs, alone.

use parking_lot::Mutex;
use std::io;
use std::thread::JoinHandle;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// A single-threaded runtime on its own thread: few hops, and nothing of other rooms can hold up a heartbeat.
pub(crate) struct RaftThread {
    handle: Handle,
    stop: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

impl RaftThread {
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().thread_name("raft").build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("raft".into()).spawn(move || {
            crate::member::raise_priority();
            // Either a word or the sender's end: both stop it.
            let _ = runtime.block_on(stopped);
            drop(runtime);
        })?;
        Ok(Self { handle, stop: Mutex::new(Some((stop, thread))) })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// What ends all its tasks where they are, and blocks until the thread has ended.
    pub(crate) fn stop(&self) -> impl FnOnce() + Send + 'static {
        let taken = self.stop.lock().take();
        move || {
            let Some((stop, thread)) = taken else { return };
            let _ = stop.send(());
            if thread.join().is_err() {
                tracing::error!("the Raft thread panicked");
            }
        }
    }
}

impl Drop for RaftThread {
    fn drop(&mut self) {
        // Not joined: this may run on that very thread.
        drop(self.stop.lock().take());
    }
}
