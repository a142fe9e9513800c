//! The thread on which Raft runs, alone.

use parking_lot::Mutex;
use std::io;
use std::thread::JoinHandle;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// A single-threaded runtime on its own thread: few hops, and nothing of other rooms can hold up a heartbeat.
pub(crate) struct RaftThread {
    handle: Handle,
    urgent: fn(),
    stop: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

impl RaftThread {
    /// Its thread, and others that are started with [`RaftThread::urgent`], do that first.
    pub(crate) fn start(urgent: fn()) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().thread_name("raft").build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("raft".into()).spawn(move || {
            urgent();
            // Either a word or the sender's end: both stop it.
            let _ = runtime.block_on(stopped);
            drop(runtime);
        })?;
        Ok(Self { handle, urgent, stop: Mutex::new(Some((stop, thread))) })
    }

    /// What a thread does first that must not wait behind ordinary ones.
    pub(crate) fn urgent(&self) -> fn() {
        self.urgent
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
